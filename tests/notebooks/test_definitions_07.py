"""Notebook 07's own metrics, design effect, differences and selection against the library's and against loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.notebooks.definitions import load_definition
from tests.oracles import ranking
from tireid.search import bootstrap_interval, retrieval_metrics

NOTEBOOK = "07_evaluate"
measures = load_definition(NOTEBOOK, "measures")
design_effect = load_definition(NOTEBOOK, "design_effect")
difference = load_definition(NOTEBOOK, "difference")
best_of = load_definition(NOTEBOOK, "best_of")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [1, 3])
def test_measures_are_the_librarys_and_the_oracles(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    ids = rng.permutation([7] * rng.integers(1, 5) + [0] * rng.integers(0, 9))
    angles = np.sort(rng.uniform(0, 3, len(ids)))
    query, gallery = np.array([[1.0, 0.0]]), np.stack([np.cos(angles), np.sin(angles)], axis=1)
    own = [100 * value for value in measures(ids == 7, k).values()]
    assert own == pytest.approx(list(retrieval_metrics(query, gallery, [7], ids, ks=(k,)).values()))
    assert own == pytest.approx(list(ranking.metrics(query, gallery, [7], ids, ks=(k,)).values()))


@pytest.mark.parametrize("correlation", [0.1, 0.5])
def test_design_effect_is_what_the_two_bootstraps_differ_by(correlation: float) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(300), 8)
    shared, own = rng.standard_normal(300)[groups], rng.standard_normal(len(groups))
    values = correlation**0.5 * shared + (1 - correlation) ** 0.5 * own
    effect = design_effect(values, rng.permutation(300)[groups])  # names and order of the groups do not matter
    naive, grouped = (np.ptp(bootstrap_interval(values, repeats=3000, groups=g)) for g in (None, groups))
    assert effect**0.5 == pytest.approx(grouped / naive, rel=0.06)
    assert effect == pytest.approx(1 + 7 * correlation, rel=0.15)


def test_design_effect_at_both_ends() -> None:
    groups = np.repeat(np.arange(50), 4)
    assert design_effect(groups, groups) == pytest.approx(4)  # four copies of a value tell as much as one
    assert design_effect(np.random.default_rng(1).random(200), groups) == pytest.approx(1, abs=0.4)


def test_difference_equals_resampling_person_by_person() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(12, size=90) * 5 + 2
    failed, chosen = rng.random(90) < 0.4, rng.random(90) < 0.5
    found = difference(failed, chosen, groups, 200, 11)
    people = np.unique(groups)
    means = []
    for drawn in np.random.default_rng(11).integers(len(people), size=(200, len(people))):
        rows = pd.concat([pd.DataFrame({"f": failed, "c": chosen})[groups == people[i]] for i in drawn])
        means.append(100 * (rows.f[rows.c].mean() - rows.f[~rows.c].mean()))
    assert found["estimate"] == pytest.approx(100 * (failed[chosen].mean() - failed[~chosen].mean()))
    assert [found["low"], found["high"]] == pytest.approx(np.quantile(means, [0.025, 0.975]).tolist())


def test_the_best_of_one_is_no_better_than_the_others() -> None:
    scores = np.random.default_rng(0).random((9, 20))
    assert np.diff(best_of(scores, 1, 50, np.random.default_rng(0))) == pytest.approx(0)


def test_the_best_of_pure_noise_gains_what_the_largest_of_n_normal_numbers_does() -> None:
    scores = np.random.default_rng(0).standard_normal((1000, 100))
    chosen, unseen = best_of(scores, 10, 2000, np.random.default_rng(1))
    assert chosen == pytest.approx(1.5388 / 50**0.5, abs=0.02)  # expected maximum of ten, in standard errors
    assert unseen == pytest.approx(0, abs=0.02)


def test_a_better_checkpoint_stays_better_on_other_people() -> None:
    scores = np.arange(5.0)[:, None] + 0.01 * np.random.default_rng(0).standard_normal((5, 40))
    chosen, unseen = best_of(scores, 5, 20, np.random.default_rng(1))
    assert chosen == pytest.approx(4, abs=0.01)
    assert unseen == pytest.approx(4, abs=0.01)
