"""The map's geometry, against independent computations."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tireid.show.picture_map import HEIGHT, WIDTH, PictureMap, map_html


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((30, 6)) * [3, 2, 1, 1, 1, 1]
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def layout(features: np.ndarray) -> PictureMap:
    return PictureMap.of("PCA", features[:20], features[20:])


def test_places_are_principal_components_up_to_scale(layout: PictureMap, features: np.ndarray) -> None:
    expected = PCA(2, svd_solver="full").fit_transform(features.astype(np.float64))
    shares = np.concatenate([layout.pictures, layout.captions])
    for axis in range(2):
        assert abs(np.corrcoef(shares[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1, abs=1e-6)
    assert 0 < shares.min() < shares.max() < 1


def test_a_query_lies_where_its_feature_does(layout: PictureMap, features: np.ndarray) -> None:
    np.testing.assert_allclose(layout.place(features[3].astype(np.float64)), layout.pictures[3], atol=1e-6)
    assert layout.place(100 * features[3].astype(np.float64)).max() <= 1


def test_without_a_formula_it_stands_among_its_nearest_pictures(features: np.ndarray) -> None:
    grid = np.random.default_rng(1).random((20, 2))
    free = PictureMap("UMAP", grid, np.zeros((0, 2)), features[:20], None, np.zeros(2), np.ones(2))
    query = features[5].astype(np.float64)
    scores = features[:20].astype(np.float64) @ query
    best = sorted(range(20), key=lambda row: -scores[row])[:10]
    weights = [np.exp(10 * scores[row]) for row in best]
    expected = sum(w * grid[row] for w, row in zip(weights, best, strict=True)) / sum(weights)
    np.testing.assert_allclose(free.place(query), expected, atol=1e-5)


def test_a_region_holds_what_lies_inside(layout: PictureMap) -> None:
    left, bottom = np.quantile(layout.pictures, 0.25, axis=0)
    region = [float(left), 1.0, float(bottom), 1.0]
    expected = [row for row, (x, y) in enumerate(layout.pictures) if x >= left and y >= bottom]
    assert layout.inside(region).tolist() == expected
    assert 0 < len(expected) < 20
    assert layout.inside([]).tolist() == []


def test_marks_are_drawn_at_their_places(layout: PictureMap) -> None:
    people = np.repeat([1, 2], 10)
    page = map_html(layout, np.array([0.25, 0.5]), np.array([3, 12]), people, [0.1, 0.2, 0.3, 0.4])
    for number, row in ((1, 3), (2, 12)):
        x, y = layout.pictures[row]
        assert f'<text x="{x * WIDTH:.1f}" y="{(1 - y) * HEIGHT + 4:.1f}"' in page
        assert f">{number}</text>" in page
    assert f"M{0.25 * WIDTH:.1f},{0.5 * HEIGHT - 9:.1f}" in page
    left, right, bottom, top = 0.1 * WIDTH, 0.2 * WIDTH, 0.7 * HEIGHT, 0.6 * HEIGHT
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    assert " ".join(f"{x:.1f},{y:.1f}" for x, y in corners) in page
    assert len(re.findall("<ellipse", page)) == 2
    pixels = layout.pictures[:10] * [WIDTH, -HEIGHT]
    length = 2 * np.sqrt(np.linalg.eigvalsh(np.cov(pixels.T, bias=True))[-1])
    assert float(re.search(r'<ellipse[^>]*rx="([\d.]+)"', page)[1]) == pytest.approx(length, abs=0.06)


def test_what_cannot_be_drawn_is_said(features: np.ndarray) -> None:
    with pytest.raises(ValueError, match="three pictures or captions, this gallery has 2"):
        PictureMap.of("PCA", features[:1], features[:1])
    with pytest.raises(ValueError, match="PCA or UMAP, not 'tsne'"):
        PictureMap.of("tsne", features, features[:0])


@pytest.mark.slow
def test_umap_keeps_neighbours_and_repeats(features: np.ndarray) -> None:
    clusters = np.repeat(features[:3], 12, axis=0) + 0.01 * np.random.default_rng(2).standard_normal((36, 6))
    first, again = (PictureMap.of("UMAP", clusters.astype(np.float32), features[:0]) for _ in range(2))
    np.testing.assert_array_equal(first.pictures, again.pictures)
    for row, point in enumerate(first.pictures):
        nearest = np.argsort(((first.pictures - point) ** 2).sum(axis=1))[1]
        assert nearest // 12 == row // 12
