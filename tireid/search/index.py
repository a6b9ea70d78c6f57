"""Nearest neighbours by cosine: exact, and with faiss.

Both first collect every row that could be among the k best, in float32, and then score those few again in float64,
row by row. So they return the same rows in the same order, and equal features tie exactly.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tireid.search.metrics import Floats, Ints

Float32s = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

MARGIN = 1e-4
"""How far float32 scores of unit vectors may be off, generously: D = 512 products err by less than 4e-5."""


class Index(Protocol):
    """Finds rows of `features`, which have length one."""

    features: Float32s
    place: Ints
    """(N,) order among rows of equal score."""

    def search(self, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """Rows and float64 scores of the k best (all, where there are fewer) among the `allowed`, best first."""


class ExactIndex:
    """Compares with every row."""

    def __init__(self, features: Float32s, place: Ints) -> None:
        self.features, self.place = features, place

    def search(self, query: Floats, k: int, allowed: Mask | None = None) -> tuple[Ints, Floats]:
        """See :class:`Index`."""
        return _best(self.features, self.place, query, k, self._candidates(query.astype(np.float32), k, allowed))

    def _candidates(self, query: Float32s, k: int, allowed: Mask | None) -> Ints:
        scores = self.features @ query
        rows = np.arange(len(scores)) if allowed is None else np.flatnonzero(allowed)
        if k >= len(rows):
            return rows
        among = scores[rows]
        near: Ints = rows[among >= np.partition(among, -k)[-k] - 2 * MARGIN]
        return near


class FaissIndex(ExactIndex):
    """As :class:`ExactIndex`, with faiss' `IndexFlatIP` to collect the candidates.

    Raises:
        ImportError: faiss is missing.
    """

    def __init__(self, features: Float32s, place: Ints) -> None:
        super().__init__(features, place)
        try:
            import faiss
        except ImportError as error:
            raise ImportError("index='faiss' needs faiss: pip install 'tireid[faiss]'") from error
        self._faiss: Any = faiss
        self._flat: Any = faiss.IndexFlatIP(features.shape[1])
        self._flat.add(np.ascontiguousarray(features))

    def _candidates(self, query: Float32s, k: int, allowed: Mask | None) -> Ints:
        rows = None if allowed is None else np.flatnonzero(allowed)
        limit = len(self.features) if rows is None else len(rows)
        chosen = None
        if rows is not None:
            chosen = self._faiss.SearchParameters(sel=self._faiss.IDSelectorBatch(rows))
        asked = k
        while True:  # until all that may tie with the k-th are there
            asked = min(2 * asked, limit)
            scores, found = self._flat.search(query[None], asked, params=chosen)
            if asked == limit or scores[0, -1] < scores[0, k - 1] - 2 * MARGIN:
                return np.asarray(found[0], np.int64)


def _best(features: Float32s, place: Ints, query: Floats, k: int, rows: Ints) -> tuple[Ints, Floats]:
    """The k best of `rows`: score descending, then place."""
    scores = np.empty(len(rows))
    for begin in range(0, len(rows), 16384):
        part = rows[begin : begin + 16384]
        scores[begin : begin + len(part)] = (features[part] * query).sum(axis=1)  # the same for equal rows, unlike BLAS
    order = np.lexsort((place[rows], -scores))[:k]
    return rows[order], scores[order]
