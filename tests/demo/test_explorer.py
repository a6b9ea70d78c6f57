"""The explorer without a kernel: sliders, state, results, and what stands where widgets cannot."""

from __future__ import annotations

import io
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from tests.oracles import gaussian as oracle
from tireid.interactive import GaussianExplorer

PEOPLE, K, D = 6, 3, 16


def features(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    ids = torch.arange(PEOPLE).repeat_interleave(K) * 10
    person = torch.randn(PEOPLE, D, generator=rng).repeat_interleave(K, dim=0)
    image, text = (person + 0.5 * torch.randn(PEOPLE * K, D, generator=rng) for _ in range(2))
    return image, text, ids


@pytest.fixture(scope="module")
def shared() -> GaussianExplorer:
    return GaussianExplorer(*features())


@pytest.fixture
def explorer(shared: GaussianExplorer) -> GaussianExplorer:
    shared.state = {"alpha": 1.0, "lam": 0.5, "k": K}
    return shared


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return F.cosine_similarity(a, b, dim=-1).mean().item()


def test_without_noise_samples_are_their_means(explorer: GaussianExplorer) -> None:
    explorer.alpha.value = 0.0
    results = explorer.results
    np.testing.assert_allclose(results["means"], results["samples"], atol=1e-6)


def test_means_are_compared_pair_by_pair(explorer: GaussianExplorer) -> None:
    image, text, ids = features()
    same, different = [], []
    for i, v in enumerate(image):
        for j, t in enumerate(text):
            (same if ids[i] == ids[j] else different).append(cosine(v, t))
    means = explorer.results["means"]
    assert means["positive pairs"] == pytest.approx(np.mean(same), abs=1e-5)
    assert means["negative pairs"] == pytest.approx(np.mean(different), abs=1e-5)
    assert means["positives under 1 - m"] == pytest.approx(np.mean(np.array(same) < 0.75), abs=1e-5)


def test_samples_lie_as_far_as_the_variance_says(explorer: GaussianExplorer) -> None:
    explorer.state = {"alpha": 2.0, "lam": 0.25}
    image, _, ids = features()
    variance = np.array(oracle.uncertainty(image.tolist(), ids.tolist(), "convex", 0.25, False))
    rng = np.random.default_rng(0)
    cosines = []
    for f, v in zip(image.double().numpy(), variance, strict=True):
        z = f + 2.0 * np.sqrt(v) * rng.standard_normal((2000, D))
        cosines.append(np.mean(z @ f / np.linalg.norm(z, axis=1) / np.linalg.norm(f)))
    assert explorer.results.loc["image and its mean", "samples"] == pytest.approx(np.mean(cosines), abs=0.02)


def test_more_noise_and_more_batch_level_move_samples_further(explorer: GaussianExplorer) -> None:
    def kept() -> float:
        return float(explorer.results.loc["image and its mean", "samples"])

    start = kept()
    explorer.alpha.value = 2.0
    assert kept() < start - 0.05
    explorer.state = {"alpha": 1.0, "lam": 1.0}
    assert kept() < start - 0.01


def test_one_pair_of_a_person_has_no_identity_variance(explorer: GaussianExplorer) -> None:
    explorer.state = {"k": 1, "lam": 0.0, "alpha": 4.0}
    assert explorer.results.loc["image and its mean", "samples"] == pytest.approx(1, abs=1e-4)
    explorer.k.value = 2
    assert explorer.results.loc["image and its mean", "samples"] < 0.9


def test_state_restores_the_view(explorer: GaussianExplorer) -> None:
    explorer.alpha.value, explorer.lam.value, explorer.k.value = 0.4, 0.1, 2
    kept, results, picture = explorer.state, explorer.results, explorer._picture.value
    assert kept == {"alpha": 0.4, "lam": 0.1, "k": 2}
    explorer.state = {"alpha": 3.0, "lam": 0.9, "k": 1}
    assert explorer._picture.value != picture
    explorer.state = kept
    assert explorer.results.equals(results)
    assert explorer._picture.value == picture


def test_setting_a_state_draws_once(explorer: GaussianExplorer) -> None:
    drawn = []
    explorer._picture.observe(drawn.append, names="value")
    explorer.state = {"alpha": 0.2, "lam": 0.2, "k": 1}
    explorer._picture.unobserve_all()
    assert len(drawn) == 1


def test_results_are_a_copy(explorer: GaussianExplorer) -> None:
    results = explorer.results
    results.loc[:, :] = 0
    assert explorer.results.loc["image and its mean", "means"] == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"alhpa": 1.0}, "unknown key 'alhpa' in state; did you mean 'alpha'"),
        ({"gamma_of_loss": 1.0}, "known: alpha, lam, k"),
        ({"alpha": -0.1}, r"state\['alpha'\] must be a number in 0..4, got -0.1"),
        ({"lam": 1.5}, r"state\['lam'\] must be a number in 0..1"),
        ({"lam": float("nan")}, "got nan"),
        ({"k": 2.0}, r"state\['k'\] must be an integer in 1..3, got 2.0"),
        ({"k": True}, "got True"),
        ({"alpha": "1"}, "got '1'"),
    ],
)
def test_a_bad_state_is_named_and_changes_nothing(
    explorer: GaussianExplorer, state: dict[str, float], message: str
) -> None:
    before = explorer.state
    with pytest.raises(ValueError, match=message):
        explorer.state = {"lam": 0.9} | state
    assert explorer.state == before


