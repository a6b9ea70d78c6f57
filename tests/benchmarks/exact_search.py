"""Exact search in half precision in CPU seconds, which other processes move less than they move the clock.

``python -m tests.benchmarks.exact_search 1000000`` prints the rows of ``tireid benchmark`` for such a gallery of width
512, on one thread.
"""

from __future__ import annotations

import sys
import time

import torch

from tireid.search import benchmark

WIDTH = 512


def measure(items: int) -> str:
    """The table of :mod:`tests.benchmarks.exact_search`."""
    torch.set_num_threads(1)
    features = benchmark.clustered(items, WIDTH)
    names = [f"camera{i % 15}/{i:07d}.jpg" for i in range(items)]
    gallery = benchmark.Gallery(benchmark.Numbers(benchmark.near(features, 256)), features, names, root="")
    loading = benchmark.loading(gallery)
    limits = benchmark.Limits.measure(time.process_time)
    return benchmark.table([loading, *benchmark.exact_search(gallery.half(), 10, time.process_time, limits)])


if __name__ == "__main__":
    print(measure(int(sys.argv[1])))
