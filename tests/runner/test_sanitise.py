"""Hostile notebooks: nothing on the page acts or requests, by its markup and in a browser."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import time
from importlib.resources import read_text
from pathlib import Path
from typing import Any

import pytest
import tinycss2
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v4

from tests.browser.lab import chromium
from tests.runner.books import book, code, save
from tireid.experiments import export_html
from tireid.runner.sanitise import clean_html, harmless_style, in_place

HOST = "http://127.0.0.1:9/hostile"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg'><image href='{HOST}/i'/><script>fetch('{HOST}')</script></svg>"
HOSTILE = [
    f"<script src='{HOST}/a.js'></script>",
    f"<img src=x onerror=\"fetch('{HOST}')\">",
    f"<img src='{HOST}/a.png'>",
    f"<img srcset='{HOST}/a.png 1x'>",
    f"<picture><source srcset='{HOST}/a.png'><img alt=''></picture>",
    f"<iframe src='{HOST}'></iframe>",
    f"<iframe srcdoc=\"<img src='{HOST}/a.png'>\"></iframe>",
    f"<object data='{HOST}/a.swf'></object><embed src='{HOST}/e'>",
    f"<base href='{HOST}/'><a href='x'>y</a>",
    f"<meta http-equiv='refresh' content='0;url={HOST}'>",
    f"<form action='{HOST}'><input type='image' src='{HOST}/i'><button formaction='{HOST}'>b</button></form>",
    f"<link rel='stylesheet' href='{HOST}/a.css'><link rel='prefetch' href='{HOST}'>",
    f"<video src='{HOST}/v' poster='{HOST}/p'></video><audio src='{HOST}/a'></audio><track src='{HOST}/t'>",
    f"<div style='background:url({HOST}/a.png)'>d</div>",
    f"<div style='background:u\\72l({HOST}/a.png)'>d</div>",
    f"<div style=\"background-image:image-set('{HOST}/a.png' 1x)\">d</div>",
    f"<div style=\"background-image:-webkit-image-set('{HOST}/a.png' 1x)\">d</div>",
    f'<div style="--x:url({HOST}/a);background:var(--x)">d</div>',
    f"<table background='{HOST}/t.png'><tr><td background='{HOST}/t.png'>t</td></tr></table>",
    f"<style>@import '{HOST}/a.css';</style>",
    f"<style>body {{ background: url({HOST}/a.png) }}</style>",
    f"<style>body {{ background: \\75rl({HOST}/a.png) }}</style>",
    f"<style>@font-face {{ font-family: f; src: url({HOST}/f) }} body {{ font-family: f }}</style>",
    f"<style>b{{}}</sty<style></style>le><img src='{HOST}/s.png'>",
    f"<svg><image href='{HOST}/i.png'/><use href='{HOST}/u.svg#a'/><a href='{HOST}'><text>t</text></a></svg>",
    f"<svg><foreignObject><img src='{HOST}/f.png'></foreignObject><style>@import '{HOST}/a.css'</style></svg>",
    f"<svg><rect fill='url({HOST}/f#a)' width='9' height='9'/><animate attributeName='href' to='{HOST}'/></svg>",
    f"<svg onload=\"fetch('{HOST}')\"><set attributeName='onclick' to='fetch()'/></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src={HOST}/m.png&gt;'></table></math>",
    f"<noscript><p title=\"</noscript><img src='{HOST}/n.png'>\">",
    f"<a href=\"javascript:fetch('{HOST}')\">j</a><a href='java\nscript:x'>k</a><a href='data:text/html,x'>l</a>",
    f"<a ping='{HOST}' href='{HOST}' target='_blank'>p</a>",
    f"<body onload=\"fetch('{HOST}')\" background='{HOST}/b.png'>",
    f"<details ontoggle=\"fetch('{HOST}')\" open>d</details><input autofocus onfocus=\"fetch('{HOST}')\">",
    f"<img src='data:image/svg+xml;base64,{base64.b64encode(SVG.encode()).decode()}'>",
    f"<img src='data:text/html,<script>fetch(\"{HOST}\")</script>'>",
    f"</main></body><img src='{HOST}/after.png'>",
    f"<template><img src='{HOST}/t.png'></template><portal src='{HOST}'></portal><frameset><frame src='{HOST}'>",
    f"<img src='/{HOST}'><img src='//127.0.0.1:9/hostile'><img src='file:///etc/passwd'>",
]
ACTS = ("script, iframe, object, embed, base, form, input, button, link, source, video, audio, frame, frameset, portal"
        ", template, noscript, image, use, foreignobject, animate, set, picture, track")  # fmt: skip


def hostile_page(folder: Path) -> str:
    """The page of a notebook that has every attack as prose, as output of three kinds, in its title and metadata."""
    cells = [v4.new_markdown_cell(f"# <script src='{HOST}/t.js'></script> &lt;i&gt;")]
    for attack in HOSTILE:
        cell = code("1", tags=[f"\"><img src='{HOST}/tag.png'>"])
        cell.metadata["alt"] = f"'\"><img src='{HOST}/alt.png'>"
        cell.outputs = [
            v4.new_output("display_data", data={"text/html": attack}, metadata={"text/html": {"isolated": True}}),
            v4.new_output("display_data", data={"text/markdown": attack}),
            v4.new_output("display_data", data={"image/svg+xml": SVG}, metadata={"image/svg+xml": {"alt": attack}}),
            v4.new_output("display_data", data={"text/latex": f"${attack}$"}),
            v4.new_output("display_data", data={"image/png": f"'><img src='{HOST}/png.png'>"}),
            v4.new_output("stream", name="stdout", text=attack + f"\x1b]8;;{HOST}\x1b\\link\x1b[31m"),
            v4.new_output("error", ename=attack, evalue=attack, traceback=[attack]),
        ]
        cells += [v4.new_markdown_cell(attack), v4.new_raw_cell(attack, metadata={"format": "text/html"}), cell]
    nb = book(*cells)
    nb.metadata["title"] = f"</title><script src='{HOST}/title.js'></script>"
    path = save(nb, folder)
    provenance = {"error": HOSTILE[1], "versions": {HOSTILE[1]: HOSTILE[2]}, HOSTILE[0]: HOSTILE[0]}
    return export_html(path, folder / "report.html", code=True, provenance=provenance).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return hostile_page(tmp_path_factory.mktemp("hostile"))


def test_no_element_and_no_attribute_acts_or_requests(page: str) -> None:
    check(BeautifulSoup(page, "html.parser"))
    check(BeautifulSoup(page, "html5lib") if _has_html5lib() else BeautifulSoup(page, "html.parser"))


def check(soup: BeautifulSoup) -> None:
    assert not soup.select(ACTS)
    assert len(soup.select("main")) == len(soup.select("body")) == len(soup.select("title:not(svg title)")) == 1
    for element in soup.find_all(True):
        names = {name.lower() for name in element.attrs}
        assert not [name for name in names if name.startswith("on")]
        assert not names & {"srcset", "srcdoc", "action", "formaction", "background", "poster", "ping", "xlink:href"}
        assert re.match(r"data:image/[\w+]+;base64,", str(element.get("src", "data:image/png;base64,")))
        assert re.match(r"(https?|mailto):|[^:/]*/|[^:]*$", str(element.get("href", "")))
        assert "url" not in str(element.get("style", "")) + str(element.get("fill", ""))
    assert {str(e.get("http-equiv")) for e in soup.select("meta[http-equiv]")} == {
        "Content-Security-Policy", "x-dns-prefetch-control",
    }  # fmt: skip
    for style in soup.select("style"):
        assert not re.search(r"@import|url\((?!['\"]?data:)|\\75|\\72l", style.get_text())


def _has_html5lib() -> bool:
    with contextlib.suppress(ImportError):
        __import__("html5lib")
        return True
    return False


def test_what_only_shows_is_kept(tmp_path: Path) -> None:
    shown = (
        "<style scoped>.dataframe th { text-align: right; width: calc(1px + 2%) }</style>"
        '<div class="tireid"><table class="dataframe" border="1"><tr style="text-align: right;"><th scope="row" '
        'rowspan="2">a</th><td>1</td></tr></table><figure role="img" style="border: 3px solid rgb(1, 2, 3)" title="t">'
        '<img alt="a" src="data:image/png;base64,AAAA" width="9"><figcaption>c</figcaption></figure>'
        '<svg viewBox="0 0 9 9" aria-hidden="true" style="position:absolute;inset:0"><ellipse cx="1" cy="2" rx="3" '
        'ry="4" fill="none" stroke="#111" transform="rotate(30 1 2)"><title>p</title></ellipse></svg></div>'
    )
    cell = code("1")
    cell.outputs = [v4.new_output("display_data", data={"text/html": shown})]
    soup = BeautifulSoup(
        export_html(save(book(cell), tmp_path), tmp_path / "a.html").read_text(encoding="utf-8"), "html.parser"
    )
    wanted = BeautifulSoup(shown, "html.parser")
    for element in wanted.find_all(True):
        if element.name != "style":
            attributes = {name: value for name, value in element.attrs.items() if isinstance(value, str)}
            found = soup.main.find(element.name, attrs=attributes)
            assert found is not None, element
    assert any("calc(1px + 2%)" in style.get_text() for style in soup.select("head style"))


def test_pictures_come_from_the_folder_only(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"SECRET-BYTES")
    folder = tmp_path / "notebooks"
    places = (secret, "../secret.png", "link.png", "own.png", "pipe.png", "own.txt")
    prose = " ".join(f"![a]({place})" for place in places) + f" <img src='{secret}'>"
    path = save(book(v4.new_markdown_cell(prose)), tmp_path)
    (folder / "link.png").symlink_to(secret)
    (folder / "own.png").write_bytes(b"OWN")
    (folder / "own.txt").write_bytes(b"SECRET-BYTES")
    os.mkfifo(folder / "pipe.png")
    page = export_html(path, tmp_path / "a.html").read_text(encoding="utf-8")
    assert base64.b64encode(b"SECRET-BYTES").decode() not in page
    assert page.count("<img") == 1
    assert base64.b64encode(b"OWN").decode() in page


CSS = st.text("abcurl()\\72 :;@{}'\"/*-<>#!,.", max_size=60)


@settings(deadline=None)
@given(st.text(max_size=100) | CSS)
def test_any_text_is_cleaned_without_an_error(text: str) -> None:
    check_fragment(clean_html(text))
    check_fragment(clean_html(f"<p style='{text}'>{text}</p>"))
    harmless_style(text)


@pytest.mark.parametrize(
    "css",
    [f"width: {'9' * 5000}", "a" + 5000 * "{", "a: " + 5000 * "(", "width: 9URL(x)"],
    ids=["digits", "{", "(", "url after a number"],
)
def test_a_style_that_cannot_be_read_whole_is_left_out(css: str) -> None:
    assert not harmless_style(css)
    assert clean_html(f"<p style='{css}; background: url({HOST}/a.png)'>a</p>") == "<p>a</p>"


def check_fragment(fragment: str) -> None:
    soup = BeautifulSoup(fragment, "html.parser")
    assert not soup.select(ACTS)
    assert not [name for element in soup.find_all(True) for name in element.attrs if name.startswith("on")]


def test_cleaning_twice_changes_nothing_more() -> None:
    for attack in HOSTILE:
        once = clean_html(attack)
        assert clean_html(once) == once


STUCK = (
    "position:fixed;top:0",
    "POSITION/**/: /* */sticky",
    "posi\\74ion: fixed !important",
    "--p: fixed; position: var(--p)",
    "position: -webkit-sticky",
    "color: red;; position: fixed",
)


@pytest.mark.parametrize("declared", STUCK)
def test_nothing_stays_on_the_screen(declared: str) -> None:
    """In the style of an element, in a sheet, and within a rule of one, as a browser reads them."""
    for css in (declared, f"b {{ {declared} }}", f"@media print {{ b {{ {declared} }} }}"):
        nodes = tinycss2.parse_component_value_list(in_place(css))
        assert not re.search(r"(?<![-\w])position", tinycss2.serialize(nodes).lower())
    assert not re.search(r"(?<![-\w])position", clean_html(f'<div style="{declared}">d</div>').lower())


def test_what_moves_with_the_page_keeps_its_place() -> None:
    css = "b { position: relative; table-layout: fixed } i { background-attachment: fixed; position: absolute }"
    assert in_place(css) == css
    assert clean_html('<p style="position: relative">p</p>') == '<p style="position: relative">p</p>'


def test_the_demo_keeps_its_own_style_sheet() -> None:
    """Without it, an export shows each card of a result in a row of its own."""
    assert harmless_style(read_text("tireid.demo", "style.css"))
    assert not harmless_style("b { background: linear-gradient(red, red), url(x) }")
    assert not harmless_style("@layer a { b { color: red } }")


@pytest.mark.parametrize("text", ["<b>" * 50_000, "<" * 100_000, "<svg>" * 20_000, "&" * 100_000, "<a href='" * 20_000])
def test_long_markup_takes_no_time(text: str) -> None:
    started = time.process_time()
    clean_html(text)
    harmless_style(text)
    assert time.process_time() - started < 5


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="no Chromium")
def test_no_request_leaves_the_browser(page: str, tmp_path: Path) -> None:
    """With the page's own policy taken out, so that the markup alone must hold; every link and picture is touched."""
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(re.sub(r"<meta http-equiv[^>]*>", "", page), encoding="utf-8")
    (tmp_path / "control.html").write_text(f"<img src='{HOST}/control.png'>")
    requests: list[str] = []

    def watch(request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            requests.append(request.url)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        tab = browser.new_page()
        tab.on("request", watch)
        tab.goto((tmp_path / "page.html").as_uri())
        tab.evaluate("document.querySelectorAll('*').forEach(e => e.dispatchEvent(new Event('mouseover')))")
        tab.wait_for_timeout(2000)
        assert requests == []
        tab.goto((tmp_path / "control.html").as_uri())
        tab.wait_for_timeout(500)
        assert requests == [f"{HOST}/control.png"], "the watch sees nothing"
        browser.close()
