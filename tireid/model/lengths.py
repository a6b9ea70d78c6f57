"""Captions of one batch, shorter ones apart from longer ones, so that padding is not computed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

GROUPS = 4
"""Into how many parts a batch is cut: the longest caption of nearly every batch fills the whole context."""


def reads_lengths(x: Tensor) -> bool:
    """Whether shapes may depend on numbers in `x`: reading them makes an accelerator wait and a compiler stop."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def by_length(run: Callable[[Tensor, int], Tensor], lengths: Tensor, width: int) -> Tensor:
    """Rows of similar length together: `run(rows, longest)` returns (n, longest, D); the result is (B, width, D).

    `lengths` int64 (B,). Positions behind the longest of a group are 0, so nothing may read what follows a row's end.
    Where :func:`reads_lengths` is False everything runs at once.

    >>> ids = torch.arange(6.0).view(2, 3, 1)
    >>> by_length(lambda rows, longest: ids[rows, :longest], torch.tensor([3, 1]), 3).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0, 0.0, 0.0]
    """
    if not reads_lengths(lengths):
        return run(torch.arange(len(lengths), device=lengths.device), width)
    order = lengths.argsort(stable=True)
    parts = []
    for rows in order.chunk(GROUPS):
        longest = int(lengths[rows[-1]])
        parts.append(F.pad(run(rows, longest), (0, 0, 0, width - longest)))
    return torch.cat(parts)[order.argsort()]
