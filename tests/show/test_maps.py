"""The plots of the embedding space, from arrays."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from tireid.show.maps import (
    Cloud,
    attention_overlay,
    ellipse,
    interval_plot,
    people_in_plane,
    projected_covariance,
)


def covariance(seed: int = 0) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(2, 2))
    return a @ a.T


def test_axes_of_the_ellipse_are_two_standard_deviations_long() -> None:
    matrix = covariance()
    shape = ellipse(np.array([3.0, -1.0]), matrix)
    low, high = np.linalg.eigvalsh(matrix)
    assert (shape.width, shape.height) == pytest.approx((2 * np.sqrt(high), 2 * np.sqrt(low)))
    assert tuple(shape.center) == (3.0, -1.0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("deviations", [1.0, 2.5])
def test_every_point_of_the_ellipse_has_the_same_mahalanobis_distance(seed: int, deviations: float) -> None:
    mean, matrix = np.array([0.5, 2.0]), covariance(seed)
    turns = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    points = ellipse(mean, matrix, deviations).get_patch_transform().transform(circle) - mean
    distance = np.sqrt(np.einsum("ni,ij,nj->n", points, np.linalg.inv(matrix), points))
    np.testing.assert_allclose(distance, deviations)


def test_a_degenerate_cloud_is_a_line_and_bad_matrices_are_refused() -> None:
    shape = ellipse(np.zeros(2), np.array([[0.0, 0.0], [0.0, 4.0]]))
    assert (shape.width, shape.height) == (4.0, 0.0)
    assert abs(shape.angle) % 180 == pytest.approx(90)
    with pytest.raises(ValueError, match="symmetric"):
        ellipse(np.zeros(2), np.array([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="negative eigenvalue"):
        ellipse(np.zeros(2), np.diag([1.0, -1.0]))


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


def test_attention_covers_the_whole_picture_with_the_given_scale() -> None:
    figure, axes = plt.subplots()
    attention = np.arange(12.0).reshape(4, 3)
    heat = attention_overlay(np.zeros((32, 24, 3), np.uint8), attention, axes, highest=20.0)
    assert heat.get_extent() == [0, 24, 32, 0]
    assert heat.get_clim() == (0, 20.0)
    np.testing.assert_array_equal(heat.get_array(), attention)
    assert axes.images[0].get_extent() == heat.get_extent()
    with pytest.raises(ValueError, match="expected a picture"):
        attention_overlay(np.zeros((32, 24), np.uint8), attention, axes)
    plt.close(figure)


def test_intervals_that_leave_out_zero_are_filled() -> None:
    table = pd.DataFrame(
        {"estimate": [0.2, 0.1, -0.3], "low": [0.1, -0.1, -0.5], "high": [0.3, 0.3, -0.1]}, index=["a", "b", "c"]
    )
    figure, axes = plt.subplots()
    interval_plot(table, axes, "rho")
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == ["C0", "white", "C0"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [0.2, 0.1, -0.3]  # type: ignore[index]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_color() == "C0"]
    assert [list(map(float, bar.get_xdata())) for bar in bars] == [[0.1, 0.3], [-0.1, 0.3], [-0.5, -0.1]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    plt.close(figure)
