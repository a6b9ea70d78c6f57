"""What a training step of the bundled model costs on one core, by precision and by what is recovered."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tireid

VARIANTS = {
    "fp32": ["training.precision=fp32"],
    "bf16": ["training.precision=bf16"],
    "bf16 and recovery of the image token": ["training.precision=bf16", "recovery.token=image"],
}


@pytest.mark.slow
def test_steps_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tireid.load_dataset("synthetic", people=(40, 16, 24))
    threads, seconds = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    try:
        for name, options in VARIANTS.items():
            config = tireid.Config.preset("paper", epochs=2).override([*options, "training.log_every=1000"])
            run = tireid.train(config, tmp_path / name, data=data)
            seconds[name] = run.metrics["train_seconds"] / run.metrics["steps"]
    finally:
        torch.set_num_threads(threads)
    with capsys.disabled():
        words = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
        print(f"\na step of `paper` on one core, {run.metrics['steps']} steps of 64 pairs: {words}")
    assert run.metrics["steps"] == 10


@pytest.mark.slow
def test_a_step_in_chunks_needs_hardly_more_memory_for_four_times_the_pairs() -> None:
    frugal = {"MALLOC_MMAP_THRESHOLD_": "100000", "MALLOC_TRIM_THRESHOLD_": "0"}

    def megabytes(pairs: int, chunk: int) -> float:
        command = [sys.executable, "-m", "tests.benchmarks.step_memory", "one", "paper", str(pairs), str(chunk)]
        done = subprocess.run(command, env=os.environ | frugal, capture_output=True, text=True, check=True)
        return float(done.stdout.split()[0])

    few, many, whole = megabytes(256, 64), megabytes(1024, 64), megabytes(256, 0)
    assert many < 1.5 * few
    assert whole > 2.5 * few
