"""Intervals, paired tests and corrections against scipy, slow loops and simulation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tireid.studies.statistics import Floats, compare, estimate, holm, sign_flip_test

NORMAL = stats.norm.isf(0.025)


def uneven(rng: np.random.Generator, seeds: int = 5, people: int = 40) -> tuple[Floats, Floats]:
    """Scores with effects of seeds, people and queries, and the person of every query, in no order."""
    ids = rng.permutation(np.repeat(np.arange(people) * 7 + 3, rng.integers(1, 9, people)))
    effects = rng.normal(0, 3, ids.max() + 1)[ids] + rng.normal(0, 2, (seeds, 1))
    return 50 + effects + rng.normal(0, 2, (seeds, len(ids))), ids


def slow_standard_error(scores: Floats, ids: Floats) -> tuple[float, float]:
    """Two-way clustered standard error and Satterthwaite's degrees of freedom, from sums of residuals."""
    residuals = (scores - scores.mean()) / scores.size
    seeds, people = len(scores), len(set(ids))
    by_person = {i: [q for q in range(len(ids)) if ids[q] == i] for i in set(ids)}
    rows = [sum(residuals[s]) for s in range(seeds)]
    columns = [sum(residuals[s, q] for s in range(seeds) for q in own) for own in by_person.values()]
    cells = [
        sum(residuals[s, q] for q in own) - rows[s] / people - column / seeds
        for own, column in zip(by_person.values(), columns, strict=True)
        for s in range(seeds)
    ]
    of_seeds = sum(x * x for x in rows) * seeds / (seeds - 1)
    of_people = sum(x * x for x in columns) * people / (people - 1)
    of_cells = sum(x * x for x in cells) * seeds * people / ((seeds - 1) * (people - 1))
    variance = max(of_seeds + of_people - of_cells, of_seeds, of_people)
    return math.sqrt(variance), variance**2 / (of_seeds**2 / (seeds - 1) + of_people**2 / (people - 1))


def slow_deviations(scores: Floats, ids: Floats, repeats: int) -> Floats:
    """Means of whole seeds and whole people drawn one by one, less the mean."""
    rng = np.random.default_rng(99)
    people = sorted(set(ids))
    means = []
    for _ in range(repeats):
        rows = rng.choice(len(scores), len(scores))
        columns = np.concatenate([np.flatnonzero(ids == i) for i in rng.choice(people, len(people))])
        means.append(scores[np.ix_(rows, columns)].mean())
    return np.array(means) - scores.mean()


def test_mean_and_standard_deviation_over_seeds() -> None:
    scores, ids = uneven(np.random.default_rng(0))
    found = estimate(scores, ids, repeats=10)
    means = [sum(row) / len(row) for row in scores]
    assert found.mean == pytest.approx(sum(means) / 5)
    assert found.std == pytest.approx(math.sqrt(sum((m - found.mean) ** 2 for m in means) / 4))
    assert (found.seeds, found.people, found.queries) == (5, 40, scores.shape[1])


@pytest.mark.parametrize("case", range(3))
def test_interval_equals_resampling_one_by_one_and_the_pairwise_variance(case: int) -> None:
    scores, ids = uneven(np.random.default_rng(case))
    scores = np.exp(scores / 20)  # skewed, so that the two ends differ
    found = estimate(scores, ids, repeats=20_000)
    error, freedom = slow_standard_error(scores, ids)
    deviations = slow_deviations(scores, ids, 4000)
    expected = error / deviations.std() * stats.t.isf(0.025, freedom) / NORMAL * np.quantile(deviations, [0.025, 0.975])
    assert [found.low - found.mean, found.high - found.mean] == pytest.approx(expected, rel=0.05)


def test_one_column_is_scipys_bootstrap_over_seeds_stretched() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=8)
    found = estimate(values[:, None], repeats=50_000)
    peer = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=50_000, rng=1)
    stretch = math.sqrt(8 / 7) * stats.t.isf(0.025, 7) / NORMAL
    expected = values.mean() + stretch * (np.array(peer.confidence_interval) - values.mean())
    assert [found.low, found.high] == pytest.approx(expected, rel=0.02)


