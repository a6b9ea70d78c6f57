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
    return "<" not in css and all(map(_is_harmless, _tokens(tinycss2.parse_component_value_list(css))))


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    match attribute:
        case "style" | "fill" | "stroke":
            keep = harmless_style(value)
        case "src":
            keep = PICTURE.fullmatch(value) is not None
        case "href":
            keep = LINK.match(value.strip()) is not None
        case _:
            keep = True
    return value if keep else None


def _tokens(nodes: list[Any]) -> Iterator[Any]:
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for inner in ("content", "arguments"):
            if isinstance(children := getattr(node, inner, None), list):
                pending += children


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
