"""Draw ranked pictures and captions: HTML that needs no script and no network, text, and a matplotlib figure.

Right and wrong are told by a sign and a word as well as by a colour, every picture has an alternative text, and all
text that comes from data is escaped.
"""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from tireid.basics import terminal
from tireid.basics.extras import extra
from tireid.data.images import ImageError, open_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {True: "#1b7f3b", False: "#c0262d", None: "#9a9a9a"}
"""White text on the first two has a contrast of more than 5:1 (WCAG 2.2 asks for 4.5:1)."""
WORDS = {True: "right", False: "wrong", None: ""}
SIGNS = {True: "✓", False: "✗", None: ""}
PRINT = Path(__file__).with_name("print.css").read_text(encoding="utf-8")
"""How every page of the package is printed: files of searches, reports, and the documentation."""


class Shown(Protocol):
    """A picture that is shown as it is encoded."""

    @property
    def path(self) -> Path | None:
        """Of its file."""

    @property
    def upright(self) -> bool:
        """Whether it is turned as its EXIF orientation says."""


@dataclass(frozen=True)
class Card:
    """One item of a ranked list: a picture, or a caption, which has no path."""

    rank: int
    """From 1."""
    path: Path | None
    name: str
    """Of a picture its path relative to its gallery's folder, with forward slashes; of a caption its text."""
    score: float | None = None
    """Cosine similarity with the query, -1..1."""
    person_id: int | None = None
    correct: bool | None = None
    """Whether it shows the person that was searched for; None where that is not known."""
    upright: bool = field(default=True, kw_only=True, repr=False)
    """Whether its picture is turned as its EXIF orientation says; see :attr:`Split.upright`."""

    @property
    def mark(self) -> str:
        """``✓``, ``✗`` or nothing."""
        return SIGNS[self.correct]

    @property
    def alt(self) -> str:
        """The item in words.

        >>> Card(1, Path("/d/a.jpg"), "a.jpg", 0.71, 7, True).alt
        'rank 1, score 0.710, right, person 7, a.jpg'
        """
        parts = [f"rank {self.rank}", f"score {self.shown_score}", WORDS[self.correct], self.person, self.name]
        return printable(", ".join(part for part in parts if part))

    @property
    def shown_score(self) -> str:
        """With three decimals; a dash where there is none."""
        return "–" if self.score is None else f"{self.score:.3f}"

    @property
    def person(self) -> str:
        """Person and number, or nothing."""
        return "" if self.person_id is None else f"person {self.person_id}"


@dataclass(frozen=True)
class Rendered:
    """Something to look at: HTML where that can be shown, text elsewhere."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}


def folded(summary: str, text: str) -> Rendered:
    """Long text behind a line that opens it; as plain text, all of it.

    >>> folded("two lines", "1 < 2\\n2 > 1").html
    '<details><summary>two lines</summary><pre>1 &lt; 2\\n2 &gt; 1</pre></details>'
    """
    html = f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"
    return Rendered(html, f"{summary}\n{text}")


def printable(text: str) -> str:
    """Text that can be encoded: file names may hold bytes that are not UTF-8, which are shown as question marks."""
    return text.encode("utf-8", "replace").decode()


def safe(text: Any) -> str:
    """Text for HTML, also between quotation marks.

    >>> safe('<b> & "c"')
    '&lt;b&gt; &amp; &quot;c&quot;'
    """
    return escape(printable(str(text)), quote=True)


def html_page(title: str, body: str) -> str:
    """A whole page around `body`, which is HTML; `title` is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{safe(title)}</title>\n<style>\n{PRINT}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def listing(title: str, cards: Sequence[Card], notes: Iterable[str] = ()) -> str:
    """The ranked list as text for a terminal; `notes` are put behind the lines of the first cards."""
    marked = any(card.mark for card in cards)
    lines = [terminal.printable(line) for line in title.split("\n")]
    for card, note in zip(cards, [*notes] or [""] * len(cards), strict=True):
        parts = [f"{card.score:.2f}" if card.score is not None else "–", *([card.mark or " "] if marked else [])]
        parts += [part for part in (terminal.printable(card.name), card.person, note) if part]
        lines.append(f"{card.rank:2d}  {'  '.join(parts)}")
    return "\n".join(lines)


def thumbnail(source: Any, size: tuple[int, int] = (160, 320), *, upright: bool = True) -> str | None:
    """A data address of a JPEG of at most `size` (width, height), which browsers show; None if it cannot be read.

    `source` is a path, whose picture is turned as its EXIF orientation says where `upright`, or a PIL picture.

    >>> thumbnail(Image.new("RGB", (300, 900)))[:23]
    'data:image/jpeg;base64,'
    """
    try:
        picture = source.convert("RGB") if isinstance(source, Image.Image) else open_image(source, upright=upright)
    except ImageError:
        return None
    picture.thumbnail(size)
    return data_address(picture, "JPEG", quality=85)