def test_bad_features_are_named() -> None:
    image, text, ids = features()
    with pytest.raises(ValueError, match=r"fit together, got \(18, 16\), \(17, 16\), \(18,\)"):
        GaussianExplorer(image, text[:-1], ids)
    with pytest.raises(ValueError, match="text_features must be a matrix"):
        GaussianExplorer(image, text * float("nan"), ids)
    with pytest.raises(ValueError, match="integers"):
        GaussianExplorer(image, text, ids.float())
    with pytest.raises(ValueError, match="needs two"):
        GaussianExplorer(image, text, torch.arange(len(ids)))


def test_widgets_are_labelled_and_render_into_html_and_image(explorer: GaussianExplorer) -> None:
    import ipywidgets

    assert isinstance(explorer, ipywidgets.VBox)
    kinds = [type(child).__name__ for child in explorer.children]
    assert kinds == ["FloatSlider", "FloatSlider", "IntSlider", "HTML", "Image"]
    assert all(child.description.strip() for child in explorer.children[:3])
    assert Image.open(io.BytesIO(explorer._picture.value)).size[0] > 300
    assert f"{explorer.results.loc['positive pairs', 'samples']:.3f}" in explorer._words.value


def test_the_static_form_says_what_is_shown(explorer: GaussianExplorer) -> None:
    explorer.state = {"alpha": 0.5, "lam": 0.25, "k": 2}
    bundle = explorer._repr_mimebundle_()
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == "Gaussians at alpha 0.50, lam 0.25, K 2 (cosines, means -> samples)"
    assert len(lines) == 1 + len(explorer.results)
    tag = re.search(r'<img alt="([^"]+)"[^>]* src="data:image/png;base64,', bundle["text/html"])
    assert tag is not None
    assert "alpha 0.50" in tag[1]
    assert "->" not in tag[1]  # escaped
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_static_form_is_the_same_every_time() -> None:
    first, second = (GaussianExplorer(*features())._repr_mimebundle_() for _ in range(2))
    assert [first[key] for key in ("text/plain", "text/html")] == [second[key] for key in ("text/plain", "text/html")]


def test_arrays_do_as_well_as_tensors() -> None:
    image, text, ids = features()
    explorer = GaussianExplorer(image.numpy(), text.numpy(), ids.numpy())
    assert explorer.results.equals(GaussianExplorer(image, text, ids).results)


def test_without_ipywidgets_plots_work_and_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['ipywidgets'] = None\n"
        "from tireid.interactive import plot_style\n"
        "try:\n    from tireid.interactive import GaussianExplorer\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tireid[notebooks]'" in done.stdout
