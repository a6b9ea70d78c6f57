"""How the cost of the metrics grows: CPU seconds and peak memory of the ranks of n x n items, for several n.

``python -m tests.benchmarks.metrics_growth 64 50000 100000`` measures width 64 at both sizes, in one process and the
smaller one first, so that each peak is that of the largest so far. `quadratic` compares a row with the one before it:
1 where the seconds grow with the square of the items, and `product` is one float32 product of the same size.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tireid.search.benchmark import Row, clustered
from tireid.search.ranking import rank_relevant


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Of one run, of all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def cost(items: int, width: int) -> Row:
    """One size; three items a person, as in the table of ``tireid benchmark``."""
    ids = np.arange(items) // 3
    queries, gallery = (clustered(items, width, 3, 2.2, seed) + clustered(items, width, 3, 0.0) for seed in (1, 2))

    def product() -> None:
        for begin in range(0, items, 256):
            queries[begin : begin + 256] @ gallery.T

    row = {"items": items, "tireid_s": cpu_seconds(lambda: rank_relevant(queries, gallery, ids, ids))}
    row["MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6
    return row | {"product_s": cpu_seconds(product)}


def growth(width: int, sizes: list[int]) -> pd.DataFrame:
    """One row a size, ascending."""
    table = pd.DataFrame([cost(items, width) for items in sorted(sizes)])
    times, larger = table["tireid_s"] / table["tireid_s"].shift(), table["items"] / table["items"].shift()
    return table.assign(quadratic=times / larger**2)


if __name__ == "__main__":
    print(growth(int(sys.argv[1]), [int(size) for size in sys.argv[2:]]).round(2).to_string(index=False))
