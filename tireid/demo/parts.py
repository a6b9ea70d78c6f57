"""What the parts of the demo share: labelled controls that follow the state, pieces of HTML, one style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from tireid.basics.extras import require
from tireid.demo.state import Refused, Store
from tireid.show.cards import Card, card_html, picture_html, safe

widgets: Any = require("ipywidgets", "notebooks")
FULL, LONG = "100%", 40
HINT = '<span class="tireid-hint"> Run the cell to {}.</span>'
"""Beside a view that stands still, in a notebook; not on paper."""


def html(content: str = "", **options: Any) -> Any:
    """An HTML widget in the demo's style; `content` is HTML."""
    return widgets.HTML(block(content), **options)


def block(content: str) -> str:
    """HTML in the demo's style."""
    return f'<div class="tireid">{content}</div>'


def card_grid(cards: Iterable[str]) -> str:
    """Cards beside each other, also where no style sheet is let in, as in a notebook that is not trusted."""
    columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(148px,1fr));gap:8px"
    items = "".join(f'<div role="listitem">{card}</div>' for card in cards)
    return f'<div class="cards" role="list" style="{columns}">{items}</div>'


def picture_card(card: Card, picture: str, attributes: str = "", note: str = "") -> str:
    """A card with its name above it; `picture` is HTML, for the rest see :func:`~tireid.show.cards.card_html`."""
    name = f'<span class="name">{breakable(card.name)}</span><br>'
    return card_html(card, f'<div class="picture">{picture}</div>', attributes=attributes, head=name, note=note)


def thumbnail_html(address: str | None, alt: str, name: str) -> str:
    """The picture `name` at a data address; in its place a few words where there is none."""
    return picture_html(address, alt, f"picture cannot be read: {name}", "", "font-size:11px")


def breakable(name: str, after: str = "/") -> str:
    """The name of a picture as HTML, to be broken behind the signs in `after` where it is too long for a line.

    >>> breakable("cam_a/<1>.jpg"), breakable("cam_a/1.jpg", "/_")
    ('cam_a/<wbr>&lt;1&gt;.jpg', 'cam_<wbr>a/<wbr>1.jpg')
    """
    text = safe(name)
    for sign in after:
        text = text.replace(sign, f"{sign}<wbr>")
    return text


def say_written(note: Any, write: Callable[[], str]) -> None:
    """Say in `note` what `write` has written, which is HTML, or why it could not."""
    try:
        note.value = block(f'<p role="status">{write()}</p>')
    except (ValueError, OSError) as error:
        note.value = block(f'<p class="complaint" role="status">{safe(error)}</p>')


def row(*children: Any, **layout: Any) -> Any:
    """Children beside each other, in several lines where the page is narrow."""
    look = {"flex_flow": "row wrap", "align_items": "center", "width": FULL, "grid_gap": "4px 16px"} | layout
    return widgets.HBox(list(children), layout=widgets.Layout(**look))


def labelled(
    kind: Callable[..., Any], description: str, width: str = "20em", label: str = "6.5em", **options: Any
) -> Any:
    """A control with a visible label of one width, so that controls stand in columns."""
    look = {"layout": widgets.Layout(width=width, max_width=FULL), "style": {"description_width": label}}
    return kind(description=description, **(look | options))


def button(description: str, click: Callable[[], None], **options: Any) -> Any:
    """A button as wide as its description, which calls `click`."""
    made = widgets.Button(description=description, layout=widgets.Layout(width="auto"), **options)
    made.on_click(lambda _: click())
    return made


def follow(control: Any, act: Callable[[Any], None]) -> None:
    """Call `act` with every new value of a control."""
    control.observe(lambda change: act(change["new"]), names="value")


def bind(
    store: Store,
    key: str,
    control: Any,
    parse: Callable[[Any], Any] = lambda value: value,
    show: Callable[[Any], Any] = lambda value: value,
    ask: Callable[[Any], None] | None = None,
) -> None:
    """Let a control and a value of the state follow each other; what the state refuses becomes its complaint.

    `ask` asks for the change, where more than the value is to change.
    """

    def change(value: Any) -> None:
        try:
            store.change(**{key: parse(value)})
        except Refused as error:
            raise ValueError(f"{control.description}: it takes {error.expected}, not {value}") from None

    control.value = show(getattr(store.view, key))
    follow(control, lambda value: store.attempt(lambda: (ask or change)(value)))
    store.subscribe((key,), lambda view: setattr(control, "value", show(getattr(view, key))))


def table_html(table: pd.DataFrame, caption: str, formats: dict[str, Callable[[Any], str]] | None = None) -> str:
    """A table for the page and for screen readers; numbers to the right, everything escaped.

    `formats` give HTML for the values of a column; other values are shown as text, and missing ones as a dash.
    """
    formats = formats or {}
    numbers = {name for name in table.columns if pd.api.types.is_numeric_dtype(table[name].dtype)}
    kind = {name: ' class="number"' if name in numbers else "" for name in table.columns}
    kind |= {name: ' class="long"' for name in table.columns if name not in numbers and _is_long(table[name])}
    head = "".join(f'<th scope="col"{kind[name]}>{safe(name)}</th>' for name in table.columns)
    lines = []
    for values in table.itertuples(index=False):
        cells = zip(table.columns, values, strict=True)
        lines.append("".join(f"<td{kind[name]}>{_cell(value, formats.get(name))}</td>" for name, value in cells))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><caption>{safe(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def numbers_in(text: str, name: str) -> list[int]:
    """Whole numbers between commas or spaces; ValueError naming the part that is none.

    >>> numbers_in("3, 12 7", "people")
    [3, 12, 7]
    """
    found = []
    for part in text.replace(",", " ").split():
        try:
            found.append(int(part))
        except ValueError:
            raise ValueError(f"{name}: {part[:20]!r} is not a number; write numbers such as 3, 12") from None
    return found


def shortened(text: str, length: int) -> str:
    """At most `length` characters.

    >>> shortened("a woman in red", 8)
    'a woman…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def joined(values: Sequence[int]) -> str:
    """Numbers as :func:`numbers_in` reads them."""
    return ", ".join(map(str, values))


def _is_long(values: pd.Series) -> bool:
    return any(isinstance(value, str) and " " in value and len(value) > LONG for value in values)


def _cell(value: Any, form: Callable[[Any], str] | None) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "–"
    if form is not None:
        return form(value)
    return f"{value:.3f}" if isinstance(value, float) else safe(value)
