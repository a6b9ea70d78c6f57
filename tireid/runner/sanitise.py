"""What a stranger's notebook may put on a page: text, tables, pictures in the page itself; nothing that acts.

The HTML is parsed and cleaned by ammonia (`nh3`), which follows the browsers' own parsing, after a list of what is
allowed. Styles are parsed by tinycss2; one that could load anything is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.basics.yaml import read_yaml

with extra("notebooks"):
    import nh3
    import tinycss2

ALLOWED: dict[str, Any] = read_yaml(Path(__file__).with_name("allowed.yaml"))
TAGS = (nh3.ALLOWED_TAGS - {"map", "area"}).union(*(ALLOWED[group] for group in ("tags", "mathematics", "shapes")))
ATTRIBUTES = {"*": set(ALLOWED["attributes"]), **{tag: set(names) for tag, names in ALLOWED["own"].items()}}
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|avif|bmp|svg\+xml);base64,[A-Za-z0-9+/=\s]*", re.ASCII)
MOVES = {"static", "relative", "absolute", "initial", "inherit", "unset"}
"""Positions of what moves with the page."""
LINK = re.compile(r"(https?|mailto):|[^:]*([/?#]|$)", re.IGNORECASE)


def clean_html(fragment: str) -> str:
    """The part of an HTML fragment that only shows.

    >>> clean_html('<b onclick="f()" style="color: red; background: url(//x)">T<script>f()</script></b>')
    '<b>T</b>'
    >>> clean_html('<b style="color: red">T</b><a href="javascript:f()">L</a>')
    '<b style="color: red">T</b><a>L</a>'
    """
    return nh3.clean(
        fragment,
        tags=TAGS,
        clean_content_tags={"script", "style"},
        attributes=ATTRIBUTES,
        attribute_filter=_allowed,
        generic_attribute_prefixes={"aria-"},
        url_schemes={"http", "https", "mailto", "data"},
        link_rel=None,
    )


def harmless_style(css: str) -> bool:
    """Whether a style sheet, or the declarations of an element, can load nothing.

    >>> harmless_style("p { color: rgb(1, 2, 3) }"), harmless_style(r"p { background: u\\72l(x) }")
    (True, False)
    """
    try:
        nodes = tinycss2.parse_component_value_list(css)
        tinycss2.serialize(nodes)
    except (ValueError, RecursionError):  # a number with more digits than Python reads, or too many brackets
        return False
    # `9url(x)` is a number and brackets to whoever reads CSS by its rules; nobody needs to write it.
    return "<" not in css and "url(" not in css.lower() and all(map(_is_harmless, _tokens(nodes)))


def in_place(css: str) -> str:
    """A style sheet, or declarations, in which nothing stays on the screen, where it could cover what is read.

    >>> in_place("b { position: fixed; top: 0 } i { position: relative }")
    'b { no-position: fixed; top: 0 } i { position: relative }'
    """
    nodes = tinycss2.parse_component_value_list(css)
    moved = False
    for level in _levels(nodes):
        told = [node for node in level if node.type not in ("whitespace", "comment")]
        for name, colon, value in zip(told, told[1:], told[2:], strict=False):
            placed = name.type == "ident" and name.lower_value == "position" and colon == ":"
            if placed and (value.type != "ident" or value.lower_value not in MOVES):
                name.value, moved = "no-position", True
    return tinycss2.serialize(nodes) if moved else css


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    match attribute:
        case "style":
            return in_place(value) if harmless_style(value) else None
        case "fill" | "stroke":
            keep = harmless_style(value)
        case "src":
            keep = PICTURE.fullmatch(value) is not None
        case "href":
            keep = LINK.match(value.strip()) is not None
        case _:
            keep = True
    return value if keep else None


def _levels(nodes: list[Any]) -> Iterator[list[Any]]:
    """The nodes, and those within each of them, at any depth."""
    pending = [nodes]
    while pending:
        yield (level := pending.pop())
        for node in level:
            for inner in ("content", "arguments"):
                if isinstance(children := getattr(node, inner, None), list):
                    pending.append(children)


def _tokens(nodes: list[Any]) -> Iterator[Any]:
    return (node for level in _levels(nodes) for node in level)


def _is_harmless(token: Any) -> bool:
    match token.type:
        case "function":
            return token.lower_name in ALLOWED["functions"]
        case "at-keyword":
            return token.lower_value in ALLOWED["rules"]
        case "url" | "error":
            return False
        case _:
            return True
