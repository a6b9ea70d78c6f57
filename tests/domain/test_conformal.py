from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import domain as oracle
from tireid.domain.conformal import Neighbours, notable, p_values

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=30)


@given(held_out=scores, tested=scores)
def test_p_values_are_ranks(held_out, tested):
    expected = [oracle.p_value(held_out, score) for score in tested]
    np.testing.assert_allclose(p_values(sorted(held_out), tested), expected)


@given(values=st.lists(st.integers(-3, 3), min_size=2, max_size=12), level=st.floats(0, 1))
def test_false_alarms_hold_over_every_choice_of_the_tested_one(values, level):
    """Exchangeable: each of the values is the tested one once. That is the whole proof of validity."""
    p = [p_values(sorted(values[:i] + values[i + 1 :]), [values[i]])[0] for i in range(len(values))]
    assert np.mean(np.array(p) <= level) <= level + 1e-12


@given(rows=st.integers(1, 9), standardise=st.booleans(), seed=st.integers(0, 99))
def test_distance_to_the_fifth_nearest(rows, standardise, seed):
    rng = np.random.default_rng(seed)
    known, tested = rng.normal(size=(rows, 3)) * [1, 5, 0.2], rng.normal(size=(4, 3))
    scale = np.maximum(known.std(axis=0), 0.01) if standardise else np.ones(3)
    rounded = (known.astype(np.float32) / scale.astype(np.float32)).astype(np.float16)
    found = Neighbours.of(known, standardise).distance(tested)
    expected = [oracle.fifth_nearest(rounded.astype(float), row) for row in tested / scale]
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("total", [3, 10, 60, 400])
def test_notable_counts_are_improbable_and_large(total):
    """The exact binomial tail is below what the bound promises; a share below twice the rate never counts."""
    for count in range(total + 1):
        if notable(count, total, 0.05):
            tail = sum(math.comb(total, k) * 0.05**k * 0.95 ** (total - k) for k in range(count, total + 1))
            assert tail < 0.01
            assert count >= 0.1 * total
    assert notable(total, total, 0.05)
    assert not notable(0, total, 0.05)
