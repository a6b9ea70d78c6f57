"""From key press to pictures in the browser: JupyterLab, Chromium, and a gallery of 10,000."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.test_demo_latency import PICTURES, SENTENCE
from tests.browser.lab import executed, marks

pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytestmark = marks(600)
CELL = f"""import ipywidgets as widgets
from tests.benchmarks.test_demo_latency import large_gallery
from tireid.interactive import RetrievalDemo
demo = RetrievalDemo(large_gallery({PICTURES}), state={{"text": "a man"}})
plain, answer = widgets.Text(description="Plain"), widgets.HTML()
plain.observe(lambda change: setattr(answer, "value", f'<img alt="{{change.new}}">'), "value")
display(widgets.VBox([plain, answer]).add_class("plain-root"))
demo"""
WATCH = """root => {
  window.waits = []; window.pressed = null;
  document.addEventListener('keydown', () => { window.pressed = performance.now() }, true);
  const watch = new MutationObserver(changes => {
    const cards = changes.some(change => [...change.addedNodes].some(node => node.querySelector?.('img') || node.alt));
    if (window.pressed === null || !cards) return;
    const began = window.pressed; window.pressed = null;
    requestAnimationFrame(() => window.waits.push(performance.now() - began));
  });
  watch.observe(document.querySelector(root), {childList: true, subtree: true});
}"""
TIMES, WORK = 3.0, 0.1
"""Of a plain field, where other work on the machine shows too, and seconds for the search and ten pictures."""


def waits(page: Any, label: str, root: str) -> list[float]:
    """Seconds from each `keydown` to the frame after pictures were added below `root`."""
    text = page.get_by_label(label)
    text.fill("")
    page.evaluate(WATCH, root)
    for letter in SENTENCE:  # the next one when this is answered, or changes nothing
        text.press_sequentially(letter)
        page.wait_for_function("() => window.pressed === null || performance.now() > window.pressed + 1500")
        page.wait_for_timeout(100)
    return [wait / 1000 for wait in page.evaluate("() => window.waits")]


def test_pictures_follow_a_key_press_in_the_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the same key presses in a plain text field whose kernel answers at once with an empty picture.

    A press that changes nothing is not counted.
    """
    with executed(CELL, tmp_path, viewport={"width": 1280, "height": 1000}) as page:
        page.locator(".tireid-root figure img").first.wait_for(timeout=120_000)
        page.get_by_text("| Idle").wait_for(timeout=120_000)
        plain, demo = waits(page, "Plain", ".plain-root"), waits(page, "Description", ".tireid-root")
    middle, late, reference = *np.percentile(demo, [50, 95]), float(np.median(plain))
    with capsys.disabled():
        print(f"\nkey press to the frame with the pictures: median {1e3 * middle:.0f} ms, 95% {1e3 * late:.0f} ms,")
        print(f"{middle / reference:.1f} times the {1e3 * reference:.0f} ms of a plain text field")
    assert len(demo) > len(SENTENCE) / 2
    assert len(plain) > len(SENTENCE) / 2
    assert middle < TIMES * reference + WORK
