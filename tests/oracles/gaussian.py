"""Batch and identity variance with plain loops over Python floats (float64)."""

from __future__ import annotations

from math import sqrt

Matrix = list[list[float]]


def variance(values: list[float], unbiased: bool) -> float:
    n = len(values)
    mean = sum(values) / n
    total = 0.0
    for value in values:
        total += (value - mean) ** 2
    return total / (n - 1 if unbiased and n > 1 else n)


def uncertainty(features: Matrix, ids: list[int], fusion: str, lam: float, unbiased: bool) -> Matrix:
    result: Matrix = []
    for i in range(len(features)):
        row = []
        for d in range(len(features[0])):
            batch = variance([f[d] for f in features], unbiased)
            person = variance([f[d] for f, y in zip(features, ids, strict=True) if y == ids[i]], unbiased)
            row.append(
                {
                    "convex": lam * batch + (1 - lam) * person,
                    "batch": batch,
                    "identity": person,
                    "sum": batch + person,
                    "std": (lam * sqrt(batch + 1e-6) + (1 - lam) * sqrt(person + 1e-6)) ** 2,
                }[fusion]
            )
        result.append(row)
    return result
