"""A slider moved with the keyboard in JupyterLab, in both themes: the figure follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.lab import executed, marks

pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytestmark = marks(600)
CELL = """import matplotlib.pyplot as plt
from tireid.interactive import FigureSliders

def line(points):
    figure, axes = plt.subplots(figsize=(points, 1))
    axes.plot(range(points))
    return figure

FigureSliders(line, "a line of points", points=(3, 1, 9, 1))"""
WIDTH = "() => document.querySelector('.widget-image').naturalWidth"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_arrow_keys_move_the_figure(theme: str, tmp_path: Path) -> None:
    with executed(CELL, tmp_path, {"apputils-extension/themes": {"theme": theme}}) as page:
        page.locator(".widget-image").wait_for(timeout=120_000)
        page.wait_for_function(f"() => ({WIDTH})() > 0")
        before = page.evaluate(WIDTH)
        handle = page.get_by_role("slider")
        handle.focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        page.wait_for_function(f"before => ({WIDTH})() > 1.5 * before", arg=before, timeout=120_000)
        assert handle.get_attribute("aria-valuenow") in ("6", "6.0")
        readout = page.locator(".widget-readout")
        assert readout.inner_text() == "6"
        assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
        ink, paper = (readout.evaluate(f"e => getComputedStyle(e).{name}") for name in ("color", "backgroundColor"))
        assert ink != paper
