"""A shipped notebook that JupyterLab does not trust yet: what it holds looks right before a cell is run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.lab import chromium, jupyterlab, marks

playwright = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
NOTEBOOK = Path(__file__).parents[2] / "notebooks/09_retrieval_demo.ipynb"
CARDS = """output => [...output.querySelectorAll('figure:has(img)')].map(card => {
    const picture = card.querySelector('img'), [frame, seen] = [card, picture].map(e => e.getBoundingClientRect())
    return {left: frame.left, right: frame.right, top: frame.top, bottom: frame.bottom,
            decoded: picture.naturalWidth, width: seen.width, height: seen.height,
            inside: seen.left >= frame.left && seen.right <= frame.right && seen.bottom <= frame.bottom}
})"""
LEAST, COLUMNS = 6, 5
"""Pictures of an output that ranks them, and those beside each other on a page of 1280 pixels."""
pytestmark = marks(300)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The notebook, just opened, with what went wrong in `errors`."""
    folder = tmp_path_factory.mktemp("untrusted")
    (folder / "notebooks").mkdir()
    shutil.copy(NOTEBOOK, folder / "notebooks")
    settings = {"notebook-extension/tracker": {"windowingMode": "none"}}
    with jupyterlab(folder / "notebooks", folder, settings) as lab, playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(lab.address(NOTEBOOK.name))
        page.locator(".jp-Notebook figure img").first.wait_for(timeout=120_000)
        yield page
        browser.close()


def test_nothing_is_trusted_and_nothing_breaks(page: Any) -> None:
    told = page.locator(".jp-StatusItem-trust").get_attribute("title")
    assert told.startswith("Notebook not trusted: 0 of ")
    assert page.locator(".jp-Notebook style").count() == 0
    assert page.errors == []


def test_cells_that_assert_are_closed_and_no_others(page: Any) -> None:
    cells = [cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    asserting = [number for number, source in enumerate(cells) if "assert " in source]
    shown = page.locator(".jp-Notebook .jp-CodeCell")
    assert shown.count() == len(cells)
    opened = [shown.nth(number).locator(".jp-InputArea-editor:visible").count() == 1 for number in range(len(cells))]
    assert asserting
    assert [number for number, is_open in enumerate(opened) if not is_open] == asserting


def test_ranked_pictures_stand_in_columns(page: Any) -> None:
    outputs = page.locator(".jp-Notebook .jp-RenderedHTMLCommon:has(figure img)")
    found = [outputs.nth(number).evaluate(CARDS) for number in range(outputs.count())]
    ranked = [cards for cards in found if len(cards) >= LEAST]
    assert ranked
    for cards in ranked:
        assert all(card["decoded"] > 0 and card["width"] > 50 and card["height"] > 100 for card in cards)
        assert all(card["inside"] for card in cards)
        rows = [cards[first : first + COLUMNS] for first in range(0, len(cards), COLUMNS)]
        for row in rows:
            assert len({card["top"] for card in row}) == 1
            assert [card["left"] for card in row] == [card["left"] for card in rows[0][: len(row)]]
            assert all(one["right"] < other["left"] for one, other in pairwise(row))
        assert all(above[0]["bottom"] < below[0]["top"] for above, below in pairwise(rows))
