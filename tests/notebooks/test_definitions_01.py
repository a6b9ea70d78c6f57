"""The expected number of same-person pairs, as notebook 01 computes it, against counting and against the samplers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.notebooks.definitions import load_definition
from tireid.data import PKBatchSampler, RandomBatchSampler

NOTEBOOK = "01_data_and_captions"
expected_pairs = load_definition(NOTEBOOK, "expected_pairs")
same_person = load_definition(NOTEBOOK, "same_person")


@pytest.mark.parametrize("counts", [[1, 1, 1, 1], [2, 2, 2], [5, 1, 1], [4, 3]])
@pytest.mark.parametrize("batch_size", [2, 3, 4])
def test_formula_equals_the_mean_over_every_batch_there_is(counts: list[int], batch_size: int) -> None:
    people = np.repeat(np.arange(len(counts)), counts)
    batches = combinations(people.tolist(), batch_size)
    found = [sum(a == b for a, b in combinations(batch, 2)) for batch in batches]
    assert expected_pairs(np.array(counts), batch_size) == pytest.approx(np.mean(found))


def test_formula_agrees_with_the_random_sampler() -> None:
    labels = np.random.default_rng(0).integers(50, size=800)  # people with different numbers of pairs
    sampler = RandomBatchSampler(len(labels), 32, seed=1)
    found = []
    for epoch in range(80):
        sampler.set_epoch(epoch)
        found += [same_person(labels[pairs]) for pairs in sampler]
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(expected_pairs(np.bincount(labels), 32), abs=4 * error)
    assert error < 0.1


@pytest.mark.parametrize("k", [1, 2, 4])
def test_every_pk_batch_has_p_times_k_choose_2(k: int) -> None:
    labels = np.arange(160) % 20
    sampler = PKBatchSampler(labels, np.arange(160), batch_size=16, pairs_per_person=k, seed=0)
    assert {same_person(labels[pairs]) for pairs in sampler} == {16 // k * (k * (k - 1) // 2)}


def test_counting_equals_comparing_every_two() -> None:
    labels = np.random.default_rng(2).integers(4, size=30)
    assert same_person(labels) == sum(a == b for a, b in combinations(labels.tolist(), 2))
