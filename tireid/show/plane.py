"""Features as Gaussians, drawn: a plane of principal components with ellipses, and similarities as histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Plane:
    """The two directions along which features vary most."""

    centre: Floats
    """(D,), the mean feature."""
    axes: Floats
    """(2, D), orthonormal; the entry of largest size of each is positive, so that pictures do not flip."""
    share: Floats
    """(2,), part of the features' total variance along each axis."""

    @classmethod
    def of(cls, features: npt.ArrayLike) -> Plane:
        """Principal components of features (N, D), N at least 3 (Pearson, 1901).

        >>> plane = Plane.of([[0.0, 0.0, 5.0], [4.0, 0.0, 5.0], [2.0, 1.0, 5.0], [2.0, -1.0, 5.0]])
        >>> plane.share.round(2).tolist(), plane.project([[4.0, 0.0, 5.0]]).round(6).tolist()
        ([0.8, 0.2], [[2.0, 0.0]])
        """
        rows = as_matrix("features", features)
        if len(rows) < 3 or rows.shape[1] < 2:
            raise ValueError(f"features must be at least 3 rows of at least 2 numbers, got {rows.shape}")
        centre = rows.mean(axis=0)
        _, singular, directions = np.linalg.svd(rows - centre, full_matrices=False)
        axes = directions[:2]
        signs = np.sign(axes[[0, 1], np.abs(axes).argmax(axis=1)])
        total = np.square(singular).sum()
        share = np.square(singular[:2]) / total if total > 0 else np.zeros(2)
        return cls(centre, axes * signs[:, None], share)

    def project(self, features: npt.ArrayLike) -> Floats:
        """Coordinates (..., 2) of features (..., D)."""
        result: Floats = (np.asarray(features, dtype=np.float64) - self.centre) @ self.axes.T
        return result

    def covariance(self, variance: npt.ArrayLike) -> Floats:
        """(2, 2) of a diagonal Gaussian with `variance` (D,), seen in the plane."""
        result: Floats = (self.axes * np.asarray(variance, dtype=np.float64)) @ self.axes.T
        return result


def ellipse(covariance: npt.ArrayLike, sigmas: float = 2.0) -> tuple[float, float, float]:
    """Width and height (whole axes, `sigmas` standard deviations to each side) and angle in degrees of a covariance.

    >>> ellipse([[1.0, 0.0], [0.0, 4.0]])
    (8.0, 4.0, 90.0)
    """
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=np.float64))
    width, height = 2 * sigmas * np.sqrt(values.clip(min=0))[::-1]
    x, y = vectors[:, 1]
    return float(width), float(height), float(np.degrees(np.arctan2(y, x)) % 180)


def plot_gaussians(
    plane: Plane,
    features: npt.ArrayLike,
    variance: npt.ArrayLike,
    person_ids: npt.ArrayLike,
    axes: Axes,
    people: Sequence[int],
    draws: npt.ArrayLike | None = None,
    sigmas: float = 2.0,
) -> Axes:
    """All features as grey points; those of `people` in colour, each person with a marker and an ellipse of its own.

    `features` and `variance` (N, D), `person_ids` (N,). The ellipse stands around the person's mean feature and has the
    variance of that person's first row. With `draws` (S, N, D), samples shown as small points, every feature of the
    person has the ellipse around itself instead: that is the Gaussian which they were drawn from.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Ellipse

    points, ids = plane.project(features), np.asarray(person_ids)
    variances = as_matrix("variance", variance)
    cloud = None if draws is None else plane.project(draws)
    axes.scatter(points[:, 0], points[:, 1], s=4, color="0.75", zorder=1)
    for number, person in enumerate(people):
        mine = np.flatnonzero(ids == person)
        if not len(mine):
            raise ValueError(f"person {person} is not among person_ids")
        # Resolved here: a patch would look up "C0" only when it is drawn, perhaps under another style.
        colour = to_rgba(f"C{number}")
        if cloud is not None:
            x, y = cloud[:, mine].reshape(-1, 2).T
            axes.scatter(x, y, s=6, color=colour, alpha=0.4, linewidths=0, zorder=2)
        width, height, angle = ellipse(plane.covariance(variances[mine[0]]), sigmas)
        centres = points[mine].mean(axis=0, keepdims=True) if cloud is None else points[mine]
        for x, y in centres:
            axes.add_patch(Ellipse((x, y), width, height, angle=angle, fill=False, color=colour, lw=1.2, zorder=3))
        marker = MARKERS[number % len(MARKERS)]
        axes.scatter(points[mine, 0], points[mine, 1], s=24, color=colour, marker=marker, label=str(person), zorder=4)
    first, second = (round(100 * part) for part in plane.share)
    axes.set(xlabel=f"first component ({first}% of variance)", ylabel=f"second ({second}%)")
    return axes


def plot_similarities(
    positive: npt.ArrayLike, negative: npt.ArrayLike, axes: Axes, target: float | None = None, bins: int = 50
) -> Axes:
    """Histograms (densities) of cosines of positive and of negative pairs, and a line at `target` if given."""
    edges = np.linspace(-1, 1, bins + 1).tolist()
    styles = (("negative pairs", negative, "C3", "//"), ("positive pairs", positive, "C0", ""))
    for label, values, colour, hatch in styles:
        flat = np.asarray(values, dtype=np.float64).ravel()
        axes.hist(flat, edges, density=True, histtype="stepfilled", alpha=0.5, color=colour, hatch=hatch, label=label)
    if target is not None:
        axes.axvline(target, color="black", linestyle="--", linewidth=1, label=f"target 1 - m = {target:g}")
    axes.set(xlabel="cosine of image and text", ylabel="density", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.legend(frameon=False, fontsize="small")
    return axes


def as_matrix(name: str, value: Any) -> Floats:
    """`value` as a finite float64 matrix, else ValueError naming it."""
    rows = np.asarray(value, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
        raise ValueError(f"{name} must be a non-empty matrix of finite numbers, got shape {rows.shape}")
    return rows
