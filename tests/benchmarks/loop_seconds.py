"""CPU seconds of a step of the training loop on the bundled model: `paper`, one thread, bfloat16.

``python tests/benchmarks/loop_seconds.py [OPTION=VALUE ...]`` measures ten steps after the fifth, of whichever tireid
is installed or named by PYTHONPATH: so two commits are compared from two checkouts, in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

import torch
from accelerate.optimizer import AcceleratedOptimizer

import tireid

FIRST, LAST = 5, 15


class Enough(Exception):
    """The steps have been measured."""


def main() -> None:
    """Print the mean and the least."""
    torch.set_num_threads(1)
    stamps: list[float] = []
    ends_a_step = AcceleratedOptimizer.zero_grad

    def timed(self: Any, *args: Any, **options: Any) -> None:
        ends_a_step(self, *args, **options)
        stamps.append(time.process_time())
        if len(stamps) > LAST:
            raise Enough

    AcceleratedOptimizer.zero_grad = timed  # type: ignore[method-assign]
    data = tireid.load_dataset("synthetic", people=(160, 16, 24))
    config = tireid.Config.preset("paper", dataset="synthetic", epochs=2)
    options = ["training.precision=bf16", "training.log_every=1000", "training.evaluate_every=100", *sys.argv[1:]]
    try:
        tireid.train(config.override(options), tempfile.mkdtemp(), data=data)
    except Enough:
        steps = [b - a for a, b in zip(stamps[FIRST:], stamps[FIRST + 1 :], strict=False)]
        print(f"{tireid.__file__}: {sum(steps) / len(steps):.3f} CPU seconds a step, at least {min(steps):.3f}")


if __name__ == "__main__":
    main()
