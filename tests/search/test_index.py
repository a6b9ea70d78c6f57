"""Many queries at a time: the first pass may be in bfloat16, and what it finds is what float64 finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tireid.search import index
from tireid.search.index import MARGIN, Index

K = 10


def brute(features: torch.Tensor, query: np.ndarray, k: int = K) -> list[int]:
    """The k best rows in float64, equal scores in the order of their names, which are the rows' numbers."""
    scores = (features.double().numpy() * query).sum(axis=1)
    order: list[int] = np.lexsort((np.arange(len(scores)), -scores))[:k].tolist()
    return order


def searched(features: torch.Tensor, queries: np.ndarray) -> list[list[int]]:
    names = [f"{row:07d}" for row in range(len(features))]
    return [rows.tolist() for rows, _ in Index(features, names).search_many(queries, K)]


def units(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("native", [True, False])
def test_rows_closer_than_the_first_pass_can_tell_stand_in_their_order(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, native: bool
) -> None:
    monkeypatch.setattr(index, "computes_in_bfloat16", lambda: native)
    rng = np.random.default_rng(0)
    queries = units(rng.normal(size=(150, 64)))
    features = torch.from_numpy(units(rng.normal(size=(20_000, 64)))).to(dtype)
    assert searched(features, queries) == [brute(features, query) for query in queries]


@pytest.mark.parametrize("size", [16, 512, 1024])
def test_the_first_pass_errs_less_than_its_margin(size: int) -> None:
    rng = np.random.default_rng(size)
    # Entries of one size and sign, just beside what bfloat16 can hold, are the worst that rounding meets.
    worst = np.full((1, size), (1 + 2.0**-9 + 1e-7) / np.sqrt(size))
    rows = np.concatenate([units(rng.normal(size=(500, size))), worst / np.linalg.norm(worst)])
    features, queries = torch.from_numpy(rows).float(), torch.from_numpy(rows[-40:]).float()
    exact = queries.double() @ features.double().T
    for dtype in (torch.float32, torch.bfloat16):
        assert float((index._products(queries.to(dtype), features).double() - exact).abs().max()) < MARGIN[dtype]


def test_rows_that_bfloat16_cannot_tell_apart_are_compared_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "computes_in_bfloat16", lambda: True)
    taken: list[torch.dtype] = []
    products = index._products
    monkeypatch.setattr(
        index, "_products", lambda queries, block: taken.append(queries.dtype) or products(queries, block)
    )
    rng = np.random.default_rng(1)
    spread = torch.from_numpy(units(rng.normal(size=(3_000, 32)))).float()
    alike = torch.from_numpy(units(np.ones(32) + 0.02 * rng.normal(size=(3_000, 32)))).float()
    sorted_ones = torch.cat([spread, alike, alike])
    few = spread[:20]
    for features, last in (
        (spread, torch.bfloat16),
        (alike, torch.float32),
        (sorted_ones, torch.float32),
        (few, torch.float32),
    ):
        queries = features[-3:].double().numpy()
        assert searched(features, queries) == [brute(features, query) for query in queries]
        assert taken[-1] == last
