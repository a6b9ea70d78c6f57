"""Plots in one place and one style: each a function of arrays to an Axes; :func:`show` adds the alternative text.

seaborn's `colorblind` palette throughout.
"""

from __future__ import annotations

import base64
import io
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

    Its plain text says what was drawn, so that a comparison of outputs notices a plot that lost its data.
    Raises ValueError when `alt` is empty.
    """
    import matplotlib.pyplot as plt

    encoded = io.BytesIO()
    figure.savefig(encoded, format="png")
    _display("image/png", encoded.getvalue(), alt, "\n".join([alt, *map(describe_axes, figure.axes)]))
    plt.close(figure)


def describe_axes(axes: Axes) -> str:
    """What an Axes holds, by kind and number: labels, lines with their points, bars, points, pictures."""
    parts = [f"line of {len(line.get_xdata())} points" for line in axes.lines]  # type: ignore[arg-type]
    parts += [f"{len(axes.patches)} patches"] if axes.patches else []
    parts += [f"collection of {len(group.get_offsets())}" for group in axes.collections]  # type: ignore[arg-type]
    parts += [f"picture {'x'.join(map(str, image.get_size()))}" for image in axes.images]
    return f"  {axes.get_ylabel() or axes.get_title() or 'axes'} over {axes.get_xlabel() or '-'}: {', '.join(parts)}"


def _display(mime: str, encoded: bytes, alt: str, text: str) -> None:
    from IPython.display import display

    if not alt.strip():
        raise ValueError("alt is empty: say in words what the picture shows")
    bundle = {mime: base64.b64encode(encoded).decode(), "text/plain": text}
    display(bundle, raw=True, metadata={mime: {"alt": alt}})  # type: ignore[no-untyped-call]


def curves(history: pd.DataFrame, names: Mapping[str, str], axes: Axes, x: str = "epoch", y: str = "value") -> Axes:
    """One line per column of `history` that `names` maps to a label; rows without a value are passed over.

    `history` is `TrainingRun.history`; `x` and `y` name the axes. Raises KeyError for a column that is not there.
    """
    for column, label in names.items():
        rows = history.dropna(subset=[column])
        axes.plot(rows[x], rows[column], label=label, marker="o" if len(rows) < 30 else None, markersize=3)
    axes.set(xlabel=x, ylabel=y)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the lines, never on them
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
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, format="JPEG", quality=90)
    _display("image/jpeg", encoded.getvalue(), alt, f"{alt}\n  {picture.width} x {picture.height} pixels")
