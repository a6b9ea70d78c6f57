"""A map of pictures and captions; results, query and ellipses are drawn over it as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tireid.basics.extras import extra, require
from tireid.show.cards import data_address, safe
from tireid.show.plane import Array, Floats, Plane, ellipse
from tireid.show.plots import PALETTE

Ints = npt.NDArray[np.int64]
WIDTH, HEIGHT, MARGIN, NEIGHBOURS = 560, 420, 0.04, 10
PEOPLE = 5
"""So many of the results' people have an ellipse."""


@dataclass(frozen=True)
class PictureMap:
    """Everything's place in a plane, as shares of its width and height in 0..1 from the lower left corner."""

    name: str
    pictures: Floats
    """(N, 2)"""
    captions: Floats
    """(M, 2)"""
    features: Array
    """(N, D) of the pictures."""
    plane: Plane | None
    """Of principal components; None where the map has no formula."""
    low: Floats
    high: Floats

    @classmethod
    def of(cls, name: str, pictures: Array, captions: Array) -> PictureMap:
        """Principal components ("PCA") or UMAP of pictures (N, D) and captions (M, D), in one plane.

        Raises ValueError for fewer than three pictures and captions, or for a name that is neither.
        """
        both = np.concatenate([pictures, captions])
        if len(both) < 3:
            raise ValueError(f"a map needs three pictures or captions, this gallery has {len(both)}")
        plane = None
        if name == "PCA":
            plane = Plane.of(both)
            points = plane.project(both)
        elif name == "UMAP":
            points = _umap(both)
        else:
            raise ValueError(f"the map is PCA or UMAP, not {name!r}")
        low, high = points.min(axis=0), points.max(axis=0)
        room = MARGIN * np.maximum(high - low, 1e-9)
        low, high = low - room, high + room
        shares = (points - low) / (high - low)
        return cls(name, shares[: len(pictures)], shares[len(pictures) :], pictures, plane, low, high)

    def place(self, query: Floats) -> Floats:
        """(2,) of a query (D,) of length one.

        In a plane of principal components this is its projection. UMAP has no formula: the query stands at the mean of
        its nearest pictures, each weighted by its similarity, which is where UMAP itself begins to place a new point
        (McInnes et al., arXiv 1802.03426, section 3.2, of which the optimisation is left out).
        """
        if self.plane is not None:
            shares = (self.plane.project(query) - self.low) / (self.high - self.low)
            inside: Floats = np.clip(shares, 0, 1)
            return inside
        scores = self.features @ query.astype(np.float32)
        best = np.argsort(-scores)[:NEIGHBOURS]
        weights = np.exp(NEIGHBOURS * (scores[best] - scores[best].max()))
        mean: Floats = np.average(self.pictures[best], axis=0, weights=weights)
        return mean

    def inside(self, region: Sequence[float]) -> Ints:
        """Rows of the pictures within a region, in shares of 0..1; none for an empty one.

        [left, right, bottom, top], or the corners [x, y, x, y, ...] of a polygon of three or more.
        """
        if not region:
            return np.zeros(0, np.int64)
        x, y = self.pictures.T
        if len(region) == 4:
            left, right, bottom, top = region
            inside = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        else:
            outline = require("matplotlib.path", "notebooks").Path(np.reshape(region, (-1, 2)))
            inside = outline.contains_points(self.pictures)
        rows: Ints = np.flatnonzero(inside)
        return rows


def _background(places: PictureMap) -> str:
    """All pictures and captions as small marks: a data address of a PNG of `WIDTH` x `HEIGHT`."""
    figure = require("matplotlib.figure", "notebooks").Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    marks: tuple[tuple[Floats, dict[str, Any]], ...] = (
        (places.captions, {"marker": "x", "color": "#a06a00", "linewidths": 0.6, "alpha": 0.5}),
        (places.pictures, {"marker": "o", "color": "#5f6b76", "linewidths": 0, "alpha": 0.7}),
    )
    for points, look in marks:
        axes.scatter(points[:, 0], points[:, 1], s=9, **look)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_axis_off()
    return data_address(figure, "PNG", facecolor="white")


