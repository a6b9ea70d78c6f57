"""Bilinear resize with antialias by the book: a triangle filter as wide as the reduction, plain loops, float64."""

from __future__ import annotations

import math

import numpy as np


def weights(old: int, new: int) -> list[list[tuple[int, float]]]:
    """Per new position: old positions and their share."""
    scale = old / new
    reach = max(1.0, scale)
    table = []
    for target in range(new):
        centre = (target + 0.5) * scale
        parts = []
        for source in range(max(0, math.floor(centre - reach)), min(old, math.ceil(centre + reach))):
            weight = max(0.0, 1 - abs(source + 0.5 - centre) / reach)
            parts.append((source, weight))
        total = sum(weight for _, weight in parts)
        table.append([(source, weight / total) for source, weight in parts])
    return table


def resize_bilinear_antialias(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) to float64 (h, w, C)."""
    rows, columns = weights(picture.shape[0], size[0]), weights(picture.shape[1], size[1])
    result = np.zeros((*size, picture.shape[2]))
    for y, x, c in np.ndindex(*result.shape):
        result[y, x, c] = sum(wy * wx * float(picture[sy, sx, c]) for sy, wy in rows[y] for sx, wx in columns[x])
    return result
