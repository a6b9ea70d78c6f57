"""Rapid clicks on results while an answer is under way: none is lost, none opens another picture."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import executed, marks, settle

pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytestmark = marks(600)
SLOW_DEMO = """import json, time
import ipywidgets
from tests.benchmarks.test_demo_latency import large_gallery
from tireid.demo.source import Source
from tireid.interactive import RetrievalDemo

answer = Source.answer
def slow_answer(source, view, *more):
    time.sleep(4 if "slowly" in view.text else 0.3)
    return answer(source, view, *more)
Source.answer = slow_answer

demo = RetrievalDemo(large_gallery(300), state={"text": "a man", "panel": "why"})
opened, log = [], ipywidgets.HTML("[]")
log.add_class("opened")
open_result = demo.grid._open
def note(answer, place):
    opened.append(answer.names[place])
    log.value = json.dumps(opened)
    open_result(answer, place)
demo.grid._open = note
display(log)
demo"""
WATCH = """() => { window.pressed = []; addEventListener('mousedown', event => {
    const card = event.target.closest('.tireid-open')?.closest('.tireid-card');
    if (card) window.pressed.push(card.querySelector('figure').title) }, true) }"""
MOVE = """() => { document.querySelector('.tireid-results').style.marginTop = '400px' }"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A demo of 300 pictures whose every answer takes 0.3 s longer."""
    size = {"width": 1900, "height": 1600}
    with executed(SLOW_DEMO, tmp_path_factory.mktemp("clicks"), viewport=size) as page:
        page.locator(".tireid-root figure img").first.wait_for(timeout=120_000)
        page.evaluate(WATCH)
        yield page


def _press(page: Any, result: int, wait: int, meanwhile: str = "") -> None:
    box = page.get_by_role("button", name=f"Open result {result}", exact=True).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    page.mouse.down()
    if meanwhile:
        page.evaluate(meanwhile)
    page.wait_for_timeout(wait)
    page.mouse.up()


def _opened(page: Any, count: int) -> list[str]:
    opened = "JSON.parse(document.querySelector('.opened').innerText)"
    page.wait_for_function(f"() => {opened}.length >= {count}", timeout=120_000)
    return list(json.loads(page.locator(".opened").inner_text()))


def test_every_click_opens_the_picture_that_was_pressed(page: Any) -> None:
    draws = random.Random(0)
    for words in (" in a red coat", " with jeans", " and a green backpack"):
        page.get_by_label("Description").click()
        page.keyboard.type(words, delay=30)
        for _ in range(6):
            _press(page, draws.randrange(1, 9), draws.randrange(40, 160))
            page.wait_for_timeout(draws.randrange(250))
    pressed = page.evaluate("() => window.pressed")
    assert len(pressed) == 18
    assert _opened(page, 18) == pressed
    settle(page)
    name = page.locator(".closer figure img").first.get_attribute("alt")
    assert name == pressed[-1]


def test_a_page_that_moves_below_the_pointer_loses_no_click(page: Any) -> None:
    before = page.evaluate("() => window.pressed.length")
    _press(page, 3, 100, MOVE)
    assert _opened(page, before + 1)[-1] == page.evaluate("() => window.pressed.at(-1)")


def test_work_that_takes_long_has_a_sign(page: Any) -> None:
    page.get_by_label("Description").fill("a man who walks slowly")
    page.locator(".tireid-alive").get_by_text("Working …").wait_for(timeout=4_000)
    page.wait_for_function("() => !document.querySelector('.tireid-alive').textContent", timeout=60_000)


def test_a_press_that_is_dragged_away_opens_nothing(page: Any) -> None:
    settle(page)
    before = _opened(page, 0)
    page.mouse.down()
    page.mouse.move(5, 5)
    page.mouse.up()
    page.get_by_role("button", name="Open result 2", exact=True).press("Enter")
    settle(page)
    assert len(_opened(page, len(before) + 1)) == len(before) + 1
