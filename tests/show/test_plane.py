"""The plane and its ellipses, against scikit-learn and against samples."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from sklearn.decomposition import PCA

from tireid.show.plane import Plane, ellipse, plot_gaussians, plot_similarities

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
    width, height, angle = ellipse(covariance)
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


def test_histograms_are_densities_with_a_target() -> None:
    axes = Figure().subplots()
    plot_similarities([[0.5, 0.6]], [0.1], axes, target=0.75)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["negative pairs", "positive pairs", "target 1 - m = 0.75"]
    assert axes.get_xlabel()


def test_bad_matrices_are_named() -> None:
    with pytest.raises(ValueError, match="features must be a non-empty matrix of finite numbers"):
        Plane.of([[1.0, float("nan")]] * 3)
    with pytest.raises(ValueError, match="at least 3 rows"):
        Plane.of([[1.0, 2.0]] * 2)
