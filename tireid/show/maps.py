"""Plots of the embedding space and of attention: functions of arrays to an Axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import Ellipse

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Cloud:
    """Points of one modality in a plane."""

    points: Array
    """(N, 2)"""
    person_ids: Array
    """(N,)"""
    covariances: Mapping[int, Array] | None = None
    """Person id to (2, 2), where the spread is known otherwise; None: that of the person's points."""

    def gaussian(self, person: int) -> tuple[Array, Array]:
        """Mean (2,) and covariance (2, 2, divided by n) of a person. Raises KeyError for one without a point."""
        own = self.points[self.person_ids == person]
        if len(own) == 0:
            raise KeyError(f"no point of person {person}")
        mean = own.mean(axis=0)
        if self.covariances is not None:
            return mean, self.covariances[person]
        return mean, (own - mean).T @ (own - mean) / len(own)


def projected_covariance(variance: Array, directions: Array) -> Array:
    """Covariance (k, k) of a diagonal Gaussian with `variance` (D,) along the rows of `directions` (k, D).

    A linear map W sends N(mu, diag(v)) to N(W mu, W diag(v) W^T), so for principal components this is exact.

    >>> projected_covariance(np.array([1.0, 4.0]), np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 4.0]]
    """
    variance, directions = np.asarray(variance), np.asarray(directions)
    if variance.ndim != 1 or directions.ndim != 2 or directions.shape[1] != len(variance):
        raise ValueError(f"variance must be (D,) and directions (k, D), got {variance.shape} and {directions.shape}")
    projected: Array = (directions * variance) @ directions.T
    return projected


def ellipse(mean: Array, covariance: Array, deviations: float = 1.0, **style: Any) -> Ellipse:
    """The points `deviations` standard deviations from `mean` (2,): a matplotlib patch, `style` goes to it.

    Its full axes are 2 * deviations * sqrt(eigenvalues of `covariance`), the first along the leading eigenvector.
    Raises ValueError if `covariance` is not a symmetric (2, 2) matrix without negative eigenvalues.
    """
    from matplotlib.patches import Ellipse

    covariance = np.asarray(covariance, dtype=np.float64)
    if covariance.shape != (2, 2) or not np.allclose(covariance, covariance.T):
        raise ValueError(f"covariance must be a symmetric (2, 2) matrix, got {covariance.tolist()}")
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-9 * max(1.0, values[1]):
        raise ValueError(f"covariance has the negative eigenvalue {values[0]:g}")
    width, height = 2 * deviations * np.sqrt(np.clip(values[::-1], 0, None))
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    return Ellipse((float(mean[0]), float(mean[1])), float(width), float(height), angle=angle, **style)


def people_in_plane(
    images: Cloud, texts: Cloud, people: Sequence[int], axes: Axes, deviations: float = 1.0, colours: Any = None
) -> Axes:
    """Both modalities, everybody in grey and `people` in colour with an ellipse for each modality of each.

    Pictures are dots with a full line, captions crosses with a dashed one. `colours` default to the axes' cycle.
    """
    from matplotlib.colors import to_rgba

    for cloud, marker, name, dash in ((images, "o", "pictures", "-"), (texts, "x", "captions", "--")):
        axes.scatter(cloud.points[:, 0], cloud.points[:, 1], s=7, marker=marker, color="0.8", linewidths=0.6, zorder=1)
        axes.plot([], [], marker=marker, linestyle=dash, color="0.35", markersize=4, label=name)
        for number, person in enumerate(people):
            # Resolved here: a scatter would look up "C0" only when it is drawn, perhaps under another style.
            colour = to_rgba(f"C{number}" if colours is None else colours[number])
            own = cloud.points[cloud.person_ids == person]
            axes.scatter(own[:, 0], own[:, 1], s=14, marker=marker, color=[colour], linewidths=1.0, zorder=3)
            shape = ellipse(
                *cloud.gaussian(person), deviations, fill=False, edgecolor=colour, linestyle=dash, linewidth=1.3
            )
            shape.set_zorder(2)
            axes.add_patch(shape)
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(frameon=False, loc="best", fontsize=8)
    return axes


def attention_overlay(picture: Array, attention: Array, axes: Axes, highest: float | None = None) -> AxesImage:
    """Attention (h, w) over the patches of a picture uint8 (H, W, 3), as a heat map that lets the picture through.

    `highest` is the attention of the strongest colour (default: the largest); give several maps the same one to
    compare them. Each patch is drawn as the square it is. Returns the heat map, for a colour bar.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or attention.ndim != 2:
        raise ValueError(f"expected a picture (H, W, 3) and attention (h, w), got {picture.shape}, {attention.shape}")
    height, width = picture.shape[:2]
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    axes.imshow((0.5 * picture + 0.5 * grey).astype(np.uint8), extent=(0, width, height, 0))
    heat = axes.imshow(
        attention,
        extent=(0, width, height, 0),
        cmap="inferno",
        alpha=0.6,
        vmin=0,
        vmax=float(attention.max()) if highest is None else highest,
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    return heat


def interval_plot(table: pd.DataFrame, axes: Axes, x: str) -> Axes:
    """One line per row: a dot at column `estimate` and a bar from `low` to `high`; `x` names the quantity.

    A row whose interval leaves out 0 is drawn filled, the others hollow.
    """
    for place, (_, row) in enumerate(table.iterrows()):
        sure = row["low"] > 0 or row["high"] < 0
        axes.plot([row["low"], row["high"]], [place, place], color="C0", linewidth=1.5)
        axes.plot(row["estimate"], place, "o", color="C0", markerfacecolor="C0" if sure else "white", markersize=6)
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_yticks(range(len(table)), [str(name) for name in table.index])
    axes.invert_yaxis()
    axes.set_xlabel(x)
    axes.grid(axis="y", visible=False)
    return axes
