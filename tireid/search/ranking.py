"""Where the relevant items of each query stand: all that the metrics of retrieval need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tireid.search.features import Features, Floats, Ids, Ints, checked_ids, normalised_rows, to_numpy

TIE_TOLERANCE = 1e-9
"""Cosines closer than this are tied: far above float64's rounding, far below what float32 features can tell apart."""

BLOCK_BYTES = 64 * 2**20
"""Upper limit of the block of the similarity matrix that is held at a time."""

MANY, NEAR = 12, 64
"""Relevant items, above which it is faster to sort than to count for each; near-ties of a query and a block, above
which it is faster to compute the block in float64 than to look at each."""


@dataclass(frozen=True)
class Ranking:
    """Where the relevant items of each query stand: all that the metrics need."""

    ranks: list[Ints]
    """Per query the ascending ranks (from 1) of its relevant items; empty for a query without any."""
    nearest: Ints
    """(Q,) gallery row that stands first; among equals a wrong item, then the one that comes first in the gallery."""


def rank_relevant(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    chunk_size: int = 1024,
) -> Ranking:
    """Ranks of every query's relevant items; arguments as in :func:`retrieval_metrics`.

    The j-th best relevant item has the rank j + (wrong items that score at least as high).

    Raises:
        ValueError: shapes, dimensions or kinds of ids that do not fit, an empty side, features without a direction.

    >>> rank_relevant(np.eye(2), np.eye(2)[::-1], [0, 1], [0, 1]).ranks
    [array([2]), array([2])]
    """
    queries = _Rows(query_features, "query_features")
    gallery = _Rows(gallery_features, "gallery_features")
    if queries.width != gallery.width:
        raise ValueError(
            f"query_features have {queries.width} columns and gallery_features {gallery.width}: "
            "both must come from the same model"
        )
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int | np.integer) or chunk_size < 1:
        raise ValueError(f"chunk_size must be a positive integer, not {chunk_size!r}")
    wanted = checked_ids(query_ids, "query_ids", len(queries.unit))
    owned = checked_ids(gallery_ids, "gallery_ids", len(gallery.unit))
    if (wanted.dtype.kind in "US") != (owned.dtype.kind in "US"):
        raise ValueError(f"query_ids are {wanted.dtype} and gallery_ids {owned.dtype}: both must be of one kind")

    order = np.argsort(owned, kind="stable")  # by identity: the relevant items of a query are then one slice
    gallery.sort(order)
    start, stop = (np.searchsorted(owned[order], wanted, side) for side in ("left", "right"))
    ranks: list[Ints] = []
    nearest: list[int] = []
    chunk_size = min(int(chunk_size), 8192)
    for begin in range(0, len(wanted), chunk_size):
        rows = np.arange(begin, min(begin + chunk_size, len(wanted)))
        chunk = _chunk(queries, gallery, rows, start[rows], stop[rows])
        ranks += [query.ranks() for query in chunk]
        nearest += [query.nearest() for query in chunk]
    return Ranking(ranks, np.array(nearest, np.int64))


