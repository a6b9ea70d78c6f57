"""Conformal p-values: the rank of a score among those of people that the model was not trained on.

    p = (1 + number of held-out scores that are at least as large) / (1 + number of held-out scores)

If what is tested is exchangeable with what was held out, P(p <= a) <= a for every a (Vovk, Gammerman & Shafer,
"Algorithmic Learning in a Random World", 2005, section 2.2; as a test for outliers: Bates et al., "Testing for
outliers with conformal p-values", Annals of Statistics 2023). Several pictures of one person are not independent,
which leaves the level right on average over people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Float32s = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FALSE_ALARMS = 0.05
"""Of every test: what is like the held-out people is marked with this probability."""
NEIGHBOURS = 5
"""Whose distance counts: the fifth nearest is not the chance likeness of one."""
_ROWS = 512


def p_values(held_out: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """(N,) p-values of scores (N,), large where unlike, among ascending `held_out` scores (M,).

    >>> p_values([1, 2, 3], [0, 2, 9]).tolist()
    [1.0, 0.75, 0.25]
    """
    known = np.asarray(held_out)
    at_least = len(known) - np.searchsorted(known, np.asarray(scores), "left")
    return np.asarray((1 + at_least) / (1 + len(known)), np.float64)


def spaced(count: int, most: int) -> Ints:
    """At most so many places out of `count`, evenly spaced.

    >>> spaced(10, 4).tolist()
    [0, 3, 6, 9]
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def notable(count: int, total: int, rate: float = FALSE_ALARMS) -> bool:
    """Whether `count` marked of `total` are more than false alarms explain.

    At least twice `rate`, since a rate measured on few people is itself inexact, and improbable: below 1% by the bound
    of Chernoff, exp(-n KL(k/n || rate)).

    >>> notable(1, 1), notable(2, 2), notable(5, 100), notable(17, 100)
    (False, True, False, True)
    """
    share = count / max(total, 1)
    if share < 2 * rate:
        return False
    rest = 0.0 if share == 1 else (1 - share) * math.log((1 - share) / (1 - rate))
    return math.exp(-total * (share * math.log(share / rate) + rest)) < 0.01


@dataclass(frozen=True)
class Neighbours:
    """Rows that a model was trained on; the further the nearest of them, the less a row is like them."""

    rows: Float32s
    """(R, D), R >= 1"""
    scale: Float32s
    """(D,) what each column is divided by."""

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or not len(self.rows) or self.scale.shape != self.rows.shape[1:]:
            raise ValueError(f"rows must be (R, D) and scale (D,), not {self.rows.shape} and {self.scale.shape}")

    @classmethod
    def of(cls, rows: npt.ArrayLike, standardise: bool) -> Self:
        """From rows (R, D), columns brought to standard deviation one (from at least 0.01) or left as they are.

        They are rounded to half precision, as they are stored, so that what is loaded gives the same distances.
        """
        values = np.asarray(rows, np.float32)
        scale = (
            np.maximum(values.std(axis=0), np.float32(0.01)) if standardise else np.ones(values.shape[1], np.float32)
        )
        return cls((values / scale).astype(np.float16).astype(np.float32), scale)

    def distance(self, rows: npt.ArrayLike) -> Float32s:
        """(N,) Euclidean distance of rows (N, D) to the fifth nearest, or the furthest where there are fewer."""
        return self._to_nearest(np.asarray(rows, np.float32) / self.scale, NEIGHBOURS)

    def own_distance(self) -> Float32s:
        """(R,) the same of the rows themselves, each without itself."""
        return self._to_nearest(self.rows, NEIGHBOURS + 1)

    def _to_nearest(self, given: Float32s, neighbour: int) -> Float32s:
        place = min(neighbour, len(self.rows)) - 1
        own = np.square(self.rows).sum(axis=1)
        found = [np.zeros(0, np.float32)]
        for begin in range(0, len(given), _ROWS):
            part = given[begin : begin + _ROWS]
            squares = np.square(part).sum(axis=1)[:, None] + own - 2 * part @ self.rows.T
            found.append(np.partition(squares, place, axis=1)[:, place])
        return np.sqrt(np.maximum(np.concatenate(found), 0)).astype(np.float32)
