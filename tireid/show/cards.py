"""Draw ranked pictures: HTML that needs no script and no network, and a matplotlib figure.

Right and wrong are told by a sign and a word as well as by a colour, every picture has an alternative text, and all
text that comes from data is escaped.
"""

from __future__ import annotations

import base64
import io
import textwrap
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tireid.data.images import ImageError, open_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tireid.search.hits import Hit, Hits

COLOURS = {True: "#1b7f3b", False: "#c0262d", None: "#9a9a9a"}
WORDS = {True: "right", False: "wrong"}


@dataclass(frozen=True)
class View:
    """Something to look at: HTML where that can be shown, text elsewhere."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def hits_html(hits: Hits, *, columns: int = 5, width: int = 96) -> str:
    """A grid of thumbnails in rank order, the query first; each with rank, score, sign, person and file name."""
    _check_layout(columns, width)
    cards = "\n".join(_hit_html(hit, width) for hit in hits)
    grid = f"display:grid;grid-template-columns:repeat({columns},{width + 14}px);gap:8px;align-items:start"
    return (
        f'<div style="font-family:sans-serif;font-size:12px;line-height:1.35">\n{_query_html(hits, width)}\n'
        f'<div role="list" style="{grid}">\n{cards}\n</div>\n</div>'
    )


def html_page(title: str, body: str) -> str:
    """A whole page around `body`, which is HTML; `title` is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_safe(title)}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def hits_figure(hits: Hits, *, columns: int = 5, width: float = 1.3) -> Figure:
    """Ranked thumbnails, `width` inches each; the figure belongs to no pyplot state and carries `alt_text`."""
    _check_layout(columns, width)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("figure() needs matplotlib: pip install 'tireid[notebooks]'") from error
    columns = max(1, min(columns, len(hits)))
    rows = max(1, -(-len(hits) // columns))
    figure = Figure(figsize=(columns * width, rows * 3.2 * width + 0.4), layout="constrained")
    title = textwrap.fill(printable(hits.title), max(20, int(14 * columns * width)))
    figure.suptitle(title, fontsize=9).set_parse_math(False)  # text may hold dollar signs
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(hits) :]:
        axis.set_axis_off()
    for axis, hit in zip(axes, hits, strict=False):
        _draw_hit(axis, hit)
    figure.alt_text = ". ".join([printable(hits.title), *(_alt(hit) for hit in hits)])  # type: ignore[attr-defined]
    return figure


def printable(text: str) -> str:
    """Text that can be encoded: file names may hold bytes that are not UTF-8, which are shown as question marks."""
    return text.encode("utf-8", "replace").decode()


def _hit_html(hit: Hit, width: int) -> str:
    # break-word, not anywhere: JupyterLab strips the latter from a notebook that it does not trust yet.
    colour = COLOURS[hit.correct]
    badge = f"background:{colour};color:#fff;padding:0 6px;border-radius:3px"  # readable on light and dark pages
    verdict = "" if hit.correct is None else f'<br><b style="{badge}">{hit.mark} {WORDS[hit.correct]}</b>'
    person = "" if hit.person_id is None else f"<br>person {hit.person_id}"
    return (
        f'<figure role="listitem" style="margin:0;padding:4px;border:3px solid {colour};border-radius:6px;'
        f'text-align:center;overflow-wrap:break-word">{_picture_html(hit.path, _alt(hit), width)}'
        f"<figcaption><b>{hit.rank}</b> · {hit.score:.3f}{verdict}{person}<br>"
        f'<span title="{_safe(hit.name)}">{_safe(hit.name)}</span></figcaption></figure>'
    )


def _query_html(hits: Hits, width: int) -> str:
    picture = "" if hits.image is None else _picture_html(hits.image, "the picture searched for", width)
    return f'<div style="margin:0 0 8px"><b>{_safe(hits.title)}</b><div style="width:{width}px">{picture}</div></div>'


def _picture_html(source: Any, alt: str, width: int) -> str:
    """An embedded JPEG; a labelled box with the path where the picture cannot be read."""
    try:
        picture = _load(source)
    except ImageError:
        label = f"picture missing: {source}"
        return (
            f'<div role="img" aria-label="{_safe(alt)}, {_safe(label)}" style="box-sizing:border-box;width:{width}px;'
            f"height:{3 * width}px;margin:auto;padding:4px;border:1px dashed currentColor;overflow:hidden;"
            f'overflow-wrap:break-word">{_safe(label)}</div>'
        )
    picture.thumbnail((2 * width, 6 * width))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    data = base64.b64encode(buffer.getvalue()).decode()
    source = f"data:image/jpeg;base64,{data}"
    return f'<img alt="{_safe(alt)}" width="{width}" src="{source}" style="display:block;margin:auto">'


def _draw_hit(axis: Any, hit: Hit) -> None:
    try:
        axis.imshow(np.asarray(_load(hit.path)), interpolation="bilinear")
    except ImageError:
        axis.set_box_aspect(3)
        axis.text(0.5, 0.5, "picture\nmissing", ha="center", va="center", transform=axis.transAxes, fontsize=7)
    axis.set_xticks([])
    axis.set_yticks([])
    colour = COLOURS[hit.correct]
    axis.set_title(
        f"{hit.mark} {hit.rank} · {hit.score:.3f}".strip(), fontsize=8, color=colour if hit.mark else "black"
    )
    person = "" if hit.person_id is None else f"person {hit.person_id}\n"
    axis.set_xlabel(person + _shortened(printable(hit.name)), fontsize=6)
    axis.xaxis.label.set_parse_math(False)
    for spine in axis.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(2)


def _alt(hit: Hit) -> str:
    parts = [f"rank {hit.rank}", f"score {hit.score:.3f}"]
    parts += [] if hit.correct is None else [WORDS[hit.correct]]
    parts += [] if hit.person_id is None else [f"person {hit.person_id}"]
    return ", ".join([*parts, printable(hit.name)])


def _load(source: Any) -> Image.Image:
    """A copy of a picture, or the picture at a path."""
    return source.convert("RGB") if isinstance(source, Image.Image) else open_image(source)


def _shortened(name: str, length: int = 24) -> str:
    return name if len(name) <= length else "…" + name[1 - length :]


def _safe(text: str) -> str:
    return escape(printable(text), quote=True)


def _check_layout(columns: int, width: float) -> None:
    if columns < 1 or width <= 0:
        raise ValueError(f"columns must be at least 1 and width positive, not {columns} and {width}")
