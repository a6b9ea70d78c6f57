"""Where the relevant items of each query stand: all that the metrics of retrieval need."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tireid.basics.arguments import COUNT, checked
from tireid.search.features import Features, Floats, Ids, Ints, checked_ids, lengths, normalised_rows, numbers

TIE_TOLERANCE = 1e-9
"""Cosines closer than this are tied: far above float64's rounding, far below what float32 features can tell apart."""

BLOCK_BYTES = 64 * 2**20
"""Upper limit of the blocks of the similarity matrix that are held at a time."""

WORKERS = 2
"""Chunks of queries at a time: the product of one runs while another is counted, which Python does on one core."""

NEAR = 64
"""Near-ties of a query and a block, above which it is faster to compute the block in float64 than to look at each."""


@dataclass(frozen=True)
class Ranking:
    """Where the relevant items of each query stand: all that the metrics need."""

    ranks: list[Ints]
    """Per query the ascending ranks (from 1) of its relevant items; empty for a query without any."""
    nearest: Ints
    """(Q,) gallery row that stands first; among equals a wrong item, then the one that comes first in the gallery."""


@checked(chunk_size=COUNT)
def rank_relevant(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    chunk_size: int = 256,
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
    wanted = checked_ids(query_ids, "query_ids", len(queries.unit))
    owned = checked_ids(gallery_ids, "gallery_ids", len(gallery.unit))
    if (wanted.dtype.kind in "US") != (owned.dtype.kind in "US"):
        raise ValueError(f"query_ids are {wanted.dtype} and gallery_ids {owned.dtype}: both must be of one kind")

    order, asked = np.argsort(owned, kind="stable"), np.argsort(wanted, kind="stable")
    gallery.sort(order)  # by identity: the relevant items of a query are then one slice
    queries.sort(asked)
    start, stop = (np.searchsorted(owned[order], wanted[asked], side) for side in ("left", "right"))

    def ranked(begin: int) -> list[tuple[Ints, int]]:
        rows = np.arange(begin, min(begin + chunk_size, len(wanted)))
        return [(query.ranks(), query.nearest()) for query in _chunk(queries, gallery, rows, start[rows], stop[rows])]

    chunk_size = min(int(chunk_size), 8192)
    with ThreadPoolExecutor(WORKERS) as pool:
        chunks = pool.map(ranked, range(0, len(wanted), chunk_size))
        found = [query for chunk in chunks for query in chunk]
    ranks, nearest = zip(*(found[i] for i in np.argsort(asked)), strict=True)
    return Ranking(list(ranks), np.array(nearest, np.int64))


def _chunk(queries: _Rows, gallery: _Rows, rows: Ints, start: Ints, stop: Ints) -> list[_Query]:
    """The queries `rows`, compared with the whole gallery a block at a time."""
    exact_rows = queries.exact(rows)
    right = _right_scores(exact_rows, gallery, start, stop)
    chunk = [_Query(exact_rows[i], gallery, start[i], stop[i], right[i]) for i in range(len(rows))]
    size = max(1, BLOCK_BYTES // (4 * WORKERS * len(rows)))
    for first in range(0, len(gallery.order), size):
        block = slice(first, first + size)
        scores = queries.unit[rows[0] : rows[-1] + 1] @ gallery.unit[block].T
        for own, (begin, end) in zip(scores, np.maximum(np.stack([start, stop], 1) - first, 0).tolist(), strict=True):
            own[begin:end] = -np.inf
        tops = scores.max(axis=1).tolist()
        unsettled = [i for i, query in enumerate(chunk) if not query.see(first, scores[i], tops[i])]
        if unsettled:  # most of them near-ties, as with a model that maps everything to one point
            del scores
            step = max(1, BLOCK_BYTES // (8 * WORKERS * max(gallery.width, len(unsettled))))
            for begin in range(first, min(first + size, len(gallery.order)), step):
                exact = gallery.exact(np.arange(begin, min(begin + step, first + size, len(gallery.order))))
                for i, row in zip(unsettled, exact_rows[unsettled] @ exact.T, strict=True):
                    chunk[i].see_exact(begin, row)
    return chunk


def _right_scores(queries: Floats, gallery: _Rows, start: Ints, stop: Ints) -> list[Floats]:
    """For each query the float64 cosines of its relevant items; queries of one person stand together."""
    found: list[Floats] = []
    new = (np.diff(start) != 0) | (np.diff(stop) != 0)
    for part in np.split(np.arange(len(queries)), np.flatnonzero(new) + 1):
        found += [*(queries[part] @ gallery.exact(np.arange(start[part[0]], stop[part[0]])).T)]
    return found


class _Rows:
    """Features brought to length one: in float32 for the first pass, in float64 row by row where that can matter."""

    def __init__(self, features: Features, name: str) -> None:
        self._given = numbers(features, name)
        if self._given.ndim != 2 or 0 in self._given.shape:
            normalised_rows(self._given, name)  # says what is wrong
        self.unit: npt.NDArray[np.float32] = np.empty(self._given.shape, np.float32)
        self.order: Ints = np.arange(len(self.unit))
        self._lengths: Floats = np.empty((len(self.unit), 1))
        self.width = int(self._given.shape[-1])
        for begin in range(0, len(self.unit), 4096):
            part = slice(begin, begin + 4096)
            exact = self._given[part].astype(np.float64)
            try:
                self._lengths[part] = lengths(exact, name)
            except ValueError:
                normalised_rows(self._given, name)  # names the row in the whole
                raise
            self.unit[part] = exact / self._lengths[part]

    def sort(self, order: Ints) -> None:
        """Put the rows in another order."""
        self.order, self.unit = order, self.unit[order]

    def exact(self, rows: Ints) -> Floats:
        """(n, D) float64 rows of length one."""
        exact: Floats = self._given[self.order[rows]].astype(np.float64)
        exact /= self._lengths[self.order[rows]]
        return exact


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
        self._reach = 2 * self._error + TIE_TOLERANCE  # how far apart in float32 equals of float64 may be
        self._before = np.zeros(len(self._least), np.int64)
        self._top = float(self._lows[0]) if len(right) else -np.inf  # what is lower does not stand first
        self._tops: list[Ints] = []

    def see(self, first: int, scores: npt.NDArray[np.float32], top: float) -> bool:
        """Take in float32 scores of the gallery rows from `first` on, of which `top` is the highest.

        Relevant items have the score -inf. False, and nothing is taken in, if too many are near-ties.
        """
        floor = max(top, self._top) - self._reach  # what stands first in float64 reaches this
        least = min(floor, float(self._lows[-1]) if len(self._lows) else np.inf)
        if top < least or top == -np.inf:
            return True
        places = np.flatnonzero(scores >= np.float32(least))
        contenders = scores[places]
        possible, sure = _reaching(contenders, self._lows), _reaching(contenders, self._highs)
        tops = places[contenders >= np.float32(floor)]
        if (possible - sure).sum() + len(tops) > NEAR:
            return False
        self._before += sure
        for j in np.flatnonzero(sure < possible):
            unsure = first + places[(contenders >= self._lows[j]) & (contenders < self._highs[j])]
            self._before[j] += np.count_nonzero(self._exact(unsure) >= self._least[j])
        if len(tops):
            self._keep(top, first + tops)
        return True

    def see_exact(self, first: int, scores: Floats) -> None:
        """As :meth:`see`, with float64 scores."""
        scores[max(self._start - first, 0) : max(self._stop - first, 0)] = -np.inf
        self._before += _reaching(scores, self._least)
        top = float(scores.max())
        if top > -np.inf:
            tied = first + np.flatnonzero(scores >= top - TIE_TOLERANCE)
            lowest = tied[self._gallery.order[tied].argmin()]
            self._keep(top, np.unique([lowest, first + int(scores.argmax())]))

    def _keep(self, top: float, rows: Ints) -> None:
        """Remember rows that may stand first, and forget those that no longer can."""
        if top > self._top + self._reach:
            self._tops = []
        if top >= self._top - self._reach:
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


def _reaching(scores: npt.NDArray[Any], thresholds: npt.NDArray[Any]) -> Ints:
    """How many of the scores are at least as high as each of the thresholds."""
    if len(scores) > 200 * len(thresholds):  # sorting costs more than going over them for each
        return np.array([np.count_nonzero(scores >= threshold) for threshold in thresholds], np.int64)
    return len(scores) - np.searchsorted(np.sort(scores), thresholds)
