"""Bilinear resampling of one channel of a position grid, with plain loops."""

from __future__ import annotations

from math import floor


def bilinear(grid: list[list[float]], height: int, width: int) -> list[list[float]]:
    """Pixel centres at (i + 0.5) (align_corners False), edges repeated, no antialias."""
    h, w = len(grid), len(grid[0])
    result = []
    for i in range(height):
        row = []
        for j in range(width):
            y = min(max((i + 0.5) * h / height - 0.5, 0.0), h - 1.0)
            x = min(max((j + 0.5) * w / width - 0.5, 0.0), w - 1.0)
            y0, x0 = floor(y), floor(x)
            y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
            top = grid[y0][x0] * (1 - (x - x0)) + grid[y0][x1] * (x - x0)
            bottom = grid[y1][x0] * (1 - (x - x0)) + grid[y1][x1] * (x - x0)
            row.append(top * (1 - (y - y0)) + bottom * (y - y0))
        result.append(row)
    return result
