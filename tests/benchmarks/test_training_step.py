"""What a training step of the bundled model needs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_step_in_chunks_needs_hardly_more_memory_for_four_times_the_pairs() -> None:
    frugal = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "0"}

    def megabytes(pairs: int, chunk: int) -> float:
        command = [sys.executable, "-m", "tests.benchmarks.step_memory", "one", "paper", str(pairs), str(chunk)]
        done = subprocess.run(command, env=os.environ | frugal, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0])

    few, many, whole = megabytes(128, 32), megabytes(512, 32), megabytes(128, 0)
    assert many < 1.5 * few
    assert whole > 2.5 * few
