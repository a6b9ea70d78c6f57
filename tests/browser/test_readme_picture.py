"""The README's first picture: what the bundled model finds, as `Hits.save_html` shows it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tireid
from tests.browser.lab import chromium, marks
from tests.house import ROOT
from tireid.demo.collection import FIRST, MODEL

playwright = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
SHOTS = os.environ.get("TIREID_SCREENSHOTS")
PICTURE = ROOT / "notebooks/images/search.png"
pytestmark = marks(600)


def test_the_readme_shows_what_the_model_finds(tmp_path: Path) -> None:
    """Where the model or the cards changed: run it with TIREID_SCREENSHOTS set, and it makes the picture anew."""
    test = tireid.load_dataset("synthetic").test
    gallery = tireid.Gallery.from_split(tireid.TIReID.from_pretrained(MODEL), test)
    person = gallery.search(FIRST, k=1)[0].person_id
    hits = gallery.search(FIRST, k=10, person_id=person)
    *ranks, last = [str(hit.rank) for hit in hits if hit.correct]
    alt = f'The ten best pictures for "{FIRST}": the right person at ranks {", ".join(ranks)} and {last}'
    shown = re.search(r"!\[(.*?)\]\(notebooks/images/search.png\)", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert " ".join(shown[1].split()) == alt
    made = _shot(hits.save_html(tmp_path / "hits.html", columns=10), tmp_path / "search.png")
    if SHOTS:
        Image.open(made).convert("RGB").quantize(256).save(PICTURE, optimize=True)
    # Fonts differ between machines, pictures do not: in small, letters hardly count.
    small = [np.asarray(Image.open(path).convert("RGB").resize((120, 40)), float) for path in (made, PICTURE)]
    assert np.abs(small[0] - small[1]).mean() < 8
    under = np.asarray(Image.open(PICTURE).convert("L"))[-6:]
    assert under.min() == under.max(), "the picture ends in an empty margin, not in half a line"


def _shot(page: Path, target: Path) -> Path:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        view: Any = browser.new_page(viewport={"width": 1195, "height": 430})
        view.goto(page.as_uri())
        view.add_style_tag(content="details { display: none }")  # its line would be cut in half
        cards = view.locator("[role=list]").bounding_box()
        view.screenshot(path=target, clip={"x": 0, "y": 0, "width": 1195, "height": cards["y"] + cards["height"] + 8})
        browser.close()
    return target
