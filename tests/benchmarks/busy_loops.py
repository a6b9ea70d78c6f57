"""How a training step slows down beside other processes that are always busy.

``python -m tests.benchmarks.busy_loops 0 1 2 4`` prints a row for each number of busy loops: threads that sleep while
they wait (`OMP_WAIT_POLICY=PASSIVE`, which `tireid` sets), and threads that spin. With a fair share of the cores a step
takes (cores + loops) / cores of its time alone. The figures mean something where nothing else runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

CORES = len(os.sched_getaffinity(0))


def step() -> float:
    """Seconds of a step of `paper` on the bundled `tiny`, 64 pairs, a thread for each core."""
    import tireid

    data = tireid.load_dataset("synthetic", people=(40, 16, 24))
    config = tireid.Config.preset("paper", epochs=4).override(["training.log_every=1000", "training.evaluate_every=4"])
    with tempfile.TemporaryDirectory() as folder:
        metrics = tireid.train(config, folder, data=data).metrics
    return float(metrics["train_seconds"] / metrics["steps"])


def beside(loops: int, policy: str) -> float:
    """:func:`step` in a new process, while `loops` others never sleep."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        command = [sys.executable, "-m", "tests.benchmarks.busy_loops", "step"]
        environment = os.environ | {"OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(CORES)}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return float(done.stdout.split()[-1])
    finally:
        for other in others:
            other.kill()


if __name__ == "__main__":
    if sys.argv[1] == "step":
        print(step())
    else:
        alone = {policy: beside(0, policy) for policy in ("PASSIVE", "ACTIVE")}
        for loops in map(int, sys.argv[1:]):
            found = alone if loops == 0 else {policy: beside(loops, policy) for policy in alone}
            told = ", ".join(f"{name.lower()} {now:.2f} s ({now / alone[name]:.2f})" for name, now in found.items())
            print(f"{loops} loops, {CORES} cores: {told}; in proportion {(CORES + loops) / CORES:.2f}", flush=True)
