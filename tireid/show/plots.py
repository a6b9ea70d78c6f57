"""Plots in one place and one style: each a function of arrays to an Axes; :func:`show` adds the alternative text.

The palette is seaborn's `colorblind` throughout, whose colours people with any colour vision can tell apart.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from tireid.basics.extras import require
from tireid.data import IMAGE_MEAN, IMAGE_STD
from tireid.show.plane import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

PALETTE = (
    "#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9",
)  # fmt: skip
STYLE = Path(__file__).with_name("tireid.mplstyle")


@contextmanager
def plot_style() -> Iterator[None]:
    """The project's look, for the figures drawn inside the block.

    >>> import matplotlib.pyplot as plt
    >>> with plot_style():
    ...     print(plt.rcParams["axes.spines.top"])
    ...
    False
    """
    with require("matplotlib.style", "notebooks").context(STYLE):
        yield


def show(figure: Figure, alt: str) -> None:
    """Display `figure` in a notebook with `alt` as its alternative text (in the output's metadata), then close it.

    Its plain text says what was drawn, so that a comparison of outputs notices a plot that lost its data.
    Raises ValueError when `alt` is empty.
    """
    _display("image/png", png(figure), alt, "\n".join([alt, *map(describe_axes, figure.axes)]))
    require("matplotlib.pyplot", "notebooks").close(figure)


def png(figure: Figure) -> bytes:
    """The figure as a PNG. One without colour maps needs at most 256 colours, and a third of the bytes."""
    drawn, encoded = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(drawn).convert("RGB")
    mapped = any(axes.images or any(part.get_array() is not None for part in axes.collections) for axes in figure.axes)
    few = picture if mapped else picture.quantize(256, dither=Image.Dither.NONE)
    few.save(encoded, "PNG", optimize=True)
    return encoded.getvalue()


def describe_axes(axes: Axes) -> str:
    """What an Axes holds, by kind and number: labels, lines with their points, bars, points, pictures."""
    parts = [f"line of {len(line.get_xdata())} points" for line in axes.lines]  # type: ignore[arg-type]
    parts += [f"{len(axes.patches)} patches"] if axes.patches else []
    parts += [f"collection of {len(group.get_offsets())}" for group in axes.collections]  # type: ignore[arg-type]
    parts += [f"picture {'x'.join(map(str, image.get_size()))}" for image in axes.images]
    return f"  {axes.get_ylabel() or axes.get_title() or 'axes'} over {axes.get_xlabel() or '-'}: {', '.join(parts)}"


def _display(mime: str, encoded: bytes, alt: str, text: str) -> None:
    if not alt.strip():
        raise ValueError("alt is empty: say in words what the picture shows")
    bundle = {mime: base64.b64encode(encoded).decode(), "text/plain": text}
    require("IPython.display", "notebooks").display(bundle, raw=True, metadata={mime: {"alt": alt}})  # type: ignore[no-untyped-call]


def curves(history: pd.DataFrame, names: Mapping[str, str], axes: Axes, x: str = "epoch", y: str = "value") -> Axes:
    """One line per column of `history` that `names` maps to a label; rows without a value are passed over.

    `history` is `TrainingRun.history`; `x` and `y` name the axes. Raises KeyError for a column that is not there.

    >>> import matplotlib.pyplot as plt
    >>> history = pd.DataFrame({"epoch": [1, 2], "val/t2i/R@1": [20.0, 30.0]})
    >>> axes = curves(history, {"val/t2i/R@1": "R@1"}, plt.figure().gca())
    >>> axes.lines[0].get_label(), axes.lines[0].get_ydata().tolist()
    ('R@1', [20.0, 30.0])
    """
    for column, label in names.items():
        rows = history.dropna(subset=[column])
        axes.plot(rows[x], rows[column], label=label, marker="o" if len(rows) < 30 else None, markersize=3)
    axes.set(xlabel=x, ylabel=y)
    axes.locator_params(axis="x", integer=True)  # there is no epoch 1.5
    if names:
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the lines, never on them
    return axes


def bars(table: pd.DataFrame, axes: Axes, order: Sequence[str] | None = None, y: str = "percent") -> Axes:
    """Grouped bars: columns of `table` along the axis, one bar per row, values written above.

    >>> import matplotlib.pyplot as plt
    >>> table = pd.DataFrame({"R@1": [20.0, 30.0]}, index=["before", "after"])
    >>> [float(bar.get_height()) for bar in bars(table, plt.figure().gca()).patches]
    [20.0, 30.0]
    """
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


def plot_similarities(
    positive: npt.ArrayLike, negative: npt.ArrayLike, axes: Axes, target: float | None = None, bins: int = 50
) -> Axes:
    """Histograms (densities) of cosines of positive and of negative pairs, and a line at `target` if given.

    >>> from matplotlib.figure import Figure
    >>> axes = plot_similarities([0.7, 0.8], [0.1, 0.2, 0.3], Figure().add_subplot())
    >>> axes.get_xlabel()
    'cosine of image and text'
    """
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


def interval_plot(table: pd.DataFrame, axes: Axes, x: str) -> Axes:
    """One line per row: a dot at column `estimate` and a bar from `low` to `high`; `x` names the quantity.

    A row whose interval leaves out 0 is drawn filled, the others hollow; a column `sure`, if there is one, decides
    instead.

    >>> import matplotlib.pyplot as plt
    >>> table = pd.DataFrame({"estimate": [2.0], "low": [1.0], "high": [3.0]}, index=["longer caption"])
    >>> interval_plot(table, plt.figure().gca(), "points").get_xlabel()
    'points'
    """
    for place, (_, row) in enumerate(table.iterrows()):
        sure = row.get("sure", row["low"] > 0 or row["high"] < 0)
        axes.plot([row["low"], row["high"]], [place, place], color="C0", linewidth=1.5)
        axes.plot(row["estimate"], place, "o", color="C0", markerfacecolor="C0" if sure else "white", markersize=6)
    axes.axvline(0, color="0.4", linewidth=1)
    axes.set_yticks(range(len(table)), [str(name) for name in table.index])
    axes.invert_yaxis()
    axes.set_xlabel(x)
    axes.grid(axis="y", visible=False)
    return axes


def attention_overlay(picture: Array, attention: Array, axes: Axes, highest: float | None = None) -> AxesImage:
    """Attention (h, w) over the patches of a picture uint8 (H, W, 3), as a heat map that lets the picture through.

    `highest` is the attention of the strongest colour (default: the largest); give several maps the same one to
    compare them. Each patch is drawn as the square it is. Returns the heat map, for a colour bar.

    Raises:
        ValueError: other shapes.

    >>> from matplotlib.figure import Figure
    >>> drawn = attention_overlay(np.zeros((96, 32, 3), np.uint8), np.eye(4, 2), Figure().add_subplot())
    >>> drawn.get_array().shape
    (4, 2)
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or attention.ndim != 2:
        raise ValueError(f"expected a picture (H, W, 3) and attention (h, w), got {picture.shape}, {attention.shape}")
    height, width = picture.shape[:2]
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
    axes.imshow((0.5 * picture + 0.5 * grey).astype(np.uint8), extent=(0, width, height, 0))
    heat = axes.imshow(
        attention,
        extent=(0, width, height, 0),
        cmap="inferno",
        alpha=0.6,
        vmin=0,
        vmax=float(attention.max()) if highest is None else highest,
        interpolation="nearest",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    return heat


def picture_grid(pixel_values: torch.Tensor, columns: int = 8) -> Image.Image:
    """Normalised pictures (N, 3, H, W) side by side, as a model sees them, on a light ground.

    >>> picture_grid(torch.zeros(3, 3, 96, 32), columns=2).size
    (68, 196)
    """
    pictures = denormalize(pixel_values).permute(0, 2, 3, 1).numpy()
    n, height, width, _ = pictures.shape
    rows, gap = -(-n // columns), 4
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), (235, 235, 235))
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture), ((i % columns) * (width + gap), (i // columns) * (height + gap)))
    return sheet


def denormalize(pixel_values: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) floats in CLIP's scale back to uint8.

    >>> denormalize(torch.zeros(1, 3, 1, 1)).flatten().tolist()  # the mean colour
    [123, 117, 104]
    """
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
    return ((pixel_values.cpu() * std + mean).clamp(0, 1) * 255).round().to(torch.uint8)


def show_picture(picture: Image.Image, alt: str) -> None:
    """Display a PIL picture with `alt` as its alternative text. Raises ValueError when `alt` is empty."""
    encoded = io.BytesIO()
    picture.convert("RGB").save(encoded, format="JPEG", quality=90)
    _display("image/jpeg", encoded.getvalue(), alt, f"{alt}\n  {picture.width} x {picture.height} pixels")
