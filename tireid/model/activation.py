"""What the layers of the towers and heads share: CLIP's activation, and the precision of what flows through them."""

from __future__ import annotations

from typing import Any

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
        return _quick_gelu(x)


def _quick_gelu(x: Tensor) -> Tensor:
    return F.silu(1.702 * x).mul_(1 / 1.702)


def perceptron(x: Tensor, first: nn.Linear, second: nn.Linear) -> Tensor:
    """`second` of :class:`QuickGELU` of `first` of x (..., D): (..., D).

    For the gradient the output of `first` is kept, and of what is made of it and of the weights no copy.
    """
    weights = (first.weight, first.bias, second.weight, second.bias)
    out: Tensor = _Perceptron.apply(x, *weights)  # type: ignore[no-untyped-call]
    return out


class _Perceptron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        hidden = F.linear(x, w, b)
        ctx.save_for_backward(x, hidden, w, w2)
        return F.linear(_quick_gelu(hidden), w2, b2)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, w, w2 = ctx.saved_tensors
        above = given[0].to(hidden.dtype)
        below = torch.ops.aten.silu_backward(above @ w2.to(above.dtype), 1.702 * hidden)
        _, first, _, second, _ = ctx.needs_input_grad
        ours = _weights(below, x) if first else (None, None)
        return below @ w.to(above.dtype), *ours, *(_weights(above, _quick_gelu(hidden)) if second else (None, None))


def _weights(above: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of a linear layer's weight and bias from that of its output and from its input."""
    rows = above.flatten(0, -2)
    return rows.T @ x.flatten(0, -2).to(above.dtype), rows.sum(dim=0)


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
