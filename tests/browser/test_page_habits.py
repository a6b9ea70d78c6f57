"""What a web user does without thinking: reload, go back, press Escape, drop a file beside the bar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import marks
from tests.browser.test_demo_page import SECONDS, Page, address, browser, chrome

pytestmark = marks(900)
__all__ = ["address", "browser", "chrome"]
PAUSE = 2.2
"""Seconds between two changes that the back button tells apart."""
DROP = """([where, files]) => {
    const given = new DataTransfer();
    for (const [name, text] of files) given.items.add(new File([text], name, {type: 'text/plain'}));
    const drop = new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: given});
    return !document.querySelector(where).dispatchEvent(drop) }"""
FOCUSED = "() => document.activeElement.innerText"


def _opened(browser: Any, url: str) -> Iterator[Page]:
    opened = Page(browser.new_page(viewport={"width": 1280, "height": 800}))
    opened.open(url)
    yield opened
    # A page that is left ends its kernel, and does not wait for the answer.
    assert [error for error in opened.errors if "/api/shutdown/" not in error] == []


@pytest.fixture
def seen(address: tuple[str, float], browser: Any) -> Iterator[Page]:
    yield from _opened(browser, address[0])


@pytest.fixture(scope="module")
def first_view(address: tuple[str, float], chrome: Any) -> Iterator[Page]:
    """One page for the tests that search for nothing: a page takes a kernel of its own, and seconds."""
    yield from _opened(chrome, address[0])


def _described(seen: Page, text: str) -> None:
    """Until the page is about `text`."""
    seen.until("text => document.querySelector('.tireid-search input')?.value == text", text)
    seen.settled()


def _type(seen: Page, text: str) -> None:
    seen.page.wait_for_timeout(PAUSE * SECONDS)
    seen.demo.get_by_label("Description").fill(text)
    words = text.replace(" ", "+")
    seen.until("words => location.hash.startsWith(`#text=${words}`)", words)


def test_a_reload_and_a_copied_link_show_the_same(seen: Page, browser: Any) -> None:
    _type(seen, "a man in yellow")
    seen.settled()
    names = seen.names()
    seen.button("Open result 2").click()
    seen.until("() => location.hash.includes('&panel=why')")
    copied = seen.page.url
    seen.page.reload(wait_until="commit")
    _described(seen, "a man in yellow")
    assert seen.names() == names
    other = Page(browser.new_page())
    other.page.goto(copied, wait_until="commit")
    _described(other, "a man in yellow")
    assert other.names() == names
    other.demo.locator(".closer figure").first.wait_for(timeout=60 * SECONDS)


def test_back_and_forward_go_through_the_descriptions(seen: Page) -> None:
    for text in ("a man in yellow", "a woman in green"):
        _type(seen, text)
    seen.page.go_back()
    _described(seen, "a man in yellow")
    seen.page.go_forward()
    _described(seen, "a woman in green")


def test_an_address_runs_nothing(seen: Page) -> None:
    seen.page.evaluate("() => { location.hash = 'text=<img src=x onerror=window.ran=1>&panel=why&hit=<script>&k=7' }")
    _described(seen, "<img src=x onerror=window.ran=1>")
    seen.demo.get_by_text("left out of the page's address: state['hit']").wait_for(timeout=60 * SECONDS)
    assert len(seen.names()) == 7
    assert seen.page.evaluate("() => window.ran") is None


def test_escape_closes_the_innermost_and_gives_the_focus_back(seen: Page) -> None:
    seen.button("Open result 2").press("Enter")
    seen.demo.get_by_label("Regions of").focus()
    seen.page.keyboard.press("Escape")
    seen.until("() => !document.querySelector('.closer')")
    assert seen.page.evaluate(FOCUSED).startswith("Open result 2")
    seen.demo.locator(".tireid-word").first.focus()
    seen.page.keyboard.press("Escape")
    seen.until("() => !document.querySelector('.tireid-section.mod-active')")
    assert seen.page.evaluate(FOCUSED) == "Why"
    seen.button("Map").click()
    seen.demo.locator(".tireid-map").focus()
    seen.page.keyboard.press("ArrowRight")
    seen.demo.locator(".tireid-map [role=status]").wait_for(timeout=60 * SECONDS)
    seen.page.keyboard.press("Escape")
    seen.until("() => document.querySelector('.tireid-map [role=status]').hidden")
    assert seen.demo.locator(".tireid-section.mod-active").inner_text().endswith("Map")
    seen.demo.get_by_label("Description").focus()
    seen.page.keyboard.press("Escape")
    seen.until("() => !document.querySelector('.tireid-section.mod-active')")
    assert seen.page.evaluate("() => document.activeElement.matches('.tireid-search input')"), "typing goes on"


def test_a_file_beside_the_bar_does_not_replace_the_page(seen: Page) -> None:
    assert seen.page.evaluate(DROP, [".tireid-grids", [["notes.txt", "x"]]])
    seen.demo.get_by_text("readable picture: notes.txt").wait_for(timeout=60 * SECONDS)


def test_a_text_is_dropped_into_its_field(first_view: Page) -> None:
    """The browser does that, where nobody prevents it."""
    assert not first_view.page.evaluate(DROP, [".tireid-search input", []])


def test_words_from_right_to_left_begin_at_the_right(first_view: Page) -> None:
    """The caret before the first letter stands at the right end."""
    style = first_view.page.evaluate(
        "() => getComputedStyle(document.querySelector('.tireid-search input')).unicodeBidi"
    )
    assert style == "plaintext"


def test_what_the_model_does_not_read_is_told(seen: Page) -> None:
    _type(seen, "a woman in a red coat and white shoes and " * 20 + "a hat")
    seen.demo.get_by_role("note").get_by_text("longer than the model reads").wait_for(timeout=60 * SECONDS)


def test_forced_colours_keep_buttons_and_bars_visible(first_view: Page) -> None:
    first_view.page.emulate_media(forced_colors="active")
    style = "e => { const s = getComputedStyle(e); return [s.borderTopStyle, s.backgroundColor, s.color] }"
    assert first_view.button("Why").evaluate(style)[0] == "solid"
    card = first_view.button("Open result 1").evaluate(style)
    assert (card[0], card[2]) == ("none", "rgba(0, 0, 0, 0)"), "nothing stands over the picture"
    first_view.button("Why").click()
    first_view.settled()
    colours = [first_view.button(name).evaluate(style)[1] for name in ("Why", "Map")]
    assert colours[0] != colours[1], "what is open looks open"
    first_view.page.emulate_media(forced_colors="none")


def test_a_dark_page_is_printed_dark_on_light(first_view: Page) -> None:
    first_view.page.emulate_media(color_scheme="dark", media="print")
    root = "() => getComputedStyle(document.querySelector('.tireid p')).color.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(first_view.page.evaluate(root)) < 100
