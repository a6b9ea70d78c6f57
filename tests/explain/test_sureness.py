"""The sentence on how sure an answer is, held against the numbers beside it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tireid.explain.confidence import FLAT_ABOVE, FLAT_LEVEL, QuerySpread, how_sure
from tireid.explain.sureness import Sureness, verdict
from tireid.search import Gallery
from tireid.search.likeness import Likeness

SHARE, FALLS = "about 80% of such cases", "worded otherwise, the first picture may fall to rank 7"


@pytest.mark.parametrize(
    ("within", "high", "ambiguous", "calibrated", "words"),
    [
        (1, 1, False, True, f"The first picture is right in {SHARE}; worded otherwise, the first picture stays first."),
        (4, 7, False, True, f"One of the first 4 is right in {SHARE}; {FALLS}."),
        (4, 7, False, False, "Worded otherwise, the first picture may fall to rank 7."),
        (9, 98, True, False, "Ambiguous, since several results are about as good; say more."),
    ],
)
def test_a_share_is_promised_only_where_it_was_calibrated(
    within: int, high: int, ambiguous: bool, calibrated: bool, words: str
) -> None:
    told = Sureness(np.array([1]), np.array([high]), np.array([0.6]), within, ambiguous, 0.8, 200, calibrated)
    assert verdict(told) == words


@given(
    seed=st.integers(0, 10_000),
    pictures=st.integers(1, 120),
    noise=st.floats(0.01, 3),
    level=st.floats(0.5, 0.95),
    outside=st.booleans(),
)
def test_the_sentence_never_contradicts_the_intervals(
    seed: int, pictures: int, noise: float, level: float, outside: bool
) -> None:
    """Of answers to real searches: one sentence, and its ranks are those of the intervals."""
    rng = np.random.default_rng(seed)
    gallery = Gallery(object(), rng.standard_normal((pictures, 6)), [str(row) for row in range(pictures)])
    query, spread = rng.standard_normal(6), QuerySpread(np.eye(6, dtype=np.float32), scale=noise)
    rows = np.argsort(-gallery.features @ query)[:10]
    sure = how_sure(gallery, "", rows, spread, level, 50, feature=query)
    sure = Sureness(**(vars(sure) | {"likeness": Likeness(outside=outside)}))
    told = verdict(sure)
    assert re.fullmatch(r"[A-Z][^.]*\.", told)
    assert not re.search(r"not ambiguous", told, re.IGNORECASE)
    if outside:
        assert not re.search(r"\d", told)
        return
    flat = how_sure(gallery, "", rows, spread, FLAT_LEVEL, 50, feature=query).within > FLAT_ABOVE
    assert told.startswith("Ambiguous") == flat
    named = [int(rank) for rank in re.findall(r"rank (\d+)", told)]
    expected = [] if flat or sure.high[0] == 1 else [sure.high[0]]
    assert named == expected
    assert ("stays first" in told) == (not flat and sure.high[0] == 1)