def map_html(
    places: PictureMap, query: Floats | None, rows: Ints, people: npt.NDArray[Any] | None, region: Sequence[float]
) -> str:
    """The map as a picture under its :func:`marks`."""
    alt = map_words(places, query, rows)
    return (
        f'<div style="position:relative;max-width:{WIDTH}px">'
        f'<img alt="{safe(alt)}" src="{_background(places)}" style="width:100%;display:block">'
        f'<svg aria-hidden="true" viewBox="0 0 {WIDTH} {HEIGHT}" style="position:absolute;inset:0;width:100%">'
        f'{marks(places, query, rows, people, region)}</svg></div><p aria-hidden="true">{safe(alt)}.</p>'
    )


def marks(
    places: PictureMap, query: Floats | None, rows: Ints, people: npt.NDArray[Any] | None, region: Sequence[float]
) -> str:
    """SVG of `WIDTH` x `HEIGHT`: results as numbers, the query as a star, their people as ellipses, and the region.

    An ellipse covers two standard deviations of the person's pictures in this plane.
    """
    shapes = [] if people is None else _ellipses(places, rows, people)
    if region:
        if len(region) == 4:
            left, right, bottom, top = region
            region = [left, bottom, right, bottom, right, top, left, top]
        corners = np.reshape(region, (-1, 2))
        points = " ".join("{:.1f},{:.1f}".format(*_pixels(corner)) for corner in corners)
        shapes.append(f'<polygon points="{points}" fill="#1565c0" fill-opacity="0.08" stroke="#1565c0"/>')
    shapes += [_number(places.pictures[place], number) for number, place in reversed(list(enumerate(rows, start=1)))]
    if query is not None:
        x, y = _pixels(query)
        shapes.append(f'<path d="{_star(x, y)}" fill="#c0262d" stroke="#fff" stroke-width="1.5"/>')
    return "".join(shapes)


def map_words(places: PictureMap, query: Floats | None, rows: Ints) -> str:
    """What the map shows, in words; the query's place in percent of width and height."""
    axes = "" if places.plane is None else f" ({places.plane.share.sum():.0%} of the variance)"
    where = "" if query is None else f"; the query (red star) at {query[0]:.0%} across, {query[1]:.0%} up"
    results = f"; results as numbers 1 to {len(rows)}" if len(rows) else ""
    captions = f" and {len(places.captions)} captions (crosses)" if len(places.captions) else ""
    return f"{places.name}{axes} of {len(places.pictures)} pictures (dots){captions}{where}{results}"


def _ellipses(places: PictureMap, rows: Ints, people: npt.NDArray[Any]) -> list[str]:
    shown = list(dict.fromkeys(int(people[place]) for place in rows))[:PEOPLE]
    shapes = []
    for person, colour in zip(shown, PALETTE, strict=False):
        points = np.array([_pixels(point) for point in places.pictures[people == person]])
        if len(points) < 2:
            continue
        x, y = points.mean(axis=0)
        width, height, angle = ellipse(np.cov(points.T, bias=True), 2)
        shapes.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{width / 2:.1f}" ry="{height / 2:.1f}" fill="none" '
            f'stroke="{colour}" stroke-width="2" transform="rotate({angle:.1f} {x:.1f} {y:.1f})">'
            f"<title>person {person}</title></ellipse>"
        )
    return shapes


def _number(point: Floats, number: int) -> str:
    x, y = _pixels(point)
    halo = 'stroke="#fff" stroke-width="3" paint-order="stroke"'
    return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#111" {halo}>{number}</text>'


def _star(x: float, y: float) -> str:
    angles = np.arange(10) * np.pi / 5
    lengths = np.where(np.arange(10) % 2 == 0, 9.0, 9.0 / 2.4)
    corners = [f"{x + r * np.sin(a):.1f},{y - r * np.cos(a):.1f}" for a, r in zip(angles, lengths, strict=True)]
    return f"M{' L'.join(corners)} Z"


def _pixels(point: Sequence[float] | Floats) -> tuple[float, float]:
    return float(point[0]) * WIDTH, (1 - float(point[1])) * HEIGHT


def _umap(features: Array) -> Floats:
    with extra("maps"):
        from umap import UMAP
    neighbours = min(15, len(features) - 1)
    start = "spectral" if len(features) > 10 else "random"  # the spectral one needs more points than it has dimensions
    mapper = UMAP(n_neighbors=neighbours, metric="cosine", init=start, random_state=0, n_jobs=1)
    points: Floats = np.asarray(mapper.fit_transform(features), np.float64)
    return points
