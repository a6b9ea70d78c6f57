"""Peak memory of a whole step of the bundled `tiny` on large batches, encoded 64 pairs at a time or at once.

``python -m tests.benchmarks.step_memory paper 1024 4096`` prints, for each number of pairs and for `training.chunk=64`
and the batch at once, the highest resident memory above that before the step, and the CPU seconds of loss and gradient.
The pixels are there before. Each row is a process of its own. `MALLOC_MMAP_THRESHOLD_=100000 MALLOC_TRIM_THRESHOLD_=0`
before the command lets glibc give back what was freed, so that the rows tell what is needed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import torch

from tireid import Config, TIReID


def cost(preset: str, pairs: int, chunk: int | None) -> tuple[float, float]:
    """(MB, CPU seconds) of one step in this process."""
    torch.set_num_threads(1)
    options = [] if chunk is None else [f"training.chunk={chunk}"]
    model = TIReID.build(Config.preset(preset, dataset="synthetic").override(options), pairs // 4).train()
    draws = torch.Generator().manual_seed(0)
    config = model.config.image
    pixels = torch.randn(pairs, 3, config.height, config.width, generator=draws)
    captions = [f"a person with {number} things in a long red coat" for number in range(pairs)]
    ids, people = model.tokenizer(captions, trim=True), torch.arange(pairs) // 4
    model(pixels[:64], ids[:64], people[:64]).loss.backward()  # what any step needs is there
    before, began = kilobytes("VmRSS"), time.process_time()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew: VmHWM is VmRSS
    model(pixels, ids, people).loss.backward()
    return (kilobytes("VmHWM") - before) * 1024 / 1e6, time.process_time() - began


def kilobytes(name: str) -> int:
    """Of this process, as Linux tells it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0])


if __name__ == "__main__":
    if sys.argv[1] == "one":
        megabytes, seconds = cost(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) or None)
        print(f"{megabytes:.0f} MB, {seconds:.0f} CPU s")
    else:
        for pairs in sys.argv[2:]:
            for chunk, way in (("64", "64 at a time"), ("0", "at once")):
                print(f"{sys.argv[1]}, {pairs} pairs, {way}: ", end="", flush=True)
                subprocess.run([sys.executable, "-m", "tests.benchmarks.step_memory", "one", sys.argv[1], pairs, chunk])
