"""Slow, obviously right re-computations of the tests of a model's domain."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Sequence

import numpy as np


def p_value(held_out: Sequence[float], score: float) -> float:
    """Rank of a score among those of held-out people and itself, the largest first."""
    return sum(other >= score for other in [*held_out, score]) / (len(held_out) + 1)


def fifth_nearest(rows: np.ndarray, row: np.ndarray) -> float:
    return sorted(math.dist(other, row) for other in rows)[min(5, len(rows)) - 1]


def picture_statistics(picture: np.ndarray) -> list[float]:
    """Of one picture (3, H, W) whose sides are multiples of 8, in float64, pixel by pixel."""
    red, green, blue = picture.astype(float) / 255
    planes = [(red + green + blue) / 3, red - green, (red + green) / 2 - blue]
    found = [plane.mean() for plane in planes] + [math.log(plane.std() + 0.01) for plane in planes]
    for side in (1, 2, 4, 8):
        blocks = [_block_means(plane, side) for plane in planes]
        found += [math.log(np.mean([abs(a - b) for a, b in _below(block)]) + 0.001) for block in blocks]
        found += [math.log(np.mean([abs(a - b) for a, b in _below(block.T)]) + 0.001) for block in blocks]
    light = planes[0]
    for differences in ([abs(a - b) for a, b in _below(light.T)], [abs(a - b) for a, b in _below(light)]):
        found += [math.log(np.quantile(differences, share) + 0.002) for share in (0.25, 0.5, 0.75, 0.95)]
    curved = [
        abs(4 * light[y, x] - light[y - 1, x] - light[y + 1, x] - light[y, x - 1] - light[y, x + 1])
        for y in range(1, light.shape[0] - 1)
        for x in range(1, light.shape[1] - 1)
    ]
    return found + [math.log(np.quantile(curved, share) + 0.002) for share in (0.1, 0.25, 0.5, 0.75, 0.95)]


def _block_means(plane: np.ndarray, side: int) -> np.ndarray:
    height, width = plane.shape
    rows = range(0, height, side)
    return np.array([[plane[y : y + side, x : x + side].mean() for x in range(0, width, side)] for y in rows])


def _below(plane: np.ndarray) -> list[tuple[float, float]]:
    """Every value and the one below it."""
    return [(plane[y, x], plane[y + 1, x]) for y in range(len(plane) - 1) for x in range(plane.shape[1])]


def words(text: str) -> list[str]:
    """Runs of letters, runs of digits, and single other signs that are neither space nor punctuation."""
    kinds = []
    for sign in text.lower():
        letter, digit = unicodedata.category(sign)[0] == "L", unicodedata.category(sign) == "Nd"
        kinds.append("a" if letter else "1" if digit else " " if sign.isspace() or sign in ".,;:!?-'\"()&/’" else "#")
    runs = re.finditer(r"a+|1+|#", "".join(kinds))
    return [text.lower()[run.start() : run.end()] for run in runs]


def presence(
    own: Sequence[Sequence[float]], others: Sequence[Sequence[float]], best: float, pictures: int, people: int
) -> float:
    """Rank of the best score among those of held-out captions, averaged over every gallery of `pictures` pictures of
    the person and `people` others that can be put together."""
    total = 0.0
    for mine, theirs in zip(own, others, strict=True):
        galleries = [
            max(*some, *rest, -math.inf)
            for some in itertools.combinations(mine, pictures)
            for rest in itertools.combinations(theirs, people)
        ]
        total += np.mean([score <= best for score in galleries])
    return float((1 + total) / (1 + len(own)))
