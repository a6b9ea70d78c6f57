"""The global batch: several processes compute every loss on all their pairs together.

Data-parallel training averages the gradients of W processes. Each computes the same loss on the gathered batch, and
the backward of :func:`gather` adds up what every process asks of a process's own rows. The average is then exactly the
gradient of one process that has the whole batch.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Number of processes; 1 without an initialised process group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor) for _ in range(world_size())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(world_size())[rank()]


def gather(tensor: Tensor) -> Tensor:
    """Rows of all processes, (W * B, ...) in order of rank, with gradient; every process brings the same shape."""
    return tensor if world_size() == 1 else _Gather.apply(tensor)  # type: ignore[no-any-return, no-untyped-call]


def global_rows(rows: int) -> int:
    """How many rows all processes hold, if each holds so many."""
    return rows * world_size()


def local_rows(tensor: Tensor) -> Tensor:
    """This process's rows of a gathered tensor."""
    return tensor.chunk(world_size())[rank()]


def shared_generator(device: torch.device) -> torch.Generator | None:
    """A generator in the same state on every process, seeded by the first; None (the default one) for one process."""
    if world_size() == 1:
        return None
    seed = torch.randint(2**31, (1,)).to(device)
    dist.broadcast(seed, src=0)
    return torch.Generator(device=device).manual_seed(int(seed))