def data_address(picture: Image.Image | Figure, form: str, **options: Any) -> str:
    """A PIL picture or a matplotlib figure as a data address, in the form ``JPEG`` or ``PNG``."""
    buffer = io.BytesIO()
    save = picture.save if isinstance(picture, Image.Image) else picture.savefig
    save(buffer, format=form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def card_html(
    card: Card, picture: str = "", *, attributes: str = "", head: str = "", note: str = "", foot: str = ""
) -> str:
    """One card: `picture`, `head` before the rank, `note` behind the score and `foot` are HTML.

    `attributes` go to the frame.
    """
    verdict, line, dot = "", *(("<br>", "<br>") if card.path is not None else (" ", " · "))
    if card.correct is not None:  # readable on light and dark pages
        badge = f"background:{COLOURS[card.correct]};color:#fff;padding:0 6px;border-radius:3px;white-space:nowrap"
        verdict = f'{line}<b style="{badge}">{card.mark} {WORDS[card.correct]}</b>'
    person = f"{dot}{card.person}" if card.person else ""
    score = "" if card.score is None else f" · {card.shown_score}"
    told = f"{head}<b>{card.rank}</b>{score}{f' {note}' if note else ''}{verdict}{person}{foot}"
    border = f"margin:0;padding:4px;border:3px solid {COLOURS[card.correct]};border-radius:6px"
    # break-word, not anywhere: JupyterLab strips the latter from a notebook that it does not trust yet.
    style = f"{border};text-align:{'center' if card.path is not None else 'left'};overflow-wrap:break-word"
    return f'<figure {attributes} style="{style}">{picture}<figcaption>{told}</figcaption></figure>'


def picture_html(address: str | None, alt: str, missing: str, style: str, box: str = "") -> str:
    """A picture at a data address; where there is none, a box that says what is `missing`, with the style `box`."""
    if address is not None:
        return f'<img alt="{safe(alt)}" src="{address}" {style}>'
    look = f"border:1px dashed currentColor;overflow:hidden;overflow-wrap:break-word;padding:4px;{box}"
    return f'<div role="img" aria-label="{safe(alt)}, {safe(missing)}" style="{look}">{safe(missing)}</div>'


def grid_html(title: str, cards: Iterable[Card], *, query: Any = None, columns: int = 5, width: int = 96) -> str:
    """A grid of thumbnails in rank order under `title` and the picture `query` that was searched for."""
    _check_layout(columns, width)

    def drawn(source: Any, alt: str, upright: bool = True) -> str:
        box = f"box-sizing:border-box;width:{width}px;height:{3 * width}px;margin:auto"
        style = f'width="{width}" style="display:block;margin:auto"'
        address = thumbnail(source, (2 * width, 6 * width), upright=upright)
        return picture_html(address, alt, f"picture missing: {source}", style, box)

    made = []
    for card in cards:
        foot = f'<br><span title="{safe(card.name)}">{safe(card.name)}</span>'
        picture = drawn(card.path, card.alt, card.upright)
        made.append(card_html(card, picture, attributes='role="listitem"', foot=foot))
    asked = "" if query is None else drawn(query, "the picture searched for")
    items = "\n".join(made)
    grid = f"display:grid;grid-template-columns:repeat({columns},{width + 14}px);gap:8px;align-items:start"
    heading = f'<div style="margin:0 0 8px"><b>{safe(title)}</b><div style="width:{width}px">{asked}</div></div>'
    return (
        f'<div style="font-family:sans-serif;font-size:12px;line-height:1.35">\n{heading}\n'
        f'<div role="list" style="{grid}">\n{items}\n</div>\n</div>'
    )


def figure(title: str, cards: Sequence[Card], *, columns: int = 5, width: float = 1.3) -> Figure:
    """Ranked thumbnails, `width` inches each; the figure belongs to no pyplot state and carries `alt_text`.

    Raises:
        ImportError: matplotlib is missing; names the extra that brings it.
    """
    _check_layout(columns, width)
    with extra("notebooks"):
        from matplotlib.figure import Figure
    columns = max(1, min(columns, len(cards)))
    rows = max(1, -(-len(cards) // columns))
    figure = Figure(figsize=(columns * width, rows * 3.2 * width + 0.4), layout="constrained")
    shown = textwrap.fill(printable(title), max(20, int(14 * columns * width)))
    figure.suptitle(shown, fontsize=9).set_parse_math(False)  # text may hold dollar signs
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(cards) :]:
        axis.set_axis_off()
    for axis, card in zip(axes, cards, strict=False):
        _draw_card(axis, card)
    figure.alt_text = ". ".join([printable(title), *(card.alt for card in cards)])  # type: ignore[attr-defined]
    return figure


def _draw_card(axis: Any, card: Card) -> None:
    try:
        axis.imshow(np.asarray(open_image(str(card.path), upright=card.upright)), interpolation="bilinear")
    except ImageError:
        axis.set_box_aspect(3)
        axis.text(0.5, 0.5, "picture\nmissing", ha="center", va="center", transform=axis.transAxes, fontsize=7)
    axis.set_xticks([])
    axis.set_yticks([])
    colour = COLOURS[card.correct]
    title = f"{card.mark} {card.rank} · {card.shown_score}".strip()
    axis.set_title(title, fontsize=8, color=colour if card.mark else "black")
    name = printable(card.name)
    name = name if len(name) <= 24 else "…" + name[-23:]
    axis.set_xlabel("\n".join(part for part in (card.person, name) if part), fontsize=6)
    axis.xaxis.label.set_parse_math(False)
    for spine in axis.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(2)


def _check_layout(columns: int, width: float) -> None:
    if columns < 1 or width <= 0:
        raise ValueError(f"columns must be at least 1 and width positive, not {columns} and {width}")
