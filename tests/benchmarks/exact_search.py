"""Exact search in half precision in CPU seconds, which other processes move less than they move the clock.

``python -m tests.benchmarks.exact_search 1000000`` prints the rows of ``tireid benchmark`` for such a gallery of width
512, on one thread, and the share of the rate of a product of 2,048 x 2,048 that 64 queries at a time reach.
"""

from __future__ import annotations

import sys
import time

import torch

from tests.benchmarks.step_profile import best_rate
from tireid.search import benchmark

WIDTH = 512


def measure(items: int) -> str:
    """The table of :mod:`tests.benchmarks.exact_search`."""
    torch.set_num_threads(1)
    features = benchmark.clustered(items, WIDTH)
    names = [f"camera{i % 15}/{i:07d}.jpg" for i in range(items)]
    gallery = benchmark.Gallery(benchmark.Numbers(benchmark.near(features, 256)), features, names, root="")
    loading = benchmark.loading(gallery)
    rows = benchmark.exact_search(gallery.half(), 10, time.process_time)
    rate = 2 * 64 * items * WIDTH / rows[1]["tireid_s"]
    share = f"64 queries: {rate / best_rate(torch.float32):.2f} of the float32 matrix rate"
    return f"{benchmark.table([loading, *rows])}\n{share}"


if __name__ == "__main__":
    print(measure(int(sys.argv[1])))
