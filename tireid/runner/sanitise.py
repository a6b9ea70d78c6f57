"""What a stranger's notebook may put on a page: text, tables, pictures in the page itself; nothing that acts.

The HTML is parsed and cleaned by ammonia (`nh3`), which follows the browsers' own parsing, after a list of what is
allowed. Styles are parsed by tinycss2; one that could load anything is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tireid.basics.extras import extra

with extra("notebooks"):
    import nh3
    import tinycss2

MATH = """
    math annotation maction menclose merror mfenced mfrac mi mmultiscripts mn mo mover mpadded mphantom mroot mrow ms
    mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover semantics
"""
SHAPES = "svg g path ellipse circle rect line polyline polygon text tspan title desc"
TAGS = (nh3.ALLOWED_TAGS - {"map", "area"}) | {"section", "tfoot", "label", *MATH.split(), *SHAPES.split()}
ATTRIBUTES = """
    id class title lang dir role tabindex style align valign halign width height
    border rowspan colspan scope headers span start
    display mathvariant mathsize stretchy fence form separator accent accentunder lspace rspace minsize maxsize
    linethickness columnalign rowalign columnspacing rowspacing columnlines rowlines frame notation xmlns largeop
    movablelimits symmetric depth voffset displaystyle scriptlevel encoding
    viewBox preserveAspectRatio d x y x1 y1 x2 y2 cx cy r rx ry points transform fill stroke stroke-width
    stroke-dasharray stroke-linecap stroke-linejoin opacity fill-opacity stroke-opacity text-anchor font-size
    font-family font-weight paint-order dx dy dominant-baseline
"""
"""Of any element, of tables and lists, of mathematics, of shapes."""
OWN = {"a": {"href"}, "img": {"src", "alt"}, "details": {"open"}}
"""Of single elements."""
FUNCTIONS = """
    rgb rgba hsl hsla var calc min max clamp repeat minmax fit-content rotate translate translatex translatey scale
    matrix skew not is where nth-child nth-of-type nth-last-child
"""
"""Of style sheets: those that compute. `url`, `image-set`, `src`, `element`, `cross-fade` and more load something."""
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
        attributes={"*": set(ATTRIBUTES.split()), **OWN},
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
    keep = True
    if attribute == "style":
        keep = harmless_style(value)
    elif attribute == "src":
        keep = bool(PICTURE.fullmatch(value))
    elif attribute == "href":
        keep = bool(LINK.match(value.strip()))
    elif attribute in ("fill", "stroke"):
        keep = harmless_style(value)
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
            return token.lower_name in FUNCTIONS.split()
        case "at-keyword":
            return bool(token.lower_value == "media")
        case "url" | "error":
            return False
        case _:
            return True