def test_one_seed_is_scipys_bootstrap_over_people() -> None:
    rng = np.random.default_rng(4)
    ids, scores = np.repeat(np.arange(150), 4), rng.random((1, 600)) + np.repeat(rng.random(150), 4)
    found = estimate(scores, ids, repeats=50_000)
    people = scores.reshape(150, 4).mean(axis=1)
    low, high = stats.bootstrap((people,), np.mean, method="percentile", n_resamples=50_000, rng=1).confidence_interval
    assert math.isnan(found.std)
    assert (found.high - found.low) / (high - low) == pytest.approx(stats.t.isf(0.025, 149) / NORMAL, rel=0.02)
    assert (found.high + found.low) / 2 == pytest.approx((low + high) / 2, abs=0.02 * (high - low))


def test_p_values_are_scipys_where_one_way_is_all_there_is() -> None:
    rng = np.random.default_rng(5)
    arm, base = rng.random((5, 1)), rng.random((5, 1))
    found = compare(arm, base)
    expected = stats.ttest_rel(arm[:, 0], base[:, 0]).pvalue
    assert [found.p, found.p_seeds] == pytest.approx([expected, expected])
    arm, base = rng.random((1, 60)), rng.random((1, 60))
    found = compare(arm, base, np.arange(60))
    assert found.p == pytest.approx(stats.ttest_rel(arm[0], base[0]).pvalue)
    assert math.isnan(found.p_seeds)
    assert math.isnan(found.p_seeds_flip)


def test_comparison_of_whole_tables() -> None:
    rng = np.random.default_rng(6)
    base, ids = uneven(rng)
    arm = base + 0.3 + rng.normal(0, 1, base.shape) + rng.normal(0, 0.2, (5, 1))
    found = compare(arm, base, ids)
    assert found.p_seeds == pytest.approx(stats.ttest_rel(arm.mean(axis=1), base.mean(axis=1)).pvalue)
    flips = stats.permutation_test((arm.mean(axis=1), base.mean(axis=1)), _mean_difference, permutation_type="samples")
    assert found.p_seeds_flip == pytest.approx(flips.pvalue)
    changes = [arm[s, q] - base[s, q] for s in range(5) for q in range(len(ids))]
    assert found.improved == pytest.approx(sum(c > 0 for c in changes) / len(changes))
    assert found.improved + found.worsened == pytest.approx(1)
    means = arm.mean(axis=1) - base.mean(axis=1)
    assert found.d_z == pytest.approx(means.mean() / means.std(ddof=1))
    error, freedom = slow_standard_error(arm - base, ids)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference) / error, freedom))
    other = compare(base, arm, ids)
    assert [other.difference, other.low, other.high] == pytest.approx([-found.difference, -found.high, -found.low])
    assert (other.p, other.p_people) == pytest.approx((found.p, found.p_people))


def _mean_difference(x: Floats, y: Floats, axis: int = -1) -> Floats:
    return np.mean(x, axis=axis) - np.mean(y, axis=axis)


@pytest.mark.parametrize("count", [2, 7, 12])
def test_sign_flips_of_few_values_are_scipys(count: int) -> None:
    values = np.random.default_rng(count).normal(0.4, 1, count)
    peer = stats.permutation_test((values, np.zeros(count)), _mean_difference, permutation_type="samples")
    assert sign_flip_test(values) == pytest.approx(peer.pvalue)


def test_sign_flips_count_ties_and_zeros() -> None:
    assert sign_flip_test([0.1, 0.2, 0.3]) == 0.25  # 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1 in the last digit
    assert sign_flip_test([0.0, 0.0]) == sign_flip_test([3.0]) == 1
    assert sign_flip_test([1.0, -1.0, 0.0]) == 1


def test_sign_flips_of_many_values_are_near_the_normal_limit_and_never_zero() -> None:
    values = np.random.default_rng(0).normal(0.1, 1, 300)
    z = values.sum() / math.sqrt((values**2).sum())
    assert sign_flip_test(values) == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.01)
    assert sign_flip_test(np.ones(300), repeats=999) == 1 / 1000


def test_people_are_flipped_whole() -> None:
    """Nine copies of ten people's queries tell no more about people than one."""
    rng = np.random.default_rng(1)
    change, ids = rng.normal(0.5, 1, (3, 10)), np.arange(10)
    once = compare(change, np.zeros_like(change), ids)
    copies = compare(np.tile(change, 9), np.zeros((3, 90)), np.tile(ids, 9))
    assert copies.p_people == pytest.approx(once.p_people)
    assert copies.p == pytest.approx(once.p)
    assert [copies.low, copies.high] == pytest.approx([once.low, once.high])


