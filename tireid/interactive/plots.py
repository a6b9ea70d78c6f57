"""Plots in one place and one style: each a function of arrays to an Axes; :func:`show` adds the alternative text.

seaborn's `colorblind` palette throughout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pandas as pd
import torch
from PIL import Image

from tireid.data import IMAGE_MEAN, IMAGE_STD

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@contextmanager
def plot_style() -> Iterator[None]:
    """The project's look, for the figures drawn inside the block."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    look = sns.axes_style("whitegrid") | sns.plotting_context("notebook", font_scale=0.85)
    look |= {"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 90, "savefig.bbox": "tight"}
    with plt.rc_context(look), sns.color_palette("colorblind"):
        yield


def show(figure: Figure, alt: str) -> None:
    """Display `figure` in a notebook with `alt` as its alternative text (in the output's metadata), then close it.

    Raises ValueError when `alt` is empty.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty: say in words what the figure shows")
    display(figure, metadata={"image/png": {"alt": alt}})  # type: ignore[no-untyped-call]
    plt.close(figure)


def curves(history: pd.DataFrame, names: Mapping[str, str], axes: Axes, x: str = "epoch", y: str = "value") -> Axes:
    """One line per column of `history` that `names` maps to a label; rows without a value are passed over.

    `history` is `TrainingRun.history`; `x` and `y` name the axes. Raises KeyError for a column that is not there.
    """
    for column, label in names.items():
        rows = history.dropna(subset=[column])
        axes.plot(rows[x], rows[column], label=label, marker="o" if len(rows) < 30 else None, markersize=3)
    axes.set(xlabel=x, ylabel=y)
    axes.legend(frameon=False)
    return axes


def bars(table: pd.DataFrame, axes: Axes, order: Sequence[str] | None = None, y: str = "percent") -> Axes:
    """Grouped bars: columns of `table` along the axis, one bar per row, values written above."""
    columns = list(order or table.columns)
    width = 0.8 / len(table)
    for number, (label, row) in enumerate(table.iterrows()):
        positions = [i + (number - (len(table) - 1) / 2) * width for i in range(len(columns))]
        drawn = axes.bar(positions, [float(row[c]) for c in columns], width * 0.95, label=str(label))
        axes.bar_label(drawn, fmt="%.0f", fontsize=8)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_ylabel(y)
    axes.grid(axis="x", visible=False)
    axes.legend(frameon=False)
    return axes


def picture_grid(pixel_values: torch.Tensor, columns: int = 8) -> Image.Image:
    """Normalised pictures (N, 3, H, W) side by side, as a model sees them, on a light ground."""
    pictures = denormalize(pixel_values).permute(0, 2, 3, 1).numpy()
    n, height, width, _ = pictures.shape
    rows, gap = -(-n // columns), 4
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), (235, 235, 235))
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), ((i % columns) * (width + gap), (i // columns) * (height + gap)))
    return sheet


def denormalize(pixel_values: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) floats in CLIP's scale back to uint8."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
    return ((pixel_values.cpu() * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)


def show_picture(picture: Image.Image, alt: str) -> None:
    """Display a PIL picture with `alt` as its alternative text. Raises ValueError when `alt` is empty."""
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty: say in words what the picture shows")
    display(picture, metadata={"image/png": {"alt": alt}})  # type: ignore[no-untyped-call]
