"""From key press to pictures in the browser: JupyterLab, Chromium, and a gallery of 10,000."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.test_demo_latency import LIMIT, PICTURES, SENTENCE
from tests.browser.lab import executed, marks

pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytestmark = marks(600)
CELL = f"""from tests.benchmarks.test_demo_latency import large_gallery
from tireid.interactive import RetrievalDemo
demo = RetrievalDemo(large_gallery({PICTURES}), state={{"text": "a man"}})
demo"""
WATCH = """() => {
  window.waits = []; let pressed = null;
  document.addEventListener('keydown', () => { pressed = performance.now() }, true);
  const watch = new MutationObserver(changes => {
    const cards = changes.some(change => [...change.addedNodes].some(node => node.querySelector?.('img')));
    if (pressed === null || !cards) return;
    const began = pressed; pressed = null;
    requestAnimationFrame(() => window.waits.push(performance.now() - began));
  });
  watch.observe(document.querySelector('.tireid-root'), {childList: true, subtree: true});
}"""


def test_pictures_follow_a_key_press_in_the_browser(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From `keydown` to the frame after the new cards are in the page; a press that changes nothing is not counted."""
    with executed(CELL, tmp_path, viewport={"width": 1280, "height": 1000}) as page:
        page.locator(".tireid-root figure img").first.wait_for(timeout=120_000)
        page.get_by_text("| Idle").wait_for(timeout=120_000)
        text = page.get_by_label("Description")
        text.fill("")
        page.evaluate(WATCH)
        text.press_sequentially(SENTENCE, delay=300, timeout=300_000)  # 21 s are spent between the keys
        page.wait_for_timeout(1000)
        waits = page.evaluate("() => window.waits")
    middle, late = np.percentile(waits, [50, 95]) / 1000
    with capsys.disabled():
        print(f"\nkey press to the frame with the pictures: median {1e3 * middle:.0f} ms, 95% {1e3 * late:.0f} ms")
    assert len(waits) > len(SENTENCE) / 2
    assert middle < LIMIT