def test_holm_by_hand() -> None:
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 pulled up to the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_holm_is_the_closure_of_bonferroni(p: list[float]) -> None:
    """An adjusted p-value is the largest Bonferroni p-value of all the sets of hypotheses that hold it."""
    indices = range(len(p))
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(indices, size)]
    expected = [max(min(1, len(s) * min(p[i] for i in s)) for s in sets if k in s) for k in indices]
    assert holm(p) == pytest.approx(expected)


def test_holm_passes_over_what_was_not_tested() -> None:
    found = holm([math.nan, 0.02, 0.03])
    assert math.isnan(found[0])
    assert found[1:] == pytest.approx([0.04, 0.04])


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-100, 100), scale=st.floats(0.01, 100), case=st.integers(0, 100))
def test_interval_moves_and_grows_with_the_scores(shift: float, scale: float, case: int) -> None:
    scores, ids = uneven(np.random.default_rng(case), 3, 6)
    one, other = (estimate(table, ids, repeats=50) for table in (scores, shift + scale * scores))
    expected = [shift + scale * value for value in (one.mean, one.low, one.high)]
    assert [other.mean, other.low, other.high] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_equal_arms_and_constant_differences() -> None:
    scores, ids = uneven(np.random.default_rng(2))
    same = compare(scores, scores, ids)
    assert (same.difference, same.low, same.high, same.d_z, same.improved) == (0, 0, 0, 0, 0)
    assert (same.p, same.p_seeds, same.p_seeds_flip, same.p_people) == (1, 1, 1, 1)
    shifted = compare(np.full((4, 9), 3.0), np.full((4, 9), 1.0))
    assert (shifted.low, shifted.high, shifted.d_z, shifted.p) == (2, 2, math.inf, 0)
    assert shifted.p_seeds_flip == 2 / 2**4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimate([1.0, 2.0]), r"shape \(seeds, queries\)"),
        (lambda: estimate(np.zeros((2, 0))), r"shape \(seeds, queries\)"),
        (lambda: estimate([[1.0, math.nan]]), "NaN"),
        (lambda: estimate([[1.0, 2.0]], [1, 2, 3]), r"people must have the shape \(2,\)"),
        (lambda: estimate([[1.0, 2.0]], confidence=95), "confidence"),
        (lambda: compare([[1.0, 2.0]], [[1.0]]), "one shape"),
        (lambda: sign_flip_test([]), "at least one"),
    ],
)
def test_refusals(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def only_effects(of_seeds: float, of_people: float, of_cells: float) -> Callable[[np.random.Generator], Floats]:
    def draw(rng: np.random.Generator) -> Floats:
        seeds, people = rng.normal(0, of_seeds, (5, 1, 1)), rng.normal(0, of_people, (1, 200, 1))
        return np.repeat(seeds + people + rng.normal(0, of_cells, (5, 200, 1)), 2, axis=2)

    return draw


def flipped_queries(rng: np.random.Generator) -> Floats:
    """R@1 in percent of two arms that are equally good, less each other: five models each of two people's traits."""
    easy, query = rng.normal(0.25, 1, (1, 200, 1)), rng.normal(0, 0.7, (1, 200, 4))
    arms = [
        easy
        + query
        + rng.normal(0, 0.05, (5, 1, 1))
        + rng.normal(0, 0.3, (1, 200, 1))
        + rng.normal(0, 0.6, (5, 200, 4))
        > 0
        for _ in range(2)
    ]
    return 100.0 * arms[0] - 100.0 * arms[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "least", "most"),
    [
        (only_effects(0.1, 2, 1), 93, 97),
        (only_effects(1, 0.1, 1), 93, 97),
        (only_effects(0.5, 2.5, 2), 93, 97),
        (flipped_queries, 93, 97),
        (only_effects(0, 0, 1), 97, 100),  # nothing in common: wider than need be, as the module says
    ],
    ids=["people", "seeds", "both", "queries", "neither"],
)
def test_coverage_with_five_seeds(draw: Callable[[np.random.Generator], Floats], least: float, most: float) -> None:
    rng, trials, hits = np.random.default_rng(1), 1000, 0
    for trial in range(trials):
        table = draw(rng)
        found = estimate(table.reshape(5, -1), np.repeat(np.arange(200), table.shape[2]), repeats=500, seed=trial)
        hits += found.low <= 0 <= found.high
    assert least <= 100 * hits / trials <= most
