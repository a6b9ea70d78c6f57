"""What the layers of the towers and heads share: CLIP's activation, and the precision of what flows through them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), CLIP's activation, as SiLU(1.702 x) / 1.702: one tensor is kept for the backward, not two.

    >>> QuickGELU()(torch.tensor([0.0, 1.0])).tolist()
    [0.0, 0.845795750617981]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return F.silu(1.702 * x).mul_(1 / 1.702)


class LayerNorm(nn.LayerNorm):
    """Layer norm with an output as :func:`autocast` says: a GPU would cast it for queries, keys and values apart.

    >>> with torch.autocast("cpu", torch.bfloat16):
    ...     LayerNorm(2)(torch.tensor([[1.0, 2.0]])).dtype
    torch.bfloat16
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., D), kept."""
        return autocast(super().forward(x))


def autocast(x: Tensor) -> Tensor:
    """`x` in the dtype of autocast where that is on, so that the sums of residual blocks are too."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x
