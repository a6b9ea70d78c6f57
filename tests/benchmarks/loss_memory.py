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
from weakref import WeakSet

import torch

from tireid.losses import ALIGNMENTS, common
from tireid.model.gaussian import identity_variance


def peak() -> int:
    """Bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Saved:
    """Hooks of autograd that know which of the tensors it saved are still there."""

    def __init__(self) -> None:
        self._alive: WeakSet[_Held] = WeakSet()

    def hold(self, x: torch.Tensor) -> _Held:
        held = _Held(x.detach())  # itself could be part of a circle
        self._alive.add(held)
        return held

    def give(self, held: _Held) -> torch.Tensor:
        return held.tensor

    def tensors(self) -> list[torch.Tensor]:
        """One of each storage."""
        return list({held.tensor.untyped_storage().data_ptr(): held.tensor for held in self._alive}.values())


class _Held:
    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def cost(kind: str, pairs: int, way: str) -> str:
    """One row."""
    torch.set_num_threads(1)
    if way == "whole":
        common.CELLS = pairs**2
    image, text = torch.randn(2, pairs, 128, generator=torch.Generator().manual_seed(0)).unbind()
    features, ids = (image.requires_grad_(), text.requires_grad_()), torch.arange(pairs) // 4
    saved, before, began = Saved(), peak(), time.process_time()
    with torch.autograd.graph.saved_tensors_hooks(saved.hold, saved.give):
        loss = ALIGNMENTS[kind]().compute(*features, ids)
        loss = loss + sum(identity_variance(x, ids).mean() for x in features)
    held = sum(x.untyped_storage().nbytes() for x in saved.tensors())
    held -= sum(x.untyped_storage().nbytes() for x in features)
    loss.backward()
    seconds = time.process_time() - began
    return (
        f"{kind} {pairs} pairs, {way}: holds {held / 1e6:.0f} MB, peak +{(peak() - before) / 1e6:.0f} "
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
