"""How a training step slows down beside other processes that are always busy.

``python -m tests.benchmarks.busy_loops 0 1 2`` prints a row for each number of busy loops: a process of one thread for
each core, threads of one process that sleep while they wait (`OMP_WAIT_POLICY=PASSIVE`, which `tireid` sets), and
threads that spin. With a fair share of the cores a step takes (cores + loops) / cores of its time alone. The figures
mean something where nothing else runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

CORES = len(os.sched_getaffinity(0))
WAYS = {"processes": (CORES, "PASSIVE"), "threads sleep": (1, "PASSIVE"), "threads spin": (1, "ACTIVE")}


def step(processes: int) -> float:
    """Seconds of a step of `paper` on the bundled `tiny`, 64 pairs."""
    import tireid
    from tireid.train import train_in_processes

    data = tireid.load_dataset("synthetic", people=(40, 16, 24))
    config = tireid.Config.preset("paper", epochs=4).override(["training.log_every=1000", "training.evaluate_every=4"])
    with tempfile.TemporaryDirectory() as folder:
        metrics = train_in_processes(config, folder, processes, data=data).metrics
    return float(metrics["train_seconds"] / metrics["steps"])


def beside(loops: int, processes: int, policy: str) -> float:
    """:func:`step` in a new process, while `loops` others never sleep."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        command = [sys.executable, "-m", "tests.benchmarks.busy_loops", "step", str(processes)]
        environment = os.environ | {"OMP_WAIT_POLICY": policy, "OMP_NUM_THREADS": str(CORES)}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return float(done.stdout.split()[-1])
    finally:
        for other in others:
            other.kill()


if __name__ == "__main__":
    if sys.argv[1] == "step":
        print(step(int(sys.argv[2])))
    else:
        alone = {name: beside(0, *way) for name, way in WAYS.items()}
        for loops in map(int, sys.argv[1:]):
            found = alone if loops == 0 else {name: beside(loops, *way) for name, way in WAYS.items()}
            told = ", ".join(f"{name} {now:.2f} s ({now / alone[name]:.2f})" for name, now in found.items())
            print(f"{loops} loops, {CORES} cores: {told}; in proportion {(CORES + loops) / CORES:.2f}", flush=True)
