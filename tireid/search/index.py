"""Nearest neighbours by cosine, exactly.

All rows that could be among the k best are collected in low precision, and those few are scored again in float64, row
by row. So equal features tie exactly, whatever the order of the rows, and ties stand in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tireid.basics.processor import computes_in_bfloat16
from tireid.search.features import Floats, Ints

Float32s = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MARGIN = {torch.float32: 1e-4, torch.float16: 1.5e-3, torch.bfloat16: 8e-3}
"""How far the scores of the first pass may be off, generously, for unit vectors of D <= 1024.

Sums in float32 err by at most D * 2^-24 < 6.2e-5. In float16 the query is rounded too, by 2^-11 of each entry, which
changes a score by at most 2^-11 * sum |q_i x_i| <= 4.9e-4, and the result is rounded by 2^-12; entries too small for
float16's relative precision add 2^-25 * sqrt(D) < 1e-6 twice. Together below 8e-4. In bfloat16 query and rows are
rounded by 2^-9 of each entry, the result and what it is compared with by 2^-9, together below 8e-3."""
BLOCK = 1 << 16
"""Rows that are compared with many queries at a time."""
CACHED = 1 << 11
"""Of these, how many a cache holds when they are converted."""
FEW = 1 / 16
"""Share of rows up to which bfloat16 may leave them undecided: each of them is scored again in float64."""


class Index:
    """Ranks `features`, float32 or float16 rows of length one that are called `names`.

    They are (N, D), or parts of that: each part is read where it lies, and none is copied.
    """

    def __init__(self, features: Tensor | Float32s | Sequence[Tensor], names: Sequence[str]) -> None:
        given = torch.from_numpy(features) if isinstance(features, np.ndarray) else features
        self.parts: tuple[Tensor, ...] = (given,) if isinstance(given, Tensor) else tuple(given)
        self.names = names
        self.width = self.parts[0].shape[1]
        self._begins = np.cumsum([0, *map(len, self.parts)])

    @property
    def features(self) -> Tensor:
        """(N, D) all of them; a copy where they are in parts."""
        return self.parts[0] if len(self.parts) == 1 else torch.cat(self.parts)

    def search(self, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """Rows and float64 scores of the k best (all, where there are fewer) among the `allowed`, best first."""
        margin = self._margin(*(part.dtype for part in self.parts))
        found: list[Ints] = []
        values: list[Float32s] = []
        for begin, part in zip(self._begins, self.parts, strict=False):
            scores = _product(part, query)
            rows = None if allowed is None else np.flatnonzero(allowed[begin : begin + len(part)])
            own = scores if rows is None else scores[rows]
            near = _near_best(own, k, margin)
            found.append(begin + (near if rows is None else rows[near]))
            values.append(own[near])
        return self.best(query, k, np.concatenate(found)[_near_best(np.concatenate(values), k, margin)])

    def search_many(self, queries: Floats, k: int, allowed: Mask | None = None) -> list[tuple[Ints, Floats]]:
        """:meth:`search` for each of the queries (Q, D), which reads the features once for all of them."""
        wanted = torch.from_numpy(queries.astype(np.float32))
        wanted = wanted.to(self._precision(wanted, k))
        margin = self._margin(wanted.dtype)
        forbidden = None if allowed is None else torch.from_numpy(~allowed)
        parts: list[tuple[Ints, Ints, Float32s]] = []  # query, row and score of what may be among the k best
        least = torch.full((len(wanted),), -torch.inf, dtype=wanted.dtype)
        for begin, block in self.blocks():
            scores = _products(wanted, block)
            if forbidden is not None:
                scores[:, forbidden[begin : begin + len(block)]] = -torch.inf
            if k < scores.shape[1] and least.isinf().any():
                least = scores.topk(k, dim=1).values[:, -1]  # the k-th best of all is at least that of a part
            near = np.flatnonzero((scores >= least[:, None] - 2 * margin).numpy())
            asked, row = np.divmod(near, len(block))
            parts.append((asked, begin + row, scores.flatten()[torch.from_numpy(near)].float().numpy()))
        whose, rows, values = map(np.concatenate, zip(*parts, strict=True))
        order = np.argsort(whose, kind="stable")
        ends = np.searchsorted(whose[order], np.arange(1, len(queries)))
        answers = []
        for query, own in zip(queries, np.split(order, ends), strict=True):
            kept = rows[own[_near_best(values[own], k, margin)]]
            answers.append(self.best(query, k, kept if allowed is None else kept[allowed[kept]]))
        return answers

    def blocks(self) -> Iterator[tuple[int, Tensor]]:
        """The features, so many rows at a time, each with its first row."""
        for start, part in zip(self._begins, self.parts, strict=False):
            for begin in range(0, len(part), BLOCK):
                yield int(start) + begin, part[begin : begin + BLOCK]

    def best(self, query: Floats, k: int, rows: Ints) -> tuple[Ints, Floats]:
        """The k best of some rows, scored in float64."""
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
        """(N,) cosines in the precision of the features."""
        return np.concatenate([_product(part, query) for part in self.parts])

    def rows(self, rows: Ints) -> Float32s:
        """(n, D) a copy of some rows."""
        whose = np.searchsorted(self._begins, rows, side="right") - 1
        found = np.empty((len(rows), self.width), np.float32)
        for part in np.unique(whose):
            found[whose == part] = self.parts[part][torch.from_numpy(rows[whose == part] - self._begins[part])].numpy()
        return found

    def _precision(self, queries: Tensor, k: int) -> torch.dtype:
        """bfloat16 where the processor computes in it and it tells most rows from the k best, else float32."""
        part = self.parts[0]
        rows = part[:: 1 + len(part) // CACHED]  # all over it: neighbours may be of one camera
        if computes_in_bfloat16() and k < FEW * len(rows):
            scores = _products(queries.bfloat16(), rows)
            least = scores.topk(k, dim=1).values[:, -1:] - 2 * self._margin(torch.bfloat16)
            if (scores >= least).float().mean() < FEW:
                return torch.bfloat16
        return torch.float32

    def _margin(self, *dtypes: torch.dtype) -> float:
        return max(MARGIN[dtype] for dtype in dtypes) * max(1, self.width / 1024)

    def _exact(self, rows: Ints, query: Floats) -> Floats:
        # NumPy sums each row by itself: the same for equal rows, unlike a product of matrices.
        exact: Floats = (self.rows(rows) * query).sum(axis=1)
        return exact


def _product(features: Tensor, query: Floats) -> Float32s:
    """(n,) cosines in the precision of the features (n, D)."""
    scores: Float32s = (features @ torch.from_numpy(query).to(features.dtype)).float().numpy()
    return scores


def _products(queries: Tensor, block: Tensor) -> Tensor:
    """(Q, n) cosines of queries (Q, D) with rows (n, D), in the precision of the queries."""
    scores = torch.empty(len(queries), len(block), dtype=queries.dtype)
    for columns, rows in zip(torch.split(scores, CACHED, dim=1), torch.split(block, CACHED), strict=True):
        columns[:] = queries @ rows.float().to(queries.dtype).T  # from float16 at once it takes four times as long
    return scores


def _near_best(scores: Float32s, k: int, margin: float) -> Ints:
    """Places of what may be among the k best, where scores (n,) are off by at most `margin`."""
    if k >= len(scores):
        return np.arange(len(scores))
    return np.flatnonzero(scores >= np.partition(scores, -k)[-k] - 2 * margin)


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
