"""Features as Gaussians in a plane: principal components, covariances seen in them, people as ellipses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tireid.basics.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Ellipse

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
MARKERS = "osD^vPX*"


@dataclass(frozen=True)
class Plane:
    """The two directions along which features vary most.

    >>> plane = Plane.of(np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0.0]]))
    >>> plane.share.round(2).tolist()
    [0.86, 0.14]
    """

    centre: Floats
    """(D,), the mean feature."""
    axes: Floats
    """(2, D), orthonormal; the entry of largest size of each is positive, so that pictures do not flip."""
    share: Floats
    """(2,), part of the features' total variance along each axis."""

    @classmethod
    def of(cls, features: npt.ArrayLike) -> Plane:
        """Principal components of features (N, D), N at least 3 (Pearson, 1901).

        Raises:
            ValueError: fewer than three rows or two columns, or numbers that are not finite.

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
        """Coordinates of features (N, D) or (S, N, D) in the plane: (N, 2) or (S, N, 2)."""
        result: Floats = (np.asarray(features, dtype=np.float64) - self.centre) @ self.axes.T
        return result

    def covariance(self, variance: npt.ArrayLike) -> Floats:
        """(2, 2) of a diagonal Gaussian with `variance` (D,), seen in the plane."""
        return projected_covariance(np.asarray(variance, dtype=np.float64), self.axes)


def projected_covariance(variance: Array, directions: Array) -> Array:
    """Covariance (k, k) of a diagonal Gaussian with `variance` (D,) along the rows of `directions` (k, D).

    A linear map W sends N(mu, diag(v)) to N(W mu, W diag(v) W^T), so for principal components this is exact.

    Raises:
        ValueError: other shapes.

    >>> projected_covariance(np.array([1.0, 4.0]), np.eye(2)).tolist()
    [[1.0, 0.0], [0.0, 4.0]]
    """
    variance, directions = np.asarray(variance), np.asarray(directions)
    if variance.ndim != 1 or directions.ndim != 2 or directions.shape[1] != len(variance):
        raise ValueError(f"variance must be (D,) and directions (k, D), got {variance.shape} and {directions.shape}")
    projected: Array = (directions * variance) @ directions.T
    return projected


def ellipse(covariance: npt.ArrayLike, deviations: float = 1.0) -> tuple[float, float, float]:
    """Width, height (whole axes) and angle in degrees of the points `deviations` standard deviations from the mean.

    The axes are 2 * deviations * sqrt(eigenvalues of `covariance`), the first along the leading eigenvector. Raises
    ValueError if `covariance` is not a symmetric (2, 2) matrix without negative eigenvalues.

    >>> ellipse([[1.0, 0.0], [0.0, 4.0]])
    (4.0, 2.0, 90.0)
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (2, 2) or not np.allclose(matrix, matrix.T):
        raise ValueError(f"covariance must be a symmetric (2, 2) matrix, got {matrix.tolist()}")
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-9 * max(1.0, values[1]):
        raise ValueError(f"covariance has the negative eigenvalue {values[0]:g}")
    width, height = 2 * deviations * np.sqrt(values.clip(min=0))[::-1]
    return float(width), float(height), float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180)


def ellipse_patch(mean: npt.ArrayLike, covariance: npt.ArrayLike, deviations: float = 1.0, **style: Any) -> Ellipse:
    """The :func:`ellipse` around `mean` (2,) as a matplotlib patch; `style` goes to it."""
    patches = require("matplotlib.patches", "notebooks")
    x, y = np.asarray(mean, dtype=np.float64)
    width, height, angle = ellipse(covariance, deviations)
    found: Ellipse = patches.Ellipse((float(x), float(y)), width, height, angle=angle, fill=False, **style)
    return found


