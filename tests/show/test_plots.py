"""Plots, from arrays."""

from __future__ import annotations

import io
import warnings

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image, ImageChops

from tireid.show.plots import PALETTE, attention_overlay, curves, interval_plot, plot_similarities, plot_style, png


def test_the_style_holds_inside_its_block_only() -> None:
    before = dict(mpl.rcParams)
    with plot_style():
        assert [entry["color"] for entry in mpl.rcParams["axes.prop_cycle"]] == list(PALETTE)
        assert mpl.rcParams["axes.grid"]
        assert not mpl.rcParams["axes.spines.top"]
    assert dict(mpl.rcParams) == before


def test_histograms_are_densities_with_a_target() -> None:
    axes = Figure().subplots()
    plot_similarities([[0.5, 0.6]], [0.1], axes, target=0.75)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["negative pairs", "positive pairs", "target 1 - m = 0.75"]
    assert axes.get_xlabel()


def test_curves_have_ticks_at_whole_epochs() -> None:
    axes = Figure().subplots()
    history = pd.DataFrame({"epoch": [1.0, 2.0, 3.0, 4.0], "val": [10.0, np.nan, 30.0, 40.0]})
    curves(history, {"val": "R@1"}, axes)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1.0, 3.0, 4.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert curves(history, {}, Figure().subplots()).get_legend() is None  # as for a loss without weights


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


@pytest.mark.parametrize(("mapped", "mode"), [(True, "RGB"), (False, "P")])
def test_a_picture_without_colour_maps_has_a_palette_and_looks_the_same(mapped: bool, mode: str) -> None:
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, 1, 0])
    if mapped:
        figure.colorbar(axes.imshow(np.linspace(0, 1, 900).reshape(30, 30)))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(io.BytesIO(png(figure)))
    assert picture.mode == mode
    apart = np.asarray(ImageChops.difference(picture.convert("RGB"), Image.open(drawn).convert("RGB")))
    assert apart.max() <= (0 if mapped else 40)  # of 255, at the soft edges of lines and letters
    assert apart.mean() < 1
    plt.close(figure)
