"""Whether the described person is in the gallery at all.

Hypothesis: the person is there, and the gallery's people are like those held out. The score of the best picture tells
against it where it is low; of ten statistics it was, with the mean exponential, the most powerful on validation people.
The best of a larger gallery is higher, so scores cannot be compared across galleries. For a held-out caption q let
own_m(t) be the share of sets of m pictures of its person that score at most t, and other_n(t) the share of sets of n
other held-out people all of whose pictures do: from counts, C(k, m) / C(K, m). Then

    p(t; m, n) = (1 + sum_q own_m(t) other_n(t)) / (1 + Q)

is the conformal p-value of a best score t, averaged over the galleries that leave a held-out person's neighbours to
chance. It falls with m and with n. So where the gallery is larger than the held-out set, or does not know who is on its
pictures, the smaller number is taken, and the test alarms less often than stated, not more. Inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from tireid.domain.conformal import FALSE_ALARMS, Float32s, Floats, Ints, spaced

Counts = Sequence[int] | Ints | None
"""(P,) pictures of each person in a gallery, where known."""
MOST_PICTURES = 8
"""Of one person that are told apart; more count as so many."""
_THRESHOLDS = 401
_MOST_CAPTIONS = 2000


@dataclass(frozen=True)
class Presence:
    """P-values of the best score in a gallery that holds the described person, and how often others get it.

    M is the number of pictures of the person that are told apart, S of sizes, T of thresholds.

    Raises:
        ValueError: tables of shapes that do not fit, or rows and columns that do not ascend, sizes from 0.

    >>> zeros = np.zeros((1, 2, 3), np.float32)
    >>> row = np.arange(3, dtype=np.float32)
    >>> Presence(row, row[:2], zeros, zeros[0], 2.0).pictures_per_person
    2.0
    """

    thresholds: Float32s
    """(T,) scores, ascending."""
    sizes: Float32s
    """(S,) numbers of other people in the gallery, ascending from 0."""
    present: Float32s
    """(M, S, T) p-values of a best score in a gallery with m = 1..M pictures of the person."""
    absent: Float32s
    """(S, T) share of the captions whose best score is no higher in a gallery without the person."""
    pictures_per_person: float
    """Of the held-out people, on average."""
    fewest_words: int = 0
    """Different words of a description that the test is meant for: a shorter one has a low best score anyway."""

    def __post_init__(self) -> None:
        shape = (len(self.sizes), len(self.thresholds))
        if self.present.shape[1:] != shape or self.absent.shape != shape or not self.pictures_per_person >= 1:
            raise ValueError(f"tables must be (M, S, T) and (S, T), not {self.present.shape} and {self.absent.shape}")
        for name, values, least in (("thresholds", self.thresholds, -np.inf), ("sizes", self.sizes, 0)):
            if not (values[0] >= least and (np.diff(values) > 0).all()):
                raise ValueError(f"{name} must ascend, sizes from 0, not {values[:3]}")

    @classmethod
    def fit(cls, texts: tuple[Float32s, Ints], images: tuple[Float32s, Ints]) -> Self | None:
        """From features of length one and person ids, (M, D) and (M,) of captions, (N, D) and (N,) of pictures.

        None where fewer than 20 people have both: too few for a level of 5%.
        """
        people, counts = np.unique(images[1], return_counts=True)
        queries = np.flatnonzero(np.isin(texts[1], people))
        if len(np.unique(texts[1][queries])) < 20:
            return None
        queries = queries[spaced(len(queries), _MOST_CAPTIONS)]
        order = np.argsort(images[1], kind="stable")
        scores = texts[0][queries] @ images[0][order].T
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        best = np.maximum.reduceat(scores, starts, axis=1)
        whose = np.searchsorted(people, texts[1][queries])
        own = [scores[q, starts[p] : starts[p] + counts[p]] for q, p in enumerate(whose)]
        others = [np.delete(best[q], p) for q, p in enumerate(whose)]
        most = int(min(MOST_PICTURES, counts.max()))
        return cls._tabulate(own, np.sort(np.stack(others), axis=1), most, float(counts.mean()))

    @classmethod
    def _tabulate(cls, own: list[Float32s], others: Float32s, most: int, per_person: float) -> Self:
        """From scores of each query's own pictures and (Q, P) ascending best scores of all other people."""
        every = np.concatenate(own)
        highest = max(every.max(), others.max())
        thresholds = np.linspace(every.min() - 1e-3, highest + 1e-3, _THRESHOLDS).astype(np.float32)
        people = others.shape[1]
        sizes = np.unique(np.round(np.concatenate([[0], np.geomspace(1, people, 24)]))).astype(np.int64)
        below = np.stack([np.searchsorted(row, thresholds, "right") for row in others])  # (Q, T)
        few = np.stack([_own_below(scores, thresholds, most) for scores in own])  # (Q, M, T)
        present, absent = [], []
        for size in sizes:
            share = _all_below(below, people, int(size))
            present.append((1 + np.einsum("qmt,qt->mt", few, share)) / (1 + len(own)))
            absent.append(share.mean(axis=0))
        tables = np.stack(present, axis=1).astype(np.float32), np.stack(absent).astype(np.float32)
        return cls(thresholds, sizes.astype(np.float32), *tables, per_person)

    def p_value(self, best: float, pictures: int, counts: Counts = None) -> float:
        """Scalar, of the best score in a gallery of so many pictures, with `counts` (P,) of each person where known.

        Where it is not known, one picture is taken for the person, and as many people as the held-out number of
        pictures per person gives.
        """
        return float(np.interp(best, self.thresholds, self._curve(pictures, counts)))

    def power(self, pictures: int, counts: Counts = None) -> float | None:
        """Scalar: how often a gallery of so many pictures without the described person is told to be one.

        At the stated false-alarm rate; `counts` (P,) as for :meth:`p_value`. None for galleries of more people than
        were held out.
        """
        others = self._others(pictures, counts)
        if others > self.sizes[-1]:
            return None
        reached = np.flatnonzero(self._curve(pictures, counts) <= FALSE_ALARMS)
        return float(self._of_size(self.absent, others)[reached[-1]]) if len(reached) else 0.0

    def _curve(self, pictures: int, counts: Counts) -> Floats:
        """(T,) p-values of the thresholds in such a gallery: whoever is asked for is any of its people."""
        own = np.ones(1, np.int64) if counts is None else np.clip(np.asarray(counts), 1, len(self.present))
        weights = np.bincount(own, minlength=len(self.present) + 1)[1:] / len(own)
        curve: Floats = self._of_size(np.tensordot(weights, self.present, 1), self._others(pictures, counts))
        return curve

    def _others(self, pictures: int, counts: Counts) -> float:
        """How many held-out people the others in the gallery stand for, at most."""
        people = pictures / self.pictures_per_person
        if counts is not None:
            people = min(people, len(counts))
        return max(people - 1, 0.0)

    def _of_size(self, table: npt.NDArray[np.floating], size: float) -> Floats:
        """(T,) row of a table (S, T) for `size` people, between rows by the logarithm of their size."""
        place = float(np.interp(np.log1p(size), np.log1p(self.sizes), np.arange(len(self.sizes))))
        low = int(place)
        high = min(low + 1, len(self.sizes) - 1)
        row: Floats = table[low] + (place - low) * (table[high].astype(np.float64) - table[low])
        return row


def _all_below(below: Ints, total: int, size: int) -> Floats:
    """C(below, size) / C(total, size): share of the sets of `size` of `total` that lie among the `below` (...)."""
    left = np.arange(size)[:, None]
    steps = np.arange(total + 1)[None]
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.maximum(steps - left, 0)) - np.log(total - left)
    table: Floats = np.exp(logarithms.sum(axis=0)) if size else np.ones(total + 1)
    return np.asarray(table[below], np.float64)


def _own_below(scores: Float32s, thresholds: Float32s, most: int) -> Floats:
    """(most, T) share of the sets of 1..most of these scores that are at most the threshold; all where fewer."""
    below = np.searchsorted(np.sort(scores), thresholds, "right")
    return np.stack([_all_below(below, len(scores), min(size, len(scores))) for size in range(1, most + 1)])
