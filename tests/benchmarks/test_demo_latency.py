"""From key press to pictures: what a user of the demo waits for, at 10,000 pictures with the bundled model."""

from __future__ import annotations

import time

import numpy as np
import pytest

import tireid
from tireid.interactive import RetrievalDemo

PICTURES, LIMIT, SENTENCE = 10_000, 0.100, "a woman in a red coat with a black backpack, blue jeans and white shoes"


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


@pytest.mark.slow
def test_pictures_follow_a_key_press_within_100_ms(capsys: pytest.CaptureFixture[str]) -> None:
    """Every key press of a sentence, with pictures that are not decoded before they are first shown.

    The features are those of real pictures with noise, so that every key press brings pictures that were not seen yet.
    Measured is the change of `text` up to the HTML of the cards, all of it in Python; the browser's part is not.
    """
    demo = RetrievalDemo(large_gallery(PICTURES))
    waits = []
    for length in range(1, len(SENTENCE) + 1):
        began = time.perf_counter()
        demo.bar.text.value = SENTENCE[:length]
        waits.append(time.perf_counter() - began)
    assert len(demo.results) == 10
    middle, late = np.percentile(waits, [50, 95])
    with capsys.disabled():
        print(f"\nkey press to pictures, {PICTURES} pictures: median {1000 * middle:.0f} ms, 95% {1000 * late:.0f} ms")
    assert middle < LIMIT
