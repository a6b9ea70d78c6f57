"""Arguments of public functions: one plain meaning, or one error that names the argument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from submitit.core.utils import DelayedSubmission

import tireid
from tests.search.fakes import ColourModel
from tireid.basics.arguments import COUNT, ArgumentError, checked
from tireid.losses import circle_loss, infonce_loss, mlm_loss, sdm_loss, tal_loss
from tireid.search import Gallery, bootstrap_interval, cross_evaluate, evaluate, per_query_table
from tireid.search.metrics import retrieval_metrics
from tireid.train import train_in_processes


@checked(k=COUNT)
def take(
    items: Sequence[str], k: int = 1, share: float = 0.5, where: str | Path | None = None, every: bool = False
) -> tuple[Any, ...]:
    return items, k, share, where, every


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"items": iter(["a"])}, (["a"], 1, 0.5, None, False)),
        ({"items": ("a",), "k": np.int64(3)}, (("a",), 3, 0.5, None, False)),
        ({"items": [], "share": np.float16(0.25), "where": None}, ([], 1, 0.25, None, False)),
        ({"items": [], "where": Path("x"), "every": np.True_}, ([], 1, 0.5, Path("x"), True)),
    ],
)
def test_what_has_one_meaning_is_taken(given: dict[str, Any], taken: tuple[Any, ...]) -> None:
    assert take(**given) == taken


def test_a_checked_method_reaches_the_process_of_a_job(tmp_path: Path) -> None:
    """As `tireid index --jobs 2` sends it."""
    DelayedSubmission(partial(tireid.TIReID.from_pretrained, "tiny")).dump(tmp_path / "job.pkl")
    assert DelayedSubmission.load(tmp_path / "job.pkl").function().backbone.width == 128


def test_a_gallery_may_be_below_the_current_folder() -> None:
    assert Gallery(ColourModel(), np.eye(2), ["a.jpg", "b.jpg"], root="").root == Path()


@pytest.mark.parametrize("k", [0, -1, True, 2.5, None, "3", float("nan"), [1], np.float64(2)])
def test_a_count_is_a_positive_integer(k: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^k must be a positive integer, got "):
        take([], k)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"items": "abc"}, "items must be a list, got 'abc'"),
        ({"items": {"a"}}, "items must be a list, got set"),
        ({"items": None}, "items must be a list, got NoneType"),
        ({"share": float("inf")}, "share must be a finite number, got inf"),
        ({"share": 10**400}, "share must be a finite number"),
        ({"where": ""}, "where must be the path of"),
        ({"where": b"x"}, "where must be the path of"),
        ({"where": "a\0b"}, r"got 'a.x00b'"),
        ({"where": "\ud800"}, "where must be the path of"),
        ({"every": "no"}, "every must be True or False, got 'no'"),
        ({"evry": True}, r"take\(\) got an unexpected keyword argument 'evry'"),
    ],
)
def test_anything_else_names_the_argument(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        take(**{"items": [], **given})
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)


CONFIG = tireid.Config.preset("paper")


def gallery(**more: Any) -> Gallery:
    return Gallery(ColourModel(), np.eye(3, 3), ["a.jpg", "b.jpg", "c.jpg"], **more)


MEMBERS: dict[str, tuple[Callable[[], Any], str]] = {
    "a dataset for a split": (lambda: evaluate(ColourModel(), tireid.data), "split must be a Split, got module"),
    "a name for a model": (lambda: Gallery.from_folder("tiny", "."), "model must be an Encoder, got 'tiny'"),
    "letters for paths": (lambda: Gallery(ColourModel(), np.eye(3), "abc"), "paths must be a list, got 'abc'"),
    "nothing for a path": (lambda: Gallery(ColourModel(), np.eye(1), [None]), r"paths\[0\] must be the path"),
    "half a camera": (lambda: gallery(cameras=[1, 1.5, None]), r"cameras\[1\] must be an integer"),
    "complex features": (lambda: Gallery(ColourModel(), np.eye(1) * 1j, ["a"]), "features must be real numbers"),
    "sparse features": (lambda: Gallery(ColourModel(), torch.eye(1).to_sparse(), ["a"]), "features must be a dense"),
    "ragged features": (lambda: retrieval_metrics([[1], [1, 2]], np.eye(2), [0, 1], [0, 1]), "query_features must be"),
    "masked features": (
        lambda: retrieval_metrics(np.ma.masked_array(np.eye(2), np.eye(2) > 0), np.eye(2), [0, 1], [0, 1]),
        "query_features must be real numbers without a mask",
    ),
    "masked people": (
        lambda: gallery(person_ids=np.ma.array([1, 2, 3], mask=[0, 0, 1])),
        "person_ids must be .* without a mask",
    ),
    "masked ids": (
        lambda: retrieval_metrics(np.eye(2), np.eye(2), np.ma.array([0, 1], mask=[0, 1]), [0, 1]),
        "query_ids must be .* without a mask",
    ),
    "letters for queries": (lambda: gallery().search_many("red"), "texts must be a list, got 'red'"),
    "a mistyped filter": (lambda: gallery().allowed(exlude=["a.jpg"]), "no filter 'exlude'; did you mean 'exclude'"),
    "texts for people": (
        lambda: gallery(person_ids=[1, 2, 3]).allowed(person_ids=["1"]),
        "each of person_ids must be an integer",
    ),
    "a number to exclude": (lambda: gallery().allowed(exclude=[5]), "each of exclude must be the path"),
    "a share that is not": (lambda: Gallery.from_folder(ColourModel(), ".", share=(5, 2)), r"share must be \(i, n\)"),
    "batches of none": (lambda: Gallery.from_folder(ColourModel(), ".", batch_size=0), "batch_size must be a positive"),
    "a seed in words": (lambda: tireid.load_dataset("synthetic", "/tmp/x", seed="3"), "seed must be an integer from 0"),
    "bytes for a name": (lambda: tireid.load_dataset(b"synthetic"), "name must be a data set's name"),
    "no tree": (lambda: tireid.Config.from_dict(None), "tree must be a Mapping, got NoneType"),
    "one override": (lambda: tireid.Config.preset("paper").override("epochs=3"), "assignments must be a list or set"),
    "a number to train": (lambda: tireid.train(config=5, output_dir="/tmp/x"), "config must be a Config, got 5"),
    "a name to train": (lambda: tireid.train("paper", "/tmp/x"), "config must be a Config, got 'paper'"),
    "training in nothing": (lambda: tireid.train(CONFIG, ""), "output_dir must be the path"),
    "training nowhere": (lambda: tireid.train(CONFIG), r"train\(\) missing a required argument: 'output_dir'"),
    "data by their name": (
        lambda: tireid.train(CONFIG, "/tmp/x", data="synthetic"),
        "data must be a Dataset, got 'syn",
    ),
    "a model by its name": (lambda: tireid.train(CONFIG, "/tmp/x", model="tiny"), "model must be a TIReID, got 'tiny'"),
    "a log to a file": (
        lambda: tireid.train(CONFIG, "/tmp/x", on_log="a.log"),
        "on_log must be a Callable, got 'a.log'",
    ),
    "curves in a folder": (
        lambda: tireid.train(CONFIG, "/tmp/x", tensorboard="tb"),
        "tensorboard must be True or Fals",
    ),
    "no processes": (lambda: train_in_processes(CONFIG, "/tmp/x", -1), "processes must be an integer from 0, got -1"),
    "models in a list": (lambda: cross_evaluate([], {}), "models must be a Mapping"),
    "ranks for a ranking": (lambda: per_query_table([[1, 2]]), "ranking must be a Ranking"),
    "a seed of resampling": (lambda: bootstrap_interval([1.0], seed=-1), "seed must be an integer from 0, got -1"),
    "words to resample": (lambda: bootstrap_interval(["a"]), "per_query_values must be"),
    "no people": (lambda: tireid.TIReID.from_pretrained("tiny", num_identities=0), "num_identities must be a positive"),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_public_functions_name_the_argument(name: str) -> None:
    call, message = MEMBERS[name]
    with pytest.raises(ArgumentError, match=message):
        call()


def test_cameras_that_are_not_known_are_nan_as_pandas_says_it(tmp_path: Path) -> None:
    known = gallery(cameras=[1.0, float("nan"), None])
    assert known.cameras == [1, None, None]
    known.save(tmp_path)
    assert Gallery.load(tmp_path, known.model).cameras == [1, None, None]


def test_an_iterator_of_ks_counts_in_both_directions() -> None:
    assert set(retrieval_metrics(np.eye(2), np.eye(2), [0, 1], [0, 1], ks=iter([1]))) == {"R@1", "mAP", "mINP"}
    metrics, _ = retrieval_metrics(np.eye(2), np.eye(2), [0, 1], [0, 1], ks=iter([1]), per_query=True)
    assert metrics["R@1"] == 100


@pytest.mark.parametrize("batch", [torch.zeros(1, 3, 96, 32, dtype=torch.int64), torch.full((1, 3, 96, 32), torch.nan)])
def test_pictures_that_mean_nothing_are_refused(batch: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"uint8, or floating-point|NaN or infinite"):
        tireid.TIReID.from_pretrained("tiny").encode_images(batch)


X, IDS = torch.eye(3), torch.arange(3)


@pytest.mark.parametrize("loss", [sdm_loss, tal_loss, lambda x, y, ids, **numbers: infonce_loss(x, y, **numbers)])
def test_losses_name_the_argument(loss: Callable[..., torch.Tensor]) -> None:
    for temperature in (0, -1, float("nan"), float("inf"), True, "a", None):
        with pytest.raises(ArgumentError, match="temperature must be "):
            loss(X, X, IDS, temperature=temperature)
    with pytest.raises(ArgumentError, match=r"image_features must be a dense torch\.Tensor, got ndarray"):
        loss(X.numpy(), X, IDS)
    with pytest.raises(ArgumentError, match="text_features is on meta, others are on cpu"):
        loss(X, X.to("meta"), IDS)
    with pytest.raises(ValueError, match="same shape and dtype"):
        loss(X, X.double(), IDS)
    assert loss(X, X, IDS, temperature=torch.tensor(0.1)).isfinite()


def test_other_losses_name_the_argument() -> None:
    with pytest.raises(ArgumentError, match="gamma must be above 0, got 0"):
        circle_loss(X, X > 0, gamma=0)
    with pytest.raises(ArgumentError, match=r"person_ids must be a dense torch\.Tensor, got list"):
        sdm_loss(X, X, [0, 1, 2])
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2, got 0\.\.3"):
        mlm_loss(X, torch.tensor([0, 3, -100]))


@pytest.mark.parametrize("figure", [float("nan"), 2, -1, "a", None])
def test_a_metric_of_ones_own_is_a_figure_in_0_to_1(figure: Any) -> None:
    from tireid.search.evaluation import _own_metrics

    def odd(ranks: Any) -> Any:
        return figure

    with pytest.raises(ArgumentError, match="the figure of the metric 'odd' must be between 0 and 1"):
        _own_metrics([odd])["odd"](np.array([1]))
