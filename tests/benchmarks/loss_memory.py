"""What the losses on a large batch hold for their gradient, and what a block of rows at a time costs.

``python -m tests.benchmarks.loss_memory circle 4096 16384`` prints, for features of width 128, the MB that autograd
holds beside the features when the loss is known, the highest resident memory above that of the process before it, and
the CPU seconds of loss and gradient; `whole` keeps every matrix of pairs, as if the batch were one block. Each row is a
process of its own. The uncertainty of the features counts too.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import torch

from tireid.losses import ALIGNMENTS, common
from tireid.model.gaussian import identity_variance


def peak() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def cost(kind: str, pairs: int, way: str) -> str:
    """One row."""
    torch.set_num_threads(1)
    if way == "whole":
        common.CELLS = pairs**2
    image, text = torch.randn(2, pairs, 128, generator=torch.Generator().manual_seed(0)).unbind()
    features, ids = (image.requires_grad_(), text.requires_grad_()), torch.arange(pairs) // 4
    held: dict[int, int] = {}

    def hold(x: torch.Tensor) -> torch.Tensor:
        held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    before, began = peak(), time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(hold, lambda x: x):
        loss = ALIGNMENTS[kind]().compute(*features, ids)
        loss = loss + sum(identity_variance(x, ids).mean() for x in features)
    for x in features:
        held.pop(x.untyped_storage().data_ptr(), None)
    loss.backward()
    seconds = time.process_time() - began
    return (
        f"{kind} {pairs} pairs, {way}: holds {sum(held.values()) / 1e6:.0f} MB, peak +{(peak() - before) / 1e6:.0f} "
        f"MB, {seconds:.2f} CPU s"
    )


if __name__ == "__main__":
    if sys.argv[-1] in ("whole", "blocks"):
        print(cost(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
    else:
        for pairs in sys.argv[2:]:
            for way in ("whole", "blocks"):
                command = [sys.executable, "-m", "tests.benchmarks.loss_memory", sys.argv[1], pairs, way]
                subprocess.run(command, check=True)
