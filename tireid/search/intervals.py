"""How far a mean over queries could be from that of other queries of the same kind: the bootstrap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tireid.basics.arguments import COUNT, WHOLE, checked
from tireid.search.features import Ids, checked_ids, numbers
from tireid.search.ranking import BLOCK_BYTES


@checked(repeats=COUNT, seed=WHOLE)
def bootstrap_interval(
    per_query_values: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    repeats: int = 1000,
    seed: int = 0,
    groups: Ids | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron & Tibshirani 1993, ch. 13), in the unit of the values.

    Args:
        per_query_values: (Q,), for instance ``table["AP"]`` or ``table["first_rank"] <= 1``; NaN is left out.
        confidence: probability in (0, 1).
        repeats: resamples.
        seed: the interval is a function of it.
        groups: (Q,) identities: whole identities are then resampled, since the queries of one person are not
            independent and the interval without `groups` is too narrow.

    Raises:
        ValueError: no value, or an argument out of its range.

    >>> bootstrap_interval([1.0, 1.0, 1.0])
    (1.0, 1.0)
    """
    values = numbers(per_query_values, "per_query_values").astype(np.float64)
    if values.ndim != 1 or np.isinf(values).any():
        raise ValueError(f"per_query_values must be finite numbers in one dimension, got the shape {values.shape}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be above 0 and below 1, got {confidence}")
    keys = np.arange(len(values)) if groups is None else checked_ids(groups, "groups", len(values))
    kept = ~np.isnan(values)
    if not kept.any():
        raise ValueError("per_query_values holds no number")
    _, member = np.unique(keys[kept], return_inverse=True)
    sums, counts = np.bincount(member, values[kept]), np.bincount(member)

    generator = np.random.default_rng(seed)
    means = np.empty(repeats)
    step = max(1, BLOCK_BYTES // (8 * len(sums)))
    for begin in range(0, repeats, step):
        drawn = generator.integers(len(sums), size=(min(step, repeats - begin), len(sums)))
        means[begin : begin + step] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
