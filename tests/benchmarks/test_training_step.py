"""What a training step of the bundled model costs on one core, in float32 and in bfloat16 as the loop runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tireid


@pytest.mark.slow
def test_steps_are_timed_in_both_precisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tireid.load_dataset("synthetic", people=(40, 16, 24))
    threads, seconds = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    try:
        for precision in ("fp32", "bf16"):
            options = [f"training.precision={precision}", "training.log_every=1000"]
            config = tireid.Config.preset("paper", epochs=4).override(options)
            run = tireid.train(config, tmp_path / precision, data=data)
            seconds[precision] = run.metrics["train_seconds"] / run.metrics["steps"]
    finally:
        torch.set_num_threads(threads)
    with capsys.disabled():
        words = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
        print(f"\na step of `paper` on one core, {run.metrics['steps']} steps of 64 pairs: {words}")
    assert run.metrics["steps"] == 20
