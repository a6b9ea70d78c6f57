"""Nearest neighbours by cosine.

All rows that could be among the k best are collected in float32, and those few are scored again in float64, row by
row. So equal features tie exactly, whatever the order of the rows, and ties stand in the order of their names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tireid.search.metrics import Floats, Ints

Float32s = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MARGIN = 1e-4
"""How far float32 scores of unit vectors may be off, generously: D = 512 products err by less than 4e-5."""


class Index:
    """Ranks `features` (N, D), rows of length one that are called `names`."""

    def __init__(self, features: Float32s, names: Sequence[str]) -> None:
        self.features, self.names = features, names

    def search(self, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """Rows and float64 scores of the k best (all, where there are fewer) among the `allowed`, best first."""
        rows = self._candidates(query, k, allowed)
        scores = np.concatenate([self._exact(part, query) for part in np.array_split(rows, 1 + len(rows) // 16384)])
        if k < len(rows):
            kept = scores >= np.partition(scores, -k)[-k]
            rows, scores = rows[kept], scores[kept]
        order = sorted(range(len(rows)), key=lambda i: (-scores[i], self.names[int(rows[i])]))[:k]
        return rows[order], scores[order]

    def ranks(self, query: Floats, rows: Ints, allowed: Mask | None = None) -> Ints:
        """Rank, from 1, that each of `rows` has among the allowed rows: one more than score better.

        >>> Index(np.eye(3, dtype=np.float32), "abc").ranks(np.array([0.0, 1.0, 0.5]), np.array([2, 0]))
        array([2, 3])
        """
        scores = self.scores(query)
        return ranks_of(scores, scores[rows], allowed)

    def first(self, query: Floats, right: Mask, found: Ints, allowed: Mask | None = None) -> int | None:
        """Rank of the first right row, among `found` (the best ones) or behind; None if no allowed one is right."""
        among = np.flatnonzero(right[found])
        if len(among):
            return int(among[0]) + 1
        others = np.flatnonzero(right if allowed is None else right & allowed)
        return max(len(found) + 1, int(self.ranks(query, others, allowed).min())) if len(others) else None

    def scores(self, query: Floats) -> Float32s:
        """(N,) float32 cosines."""
        scores: Float32s = self.features @ query.astype(np.float32)
        return scores

    def _candidates(self, query: Floats, k: int, allowed: Mask | None) -> Ints:
        scores = self.scores(query)
        rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
        if k >= len(rows):
            return rows
        among = scores[rows]
        near: Ints = rows[among >= np.partition(among, -k)[-k] - 2 * MARGIN]
        return near

    def _exact(self, rows: Ints, query: Floats) -> Floats:
        exact: Floats = (self.features[rows] * query).sum(axis=1)  # the same for equal rows, unlike BLAS
        return exact


def ranks_of(
    scores: npt.NDArray[np.floating], of: npt.NDArray[np.floating] | None = None, allowed: Mask | None = None
) -> Ints:
    """Rank of each score, or of each score in `of`, from 1; equal scores share the better rank.

    >>> ranks_of(np.array([0.5, 0.9, 0.5]))
    array([2, 1, 2])
    """
    ascending = np.sort(scores if allowed is None else scores[allowed])
    ranks: Ints = 1 + len(ascending) - np.searchsorted(ascending, scores if of is None else of, side="right")
    return ranks
