"""The plane and its ellipses, against scikit-learn and against samples."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn.decomposition import PCA

from tireid.show.plane import (
    Cloud,
    Plane,
    ellipse,
    ellipse_patch,
    people_in_plane,
    plot_gaussians,
    projected_covariance,
)

RNG = np.random.default_rng(3)
FEATURES = RNG.standard_normal((40, 6)) * [5, 3, 1, 1, 1, 1] + 7


def test_plane_is_that_of_scikit_learn() -> None:
    plane, reference = Plane.of(FEATURES), PCA(2).fit(FEATURES)
    theirs, mine = reference.transform(FEATURES), plane.project(FEATURES)
    signs = np.sign((theirs * mine).sum(axis=0))
    np.testing.assert_allclose(mine * signs, theirs, atol=1e-9)
    np.testing.assert_allclose(plane.share, reference.explained_variance_ratio_)


def test_plane_does_not_flip() -> None:
    plane = Plane.of(FEATURES)
    for axis, mirrored in zip(plane.axes, Plane.of(-FEATURES).axes, strict=True):
        np.testing.assert_allclose(axis, mirrored, atol=1e-9)
        assert axis[np.abs(axis).argmax()] > 0


def test_covariance_is_that_of_projected_samples() -> None:
    plane, variance = Plane.of(FEATURES), np.array([1.0, 4.0, 0.5, 2.0, 1.0, 3.0])
    draws = RNG.standard_normal((200_000, 6)) * np.sqrt(variance)
    np.testing.assert_allclose(plane.covariance(variance), np.cov(plane.project(draws).T), atol=0.05)


def test_ellipse_of_two_sigma_holds_86_percent_of_a_gaussian() -> None:
    covariance = np.array([[2.0, 1.2], [1.2, 1.5]])
    width, height, angle = ellipse(covariance, 2)
    draws = RNG.multivariate_normal([0, 0], covariance, 100_000)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = draws @ np.array([[cos, -sin], [sin, cos]])
    inside = np.mean((turned[:, 0] / (width / 2)) ** 2 + (turned[:, 1] / (height / 2)) ** 2 < 1)
    assert inside == pytest.approx(1 - np.exp(-2), abs=0.005)


def test_everyone_has_an_ellipse_around_their_mean() -> None:
    ids, axes = np.repeat(np.arange(10), 4), Figure().subplots()
    plane = Plane.of(FEATURES)
    plot_gaussians(plane, FEATURES, np.ones_like(FEATURES), ids, axes, [2, 5])
    ellipses = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert len(ellipses) == 2
    np.testing.assert_allclose(ellipses[1].center, plane.project(FEATURES[ids == 5]).mean(axis=0))
    assert ellipses[0].width == pytest.approx(4)  # a unit sphere stays a circle
    assert ellipses[0].height == pytest.approx(4)
    axes = Figure().subplots()
    plot_gaussians(plane, FEATURES, np.ones_like(FEATURES), ids, axes, [2, 5], draws=FEATURES[None])
    centres = [patch.center for patch in axes.patches if isinstance(patch, Ellipse)]
    np.testing.assert_allclose(centres[:4], plane.project(FEATURES[ids == 2]))
    assert len(centres) == 8
    with pytest.raises(ValueError, match="person 77 is not"):
        plot_gaussians(plane, FEATURES, np.ones_like(FEATURES), ids, axes, [77])


def test_bad_matrices_are_named() -> None:
    with pytest.raises(ValueError, match="features must be a non-empty matrix of finite numbers"):
        Plane.of([[1.0, float("nan")]] * 3)
    with pytest.raises(ValueError, match="at least 3 rows"):
        Plane.of([[1.0, 2.0]] * 2)


def covariance(seed: int = 0) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(2, 2))
    return a @ a.T


def test_axes_of_the_ellipse_are_two_standard_deviations_long() -> None:
    matrix = covariance()
    shape = ellipse_patch(np.array([3.0, -1.0]), matrix)
    low, high = np.linalg.eigvalsh(matrix)
    assert (shape.width, shape.height) == pytest.approx((2 * np.sqrt(high), 2 * np.sqrt(low)))
    assert tuple(shape.center) == (3.0, -1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("deviations", [1.0, 2.5])
def test_every_point_of_the_ellipse_has_the_same_mahalanobis_distance(seed: int, deviations: float) -> None:
    mean, matrix = np.array([0.5, 2.0]), covariance(seed)
    turns = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = ellipse_patch(mean, matrix, deviations).get_patch_transform().transform(circle) - mean
    distance = np.sqrt(np.einsum("ni,ij,nj->n", points, np.linalg.inv(matrix), points))
    np.testing.assert_allclose(distance, deviations)


def test_a_degenerate_cloud_is_a_line_and_bad_matrices_are_refused() -> None:
    shape = ellipse_patch(np.zeros(2), np.array([[0.0, 0.0], [0.0, 4.0]]))
    assert (shape.width, shape.height) == (4.0, 0.0)
    assert abs(shape.angle) % 180 == pytest.approx(90)
    with pytest.raises(ValueError, match="symmetric"):
        ellipse_patch(np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="negative eigenvalue"):
        ellipse_patch(np.zeros(2), np.diag([1.0, -1.0]))


def test_projected_covariance_is_that_of_projected_samples() -> None:
    rng = np.random.default_rng(0)
    variance, directions = rng.uniform(0.1, 2, size=5), rng.normal(size=(2, 5))
    samples = rng.normal(size=(200_000, 5)) * np.sqrt(variance)
    expected = np.cov((samples @ directions.T).T)
    np.testing.assert_allclose(projected_covariance(variance, directions), expected, rtol=0.02, atol=0.02)
    with pytest.raises(ValueError, match="directions"):
        projected_covariance(variance, directions.T)


def test_a_cloud_knows_a_persons_mean_and_covariance() -> None:
    points = np.array([[0.0, 0.0], [2.0, 2.0], [9.0, 9.0]])
    mean, matrix = Cloud(points, np.array([4, 4, 7])).gaussian(4)
    assert mean.tolist() == [1.0, 1.0]
    assert matrix.tolist() == np.cov(points[:2].T, bias=True).tolist()
    own = Cloud(points, np.array([4, 4, 7]), {4: np.eye(2)})
    assert own.gaussian(4)[1].tolist() == np.eye(2).tolist()
    with pytest.raises(KeyError, match="5"):
        own.gaussian(5)


def test_people_in_plane_draws_an_ellipse_per_person_and_modality_in_one_colour() -> None:
    rng = np.random.default_rng(0)
    ids = np.repeat([1, 2, 3], 4)
    images, texts = Cloud(rng.normal(size=(12, 2)), ids), Cloud(rng.normal(size=(12, 2)), ids)
    figure, axes = plt.subplots()
    people_in_plane(images, texts, [1, 3], axes, deviations=2.0)
    shapes = axes.patches
    assert len(shapes) == 4
    first = images.gaussian(1)
    assert shapes[0].width == pytest.approx(4 * np.sqrt(np.linalg.eigvalsh(first[1])[1]))  # type: ignore[attr-defined]
    assert [shape.get_edgecolor() for shape in shapes] == 2 * [to_rgba("C0"), to_rgba("C1")]
    assert [shape.get_linestyle() for shape in shapes] == ["-", "-", "--", "--"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["pictures", "captions"]
    plt.close(figure)


def test_colours_are_those_of_the_style_in_which_it_was_drawn() -> None:
    """Figures are rendered after the style's block has ended."""
    cloud = Cloud(np.random.default_rng(0).normal(size=(4, 2)), np.ones(4))
    with plt.rc_context({"axes.prop_cycle": plt.cycler(color=["#00ff00"])}):
        figure, axes = plt.subplots()
        people_in_plane(cloud, cloud, [1], axes)
    figure.canvas.draw()
    dots = axes.collections[1]
    assert dots.get_facecolor()[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert dots.get_edgecolor()[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    plt.close(figure)