def _chunk(queries: _Rows, gallery: _Rows, rows: Ints, start: Ints, stop: Ints) -> list[_Query]:
    """The queries `rows`, compared with the whole gallery a block at a time."""
    exact_rows = queries.exact(rows)
    right = _right_scores(exact_rows, gallery, start, stop)
    chunk = [_Query(exact_rows[i], gallery, start[i], stop[i], right[i]) for i in range(len(rows))]
    size = max(1, BLOCK_BYTES // (4 * len(rows)))
    for first in range(0, len(gallery.order), size):
        block = slice(first, first + size)
        scores = queries.unit[rows[0] : rows[-1] + 1] @ gallery.unit[block].T
        unsettled = [i for i, query in enumerate(chunk) if not query.see(first, scores[i])]
        if unsettled:  # most of them near-ties, as with a model that maps everything to one point
            del scores
            step = max(1, BLOCK_BYTES // (8 * size))
            exact = gallery.exact(np.arange(*block.indices(len(gallery.order))))
            for part in (unsettled[i : i + step] for i in range(0, len(unsettled), step)):
                for i, row in zip(part, exact_rows[part] @ exact.T, strict=True):
                    chunk[i].see_exact(first, row)
    return chunk


def _right_scores(queries: Floats, gallery: _Rows, start: Ints, stop: Ints) -> list[Floats]:
    """For each query the float64 cosines of its relevant items, some queries at a time."""
    found: list[Floats] = []
    ends = np.cumsum(stop - start)
    for part in np.split(np.arange(len(queries)), np.flatnonzero(np.diff(ends // 4096)) + 1):
        counts = stop[part] - start[part]
        rows = np.concatenate([np.arange(start[i], stop[i]) for i in part])
        if len(rows):
            scores = np.einsum("nd,nd->n", gallery.exact(rows), np.repeat(queries[part], counts, axis=0))
        found += np.split(scores if len(rows) else np.zeros(0), np.cumsum(counts)[:-1])
    return found


class _Rows:
    """Features brought to length one: in float32 for the first pass, in float64 row by row where that can matter."""

    def __init__(self, features: Features, name: str) -> None:
        self._given = to_numpy(features)
        if self._given.ndim != 2 or 0 in self._given.shape:
            normalised_rows(self._given, name)  # says what is wrong
        self.unit: npt.NDArray[np.float32] = np.empty(self._given.shape, np.float32)
        self.order: Ints = np.arange(len(self.unit))
        self.width = int(self._given.shape[-1])
        for begin in range(0, len(self.unit), 4096):
            part = slice(begin, begin + 4096)
            try:
                self.unit[part] = normalised_rows(self._given[part], name)
            except ValueError:
                normalised_rows(self._given, name)  # names the row in the whole
                raise

    def sort(self, order: Ints) -> None:
        """Put the rows in another order."""
        self.order, self.unit = order, self.unit[order]

    def exact(self, rows: slice | Ints) -> Floats:
        """(n, D) float64 rows of length one."""
        return normalised_rows(self._given[self.order[rows]], "features")


class _Query:
    """One query: how many wrong items stand before each of its relevant items, and what stands first.

    The first pass compares cosines in float32. With unit roundoff u = 2^-24, rounding the two rows changes a cosine by
    at most 2u, and a sum of D products in float32, in any order, by at most D u / (1 - D u) (Higham, "Accuracy and
    Stability of Numerical Algorithms", 2002, section 3.1), both times sum |q_i x_i| <= 1 for rows of length one. So a
    cosine is off by less than D u / (1 - D u) + 8u, thresholds rounded to float32 included, and a wrong item whose
    score is farther than that from a relevant one's stands where it would in float64; the others are scored again.
    """

    def __init__(self, row: Floats, gallery: _Rows, start: int, stop: int, right: Floats) -> None:
        self._row, self._gallery, self._start, self._stop = row, gallery, start, stop
        roundoff = 2.0**-24
        self._error = len(row) * roundoff / (1 - len(row) * roundoff) + 8 * roundoff
        self._right = right
        self._least = np.sort(right)[::-1] - TIE_TOLERANCE  # what a wrong item must reach to stand before
        self._lows, self._highs = ((self._least + sign * self._error).astype(np.float32) for sign in (-1, 1))
        self._before = np.zeros(len(self._least), np.int64)
        self._top = -np.inf
        self._tops: list[Ints] = []

    def see(self, first: int, scores: npt.NDArray[np.float32]) -> bool:
        """Take in float32 scores of the gallery rows from `first` on; False, and nothing is, if too many are near."""
        scores[max(self._start - first, 0) : max(self._stop - first, 0)] = -np.inf
        reach = 2 * self._error + TIE_TOLERANCE
        top = float(scores.max())
        # Most rows hold no item that stands before the first relevant ones: what they cannot reach is not counted.
        begin = int(np.searchsorted(-self._lows, -top))
        if begin and top < self._lows[0] - reach and begin == len(self._lows):
            return True
        lows, highs = self._lows[begin:], self._highs[begin:]
        few = len(lows) <= MANY
        near = scores if few or not len(lows) else np.sort(scores[scores >= lows[-1]])
        if few:
            possible = np.array([np.count_nonzero(scores >= low) for low in lows], np.int64)
            sure = np.array([np.count_nonzero(scores > high) for high in highs], np.int64)
        else:
            possible = np.asarray(len(near) - np.searchsorted(near, lows))
            sure = np.asarray(len(near) - np.searchsorted(near, highs, "right"))
        tops = np.flatnonzero(scores >= np.float32(top - reach)) if top >= self._top - reach else np.zeros(0, np.int64)
        if (possible - sure).sum() + (len(tops) if top > -np.inf else 0) > NEAR:
            return False
        self._before[begin:] += sure
        for place in np.flatnonzero(sure < possible):
            unsure = first + np.flatnonzero((scores >= lows[place]) & (scores <= highs[place]))
            self._before[begin + place] += np.count_nonzero(self._exact(unsure) >= self._least[begin + place])
        if len(tops) and top > -np.inf:
            self._keep(top, first + tops)
        return True

    def see_exact(self, first: int, scores: Floats) -> None:
        """As :meth:`see`, with float64 scores."""
        scores[max(self._start - first, 0) : max(self._stop - first, 0)] = -np.inf
        contenders = np.sort(scores[scores >= self._least[-1]]) if len(self._least) else scores[:0]
        self._before += len(contenders) - np.searchsorted(contenders, self._least)
        top = float(scores.max())
        if top > -np.inf:
            tied = first + np.flatnonzero(scores >= top - TIE_TOLERANCE)
            lowest = tied[self._gallery.order[tied].argmin()]
            self._keep(top, np.unique([lowest, first + int(scores.argmax())]))

    def _keep(self, top: float, rows: Ints) -> None:
        """Remember rows that may stand first, and forget those that no longer can."""
        if top > self._top + 2 * self._error + TIE_TOLERANCE:
            self._tops = []
        if top >= self._top - 2 * self._error - TIE_TOLERANCE:
            self._top = max(top, self._top)
            self._tops.append(rows)

    def ranks(self) -> Ints:
        """(n,) ascending ranks, from 1, of the relevant items."""
        return self._before + np.arange(1, len(self._before) + 1)

    def nearest(self) -> int:
        """The caller's row of the item that stands first; among equals a wrong one, then the first in the gallery."""
        right_first = len(self._before) > 0 and self._before[0] == 0
        rows = np.arange(self._start, self._stop) if right_first else np.concatenate(self._tops)
        if len(rows) == 1:
            return int(self._gallery.order[rows[0]])
        scores = self._right if right_first else self._exact(rows)
        return int(self._gallery.order[rows[scores >= scores.max() - TIE_TOLERANCE]].min())

    def _exact(self, rows: Ints) -> Floats:
        scores: Floats = self._gallery.exact(rows) @ self._row
        return scores
