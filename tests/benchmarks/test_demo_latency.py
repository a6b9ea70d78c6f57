"""From key press to pictures: what a user of the demo waits for, at 10,000 pictures with the bundled model."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

import tireid
from tireid.interactive import RetrievalDemo

PICTURES, SENTENCE = 10_000, "a woman in a red coat with a black backpack, blue jeans and white shoes"
TIMES, LIMIT = 1.5, 0.5
"""Of the work itself (0.8 to 0.9 times were measured), and in seconds, which a busy machine keeps too."""


def large_gallery(size: int) -> tireid.Gallery:
    """Real pictures again and again, each time with other noise on their features."""
    model = tireid.TIReID.from_pretrained("tiny-street")
    test = tireid.load_dataset("synthetic", people=(1, 1, 60), seed=1).test
    rng = np.random.default_rng(0)
    real = tireid.Gallery.from_split(model, test)
    rows = np.resize(np.arange(len(real)), size)
    features = real.features[rows] + 0.05 * rng.standard_normal((size, real.features.shape[1]))
    assert real.person_ids is not None
    return tireid.Gallery(model, features, [real.paths[row] for row in rows], real.person_ids[rows])


def needed(gallery: tireid.Gallery, text: str) -> None:
    """The work that no answer can be had without: the description's feature, all cosines, ten pictures in small."""
    query = np.asarray(gallery.model.encode_texts([text]))[0]
    for row in np.argsort(gallery.features @ query)[-10:]:
        with Image.open(gallery.paths[row]) as picture:
            picture.convert("RGB").resize((96, 288)).save(io.BytesIO(), "JPEG")


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.mark.slow
def test_pictures_follow_a_key_press_in_the_time_of_the_work_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key press of a sentence, in turn with the work that it needs; other work on the machine slows down both.

    The features are those of real pictures with noise, so that every key press brings pictures that were not seen yet.
    Measured is the change of `text` up to the HTML of the cards, all of it in Python; the browser's part is not.
    """
    gallery = large_gallery(PICTURES)
    demo = RetrievalDemo(gallery)
    waits, alone = [], []
    for length in range(1, len(SENTENCE) + 1):
        text = SENTENCE[:length]
        waits.append(seconds(partial(setattr, demo.bar.text, "value", text)))
        alone.append(seconds(partial(needed, gallery, text)))
    assert len(demo.results) == 10
    middle, late, reference = *np.percentile(waits, [50, 95]), float(np.median(alone))
    with capsys.disabled():
        print(f"\nkey press to pictures, {PICTURES} pictures: median {1000 * middle:.0f} ms, 95% {1000 * late:.0f} ms,")
        print(f"{middle / reference:.2f} times the {1000 * reference:.0f} ms of the work itself")
    assert middle < TIMES * reference
    assert middle < LIMIT