@dataclass(frozen=True)
class Cloud:
    """Points of one modality in a plane.

    >>> cloud = Cloud(np.array([[0, 0], [2, 0], [9, 9.0]]), np.array([7, 7, 8]))
    >>> cloud.gaussian(7)[0].tolist()
    [1.0, 0.0]
    """

    points: Array
    """(N, 2)"""
    person_ids: Array
    """(N,)"""
    covariances: Mapping[int, Array] | None = None
    """Person id to (2, 2), where the spread is known otherwise; None: that of the person's points."""

    def gaussian(self, person: int) -> tuple[Array, Array]:
        """Mean (2,) and covariance (2, 2), divided by n, of a person.

        Raises:
            KeyError: there is no point of this person.
        """
        own = self.points[self.person_ids == person]
        if len(own) == 0:
            raise KeyError(f"no point of person {person}")
        mean = own.mean(axis=0)
        if self.covariances is not None:
            return mean, self.covariances[person]
        return mean, (own - mean).T @ (own - mean) / len(own)


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

    Raises:
        ValueError: one of `people` is not among `person_ids`, or `variance` is no matrix of finite numbers.

    >>> from matplotlib.figure import Figure
    >>> rows = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    >>> axes = plot_gaussians(Plane.of(rows), rows, 0.1 * np.ones((3, 3)), [7, 7, 8], Figure().add_subplot(), [7])
    >>> len(axes.patches)  # the ellipse of person 7
    1
    """
    to_rgba = require("matplotlib.colors", "notebooks").to_rgba
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
        covariance = plane.covariance(variances[mine[0]])
        centres = points[mine].mean(axis=0, keepdims=True) if cloud is None else points[mine]
        for centre in centres:
            axes.add_patch(ellipse_patch(centre, covariance, sigmas, color=colour, lw=1.2, zorder=3))
        marker = MARKERS[number % len(MARKERS)]
        axes.scatter(points[mine, 0], points[mine, 1], s=24, color=colour, marker=marker, label=str(person), zorder=4)
    first, second = (round(100 * part) for part in plane.share)
    axes.set(xlabel=f"first component ({first}% of variance)", ylabel=f"second ({second}%)")
    return axes


def people_in_plane(
    images: Cloud, texts: Cloud, people: Sequence[int], axes: Axes, deviations: float = 1.0, colours: Any = None
) -> Axes:
    """Both modalities, everybody in grey and `people` in colour with an ellipse for each modality of each.

    Pictures are dots with a full line, captions crosses with a dashed one. `colours` default to the axes' cycle. Raises
    KeyError for one of `people` without a point.

    >>> from matplotlib.figure import Figure
    >>> cloud = Cloud(np.array([[0, 0], [2, 1], [9, 9.0]]), np.array([7, 7, 8]))
    >>> axes = people_in_plane(cloud, cloud, [7], Figure().add_subplot())
    >>> len(axes.patches)  # an ellipse of the pictures, one of the captions
    2
    """
    to_rgba = require("matplotlib.colors", "notebooks").to_rgba
    for cloud, marker, name, dash in ((images, "o", "pictures", "-"), (texts, "x", "captions", "--")):
        axes.scatter(cloud.points[:, 0], cloud.points[:, 1], s=7, marker=marker, color="0.8", linewidths=0.6, zorder=1)
        axes.plot([], [], marker=marker, linestyle=dash, color="0.35", markersize=4, label=name)
        for number, person in enumerate(people):
            # Resolved here: a scatter would look up "C0" only when it is drawn, perhaps under another style.
            colour = to_rgba(f"C{number}" if colours is None else colours[number])
            own = cloud.points[cloud.person_ids == person]
            axes.scatter(own[:, 0], own[:, 1], s=14, marker=marker, color=[colour], linewidths=1.0, zorder=3)
            look: dict[str, Any] = {"edgecolor": colour, "linestyle": dash, "linewidth": 1.3, "zorder": 2}
            axes.add_patch(ellipse_patch(*cloud.gaussian(person), deviations, **look))
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(frameon=False, loc="best", fontsize=8)
    return axes


def as_matrix(name: str, value: Any) -> Floats:
    """`value` as a finite float64 matrix, else ValueError naming it."""
    rows = np.asarray(value, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape or not np.isfinite(rows).all():
        raise ValueError(f"{name} must be a non-empty matrix of finite numbers, got shape {rows.shape}")
    return rows
