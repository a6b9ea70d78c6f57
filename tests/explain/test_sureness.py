"""The sentence on how sure an answer is, held against the numbers beside it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tireid.explain.confidence import FLAT_ABOVE, FLAT_LEVEL, QuerySpread, how_sure
from tireid.explain.sureness import AMBIGUOUS, SHORT, UNKNOWN, Sureness, claims, verdict
from tireid.search import Gallery
from tireid.search.likeness import Likeness

SHARE = "right in about 80% of such cases."


@pytest.mark.parametrize(
    ("within", "ambiguous", "calibrated", "said"),
    [
        (1, False, True, [f"The first picture is {SHARE}"]),
        (4, False, True, [f"One of the first 4 is {SHARE}"]),
        (4, False, False, [UNKNOWN]),
        (9, True, False, [AMBIGUOUS, UNKNOWN]),
        (9, True, True, [AMBIGUOUS, f"One of the first 9 is {SHARE}"]),
    ],
)
def test_a_share_is_promised_only_where_it_was_calibrated(
    within: int, ambiguous: bool, calibrated: bool, said: list[str]
) -> None:
    told = Sureness(np.array([1]), np.array([98]), np.array([0.6]), within, ambiguous, 0.8, 200, calibrated)
    assert claims(told) == said
    assert verdict(told) == " ".join(said)


def test_why_no_share_is_known_is_said() -> None:
    one, why = np.array([1]), SHORT.format(fewest=20)
    told = Sureness(one, one, np.array([0.6]), 1, False, 0.8, 200, False, unknown=why)
    assert verdict(told) == why
    assert verdict(replace(told, calibrated=True)) == f"The first picture is {SHARE}"


@given(
    seed=st.integers(0, 10_000),
    pictures=st.integers(1, 120),
    noise=st.floats(0.01, 3),
    level=st.floats(0.5, 0.95),
    outside=st.booleans(),
)
def test_no_claim_contradicts_the_intervals(
    seed: int, pictures: int, noise: float, level: float, outside: bool
) -> None:
    """Of answers to real searches: one sentence a claim, and no rank that stands in the intervals."""
    rng = np.random.default_rng(seed)
    gallery = Gallery(object(), rng.standard_normal((pictures, 6)), [str(row) for row in range(pictures)])
    query, spread = rng.standard_normal(6), QuerySpread(np.eye(6, dtype=np.float32), scale=noise)
    rows = np.argsort(-gallery.features @ query)[:10]
    sure = how_sure(gallery, "", rows, spread, level, 50, feature=query)
    sure = Sureness(**(vars(sure) | {"likeness": Likeness(outside=outside)}))
    told = verdict(sure)
    assert all(re.fullmatch(r"[A-Z][^.]*\.", claim) for claim in claims(sure))
    assert not re.search(r"not ambiguous|rank|wording", told, re.IGNORECASE)
    if outside:
        assert not re.search(r"\d", told)
        return
    flat = how_sure(gallery, "", rows, spread, FLAT_LEVEL, 50, feature=query).within > FLAT_ABOVE
    assert told.startswith("Ambiguous") == flat
    assert UNKNOWN in told
