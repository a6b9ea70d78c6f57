"""What alpha, lam and K do to the Gaussians of a batch: sliders, a picture, and figures that follow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from tireid.basics.extras import require
from tireid.demo.parts import widgets
from tireid.demo.sliders import SliderBox, still_html
from tireid.losses.common import cosines, same_person
from tireid.model.gaussian import reparameterise, uncertainty
from tireid.show.plane import Plane, plot_gaussians
from tireid.show.plots import plot_similarities, plot_style

LARGEST_ALPHA, DRAWS, SHOWN = 4.0, 16, 5


@dataclass(frozen=True)
class Gaussians:
    """The batch under one setting: K pairs of every person, their variances, and draws (S, B, D)."""

    ids: Tensor
    image: Tensor
    text: Tensor
    image_variance: Tensor
    text_variance: Tensor
    image_draws: Tensor
    text_draws: Tensor


class GaussianExplorer(SliderBox):
    """Sliders for alpha, lam and K over a batch of features; clouds of samples and similarities follow.

    Args:
        image_features: (B, D), *not* normalised: the variance has their scale.
        text_features: (B, D); row i belongs to the same pair as row i of the images.
        person_ids: integers (B,); somebody needs two pairs.
        margin: of the circle loss; the histogram shows its target 1 - margin.
        seed: of the noise, which is the same for every setting, so that sliders alone move the samples.

    `alpha`, `lam` and `k` are the sliders; :attr:`state` holds their values and takes them back, :attr:`results` is
    what is shown, as a table. Where widgets cannot be shown (an export, GitHub) the present view is a picture and text.
    Raises ValueError for features or ids of a wrong shape.

    >>> explorer = GaussianExplorer(torch.eye(4), torch.eye(4), torch.tensor([0, 0, 1, 1]))
    >>> explorer.alpha.value = 0.0
    >>> explorer.state, round(float(explorer.results.loc["positive pairs", "samples"]), 3)
    ({'alpha': 0.0, 'lam': 0.5, 'k': 2}, 0.5)
    """

    def __init__(
        self,
        image_features: Tensor | npt.NDArray[Any],
        text_features: Tensor | npt.NDArray[Any],
        person_ids: Tensor | npt.NDArray[Any],
        *,
        margin: float = 0.25,
        seed: int = 0,
    ) -> None:
        self._image, self._text, self._ids = _checked(image_features, text_features, person_ids)
        self._margin, self._seed = margin, seed
        people, counts = np.unique(self._ids.numpy(), return_counts=True)
        # The people of most pairs, spread over the ids.
        candidates = people[counts == counts.max()]
        step = max(1, len(candidates) // SHOWN)
        self._people = [int(person) for person in candidates[::step][:SHOWN]]
        self._planes = Plane.of(self._image), Plane.of(self._text)
        look = {"style": {"description_width": "16em"}, "layout": {"width": "34em"}, "continuous_update": False}
        self.alpha = widgets.FloatSlider(1.0, min=0, max=LARGEST_ALPHA, step=0.05, description="alpha, noise", **look)
        self.lam = widgets.FloatSlider(0.5, min=0, max=1, step=0.05, description="lam, share of batch level", **look)
        most = int(counts.max())
        self.k = widgets.IntSlider(most, min=1, max=most, description="K, pairs of a person", **look)
        self._picture = widgets.Image(format="png")
        self._words = widgets.HTML()
        sliders = {"alpha": self.alpha, "lam": self.lam, "k": self.k}
        super().__init__(sliders, [self._words, self._picture], self._follow)

    @property
    def results(self) -> pd.DataFrame:
        """Mean cosines of the means (what retrieval compares) and of the samples (what the loss compares).

        Rows: `image and its mean`, `text and its mean`, `positive pairs`, `negative pairs`, and the share of
        `positives under 1 - m`.
        """
        return self._results.copy()

    @property
    def summary(self) -> str:
        """The setting and the results in one line each, rounded."""
        setting = f"alpha {self.alpha.value:.2f}, lam {self.lam.value:.2f}, K {self.k.value}"
        rows = [f"{name}: {row['means']:.2f} -> {row['samples']:.2f}" for name, row in self._results.iterrows()]
        return "\n".join([f"Gaussians at {setting} (cosines, means -> samples)", *rows])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        alt = "Clouds of image and of text samples in PCA planes, and histograms of similarities. " + self.summary
        still = still_html(self.summary.partition("\n")[0], self._picture.value, alt, self._table_html())
        return (super()._repr_mimebundle_(**kwargs) or {}) | {"text/plain": self.summary, "text/html": still}

    def _follow(self) -> None:
        view = self._view()
        positives = same_person(view.ids)
        means, samples = cosines(view.image, view.text), cosines(view.image_draws, view.text_draws)
        self._results = _table(view, means, samples, positives, 1 - self._margin)
        self._picture.value = self._draw(view, samples, positives)
        self._words.value = self._table_html()

    def _view(self) -> Gaussians:
        """K pairs of everyone who has as many; fewer of the others."""
        kept = _first_of_each(self._ids, self.k.value)
        image, text, ids = self._image[kept], self._text[kept], self._ids[kept]
        noise = torch.Generator().manual_seed(self._seed)
        variances = [uncertainty(features, ids, lam=self.lam.value) for features in (image, text)]
        draws = [
            reparameterise(features, variance, self.alpha.value, DRAWS, generator=noise)
            for features, variance in zip((image, text), variances, strict=True)
        ]
        return Gaussians(ids, image, text, *variances, *draws)

    def _draw(self, view: Gaussians, samples: Tensor, positives: Tensor) -> bytes:
        with plot_style():
            figure = require("matplotlib.figure", "notebooks").Figure(figsize=(11, 3.4), layout="constrained", dpi=80)
            left, middle, right = figure.subplots(1, 3)
            scale = self.alpha.value**2
            for name, plane, features, variance, draws, axes in (
                ("images", self._planes[0], view.image, scale * view.image_variance, view.image_draws, left),
                ("texts", self._planes[1], view.text, scale * view.text_variance, view.text_draws, middle),
            ):
                plot_gaussians(plane, features, variance, view.ids, axes, self._people, draws)
                axes.set_title(f"{name} and their samples, 2 sigma")
            left.legend(title="person", fontsize="x-small", title_fontsize="x-small")
            plot_similarities(samples[:, positives], samples[:, ~positives], right, target=1 - self._margin)
            right.set_title("what the loss compares: samples")
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def _table_html(self) -> str:
        cells = "".join(
            f'<tr><th scope="row" style="text-align:left;padding-right:1em">{escape(str(name))}</th>'
            f'<td style="padding-right:1em">{row["means"]:.3f}</td><td>{row["samples"]:.3f}</td></tr>'
            for name, row in self._results.iterrows()
        )
        head = '<tr><th></th><th scope="col">means</th><th scope="col">samples</th></tr>'
        return f'<table aria-live="polite">{head}{cells}</table>'


def _checked(image: Any, text: Any, person_ids: Any) -> tuple[Tensor, Tensor, Tensor]:
    features = []
    for name, value in (("image_features", image), ("text_features", text)):
        matrix = torch.as_tensor(value).detach().cpu().float()
        if matrix.ndim != 2 or not matrix.isfinite().all():
            raise ValueError(f"{name} must be a matrix (B, D) of finite numbers, got shape {tuple(matrix.shape)}")
        features.append(matrix)
    ids = torch.as_tensor(person_ids).detach().cpu()
    if features[0].shape != features[1].shape or ids.shape != features[0].shape[:1]:
        shapes = ", ".join(str(tuple(value.shape)) for value in (*features, ids))
        raise ValueError(f"image_features, text_features (B, D) and person_ids (B,) must fit together, got {shapes}")
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(f"person_ids must be integers, got {ids.dtype}")
    if len(np.unique(ids.numpy())) == len(ids):
        raise ValueError("everyone has one pair: at least one person needs two, or K has nothing to choose from")
    return features[0], features[1], ids


def _first_of_each(ids: Tensor, number: int) -> Tensor:
    """Indices of the first `number` rows of every person, in order.

    >>> _first_of_each(torch.tensor([7, 3, 7, 7, 3]), 2).tolist()
    [0, 1, 2, 4]
    """
    earlier = same_person(ids).tril(-1).sum(dim=1)
    return (earlier < number).nonzero().flatten()


def _table(view: Gaussians, means: Tensor, samples: Tensor, positives: Tensor, target: float) -> pd.DataFrame:
    def to_mean(draws: Tensor, mean: Tensor) -> float:
        return float(torch.cosine_similarity(draws, mean, dim=-1).mean())

    def both(mask: Tensor) -> tuple[float, float]:
        return float(means[mask].mean()), float(samples[:, mask].mean())

    under = [(means[positives] < target), (samples[:, positives] < target)]
    rows = {
        "image and its mean": (1.0, to_mean(view.image_draws, view.image)),
        "text and its mean": (1.0, to_mean(view.text_draws, view.text)),
        "positive pairs": both(positives),
        "negative pairs": both(~positives) if (~positives).any() else (np.nan, np.nan),
        "positives under 1 - m": (float(under[0].float().mean()), float(under[1].float().mean())),
    }
    return pd.DataFrame(rows, index=["means", "samples"]).T
