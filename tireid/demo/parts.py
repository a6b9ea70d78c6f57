"""What the parts of the demo share: labelled controls that follow the state, pieces of HTML, one style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from tireid.basics.extras import extra
from tireid.demo.state import Store
from tireid.show.cards import COLOURS, safe

with extra("notebooks"):
    import ipywidgets as widgets

STYLE = f"""<style>
.tireid {{ color: var(--jp-ui-font-color1, #1a1a1a); font: 13px/1.45 var(--jp-ui-font-family, sans-serif); }}
.tireid p {{ margin: 2px 0; max-width: 62em; }}
.tireid table {{ border-collapse: collapse; margin: 4px 0; font-size: 13px; }}
.tireid th, .tireid td {{ padding: 2px 10px 2px 0; text-align: left; vertical-align: top; }}
.tireid th {{ border-bottom: 1px solid var(--jp-border-color1, #9e9e9e); font-weight: 600; }}
.tireid td.number, .tireid th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.tireid figure {{ font-size: 12px; line-height: 1.35; box-sizing: border-box; }}
.tireid figure.picked {{ outline: 3px solid var(--jp-brand-color1, #1565c0); outline-offset: 1px; }}
.tireid figure .picture {{ height: 240px; display: flex; align-items: center; justify-content: center; }}
.tireid figure img {{ max-width: 100%; max-height: 100%; margin: 0; width: auto; height: 240px; object-fit: contain; }}
.tireid figure .name {{ font-weight: 600; overflow-wrap: anywhere; }}
.tireid td.long {{ min-width: 14em; }}
.tireid table caption {{ text-align: left; font-style: italic; padding: 2px 0; }}
.tireid .complaint {{ border-left: 4px solid {COLOURS[False]}; padding-left: 8px; }}
.tireid .bar {{ position: relative; width: 140px; height: 10px; background: var(--jp-layout-color3, #dcdcdc); }}
.tireid .bar span {{ position: absolute; top: 0; bottom: 0; min-width: 3px;
  background: var(--jp-brand-color1, #1565c0); }}
.tireid .cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(148px, 1fr)); gap: 8px; }}
.tireid .sure .bar {{ display: inline-block; vertical-align: middle; margin-right: 6px; }}
.tireid svg text {{ font: 600 12px sans-serif; }}
.tireid-root {{ container-type: inline-size; }}
.tireid-root > * {{ flex: none; }}
.tireid-body {{ display: flex; flex-flow: row wrap; align-items: flex-start; gap: 16px; overflow: visible; }}
.tireid-body > * {{ min-width: 0; }}
.tireid-grids {{ flex: 2 1 320px; overflow: visible; }}
.tireid-panel {{ flex: 1 1 46%; overflow: visible; }}
.tireid-panel:empty {{ display: none; }}
@container (max-width: 900px) {{ .tireid-panel {{ order: -1; flex-basis: 100%; }} }}
.tireid-search {{ gap: 4px 8px; }}
.tireid-root .tireid-search .widget-text input[type="text"] {{ height: 40px; font-size: 16px; padding: 0 12px; }}
.tireid-root .tireid-search > .widget-text {{ height: 44px; align-items: center; }}
.tireid-sure {{ min-height: 24px; }}
.tireid-root .tireid-section::before {{ content: "▸ " / ""; }}
.tireid-root .tireid-section.mod-active::before {{ content: "▾ " / ""; }}
.tireid-card {{ position: relative; overflow: visible; margin: 0; flex-direction: column; }}
.tireid-actions {{ position: relative; z-index: 1; width: 100%; overflow: visible; margin: 2px 0 0; }}
.tireid-actions button {{ width: auto; flex: 1 1 auto; min-width: 0; margin: 0; padding: 0 4px; font-size: 12px; }}
.tireid-card > .tireid-open {{ position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; color: transparent;
  background: transparent; box-shadow: none; cursor: pointer; line-height: 1; overflow: hidden; border-radius: 6px; }}
.tireid-card > .tireid-open:hover {{ box-shadow: 0 0 0 2px var(--jp-brand-color1, #1565c0); background: transparent; }}
.tireid-root button:focus-visible, .tireid-root input:focus-visible, .tireid-root select:focus-visible,
.tireid-root textarea:focus-visible {{ outline: 3px solid var(--jp-brand-color1, #1565c0); outline-offset: 1px; }}
.tireid-root .tireid-word.mod-active {{ background: #1565c0; color: #fff; }}
.tireid-root .tireid-word:not(.mod-active) {{ text-decoration: line-through; }}
</style>"""

FULL, LONG = "100%", 40
__all__ = [
    "FULL",
    "STYLE",
    "bind",
    "block",
    "html",
    "joined",
    "labelled",
    "numbers_in",
    "row",
    "shortened",
    "slider",
    "table_html",
    "widgets",
]


def html(content: str = "", **options: Any) -> Any:
    """An HTML widget in the demo's style; `content` is HTML."""
    return widgets.HTML(block(content), **options)


def block(content: str) -> str:
    """HTML in the demo's style."""
    return f'<div class="tireid">{content}</div>'


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


def slider(
    kind: Callable[..., Any], description: str, width: str = "16em", label: str = "4.5em", **options: Any
) -> Any:
    """A slider, to stand beside a field of the same value.

    The handles of ipywidgets' sliders have no accessible name (8.1), so a field with a label is what a screen reader
    uses; the slider shows no number of its own.
    """
    return labelled(kind, description, width, label, readout=False, continuous_update=False, **options)


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

    def wanted(change: Any) -> None:
        value = change["new"]
        store.attempt(lambda: ask(value) if ask is not None else store.change(**{key: parse(value)}))

    control.value = show(getattr(store.view, key))
    control.observe(wanted, names="value")
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
