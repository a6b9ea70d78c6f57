"""What the layers of the towers and heads share: CLIP's activation, and the precision of what flows through them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 1.702
"""Of CLIP's activation: x * sigmoid(1.702 x) is SiLU(1.702 x) / 1.702."""


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), CLIP's activation; for a gradient by SiLU, which keeps one tensor for it and not two.

    >>> QuickGELU()(torch.tensor([0.0, 1.0])).tolist()
    [0.0, 0.845795750617981]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, kept."""
        return _quick_gelu(x)


def _quick_gelu(x: Tensor) -> Tensor:
    return F.silu(SLOPE * x).mul_(1 / SLOPE) if torch.is_grad_enabled() else x * torch.sigmoid(SLOPE * x)


def perceptron(x: Tensor, first: nn.Linear, second: nn.Linear) -> Tensor:
    """`second` of :class:`QuickGELU` of `first` of x (..., D): (..., D).

    For the gradient the output of `first` is kept, and of what is made of it and of the weights no copy.
    Without one the numbers are those of CLIP's code to the bit.
    """
    if not torch.is_grad_enabled():
        return F.linear(_quick_gelu(first(x)), second.weight, second.bias)
    weights = (first.weight, first.bias, second.weight, second.bias)
    out: Tensor = _Perceptron.apply(x, *weights)  # type: ignore[no-untyped-call]
    return out


class _Perceptron(torch.autograd.Function):
    """The weights take the activation's factors: they have fewer numbers than what flows between them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, b: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
        hidden = F.linear(x, SLOPE * w, SLOPE * b)
        ctx.save_for_backward(x, hidden, w, w2)
        return F.linear(F.silu(hidden), w2 / SLOPE, b2)

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, w, w2 = ctx.saved_tensors
        above = given[0].to(hidden.dtype)
        below = torch.ops.aten.silu_backward(above @ (w2 / SLOPE).to(above.dtype), hidden)
        _, first, _, second, _ = ctx.needs_input_grad
        ours = _weights(below, x) if first else None
        theirs = _weights(above, F.silu(hidden)) if second else None
        return (
            below @ (SLOPE * w).to(above.dtype),
            *((SLOPE * ours[0], SLOPE * ours[1]) if ours else (None, None)),
            *((theirs[0] / SLOPE, theirs[1]) if theirs else (None, None)),
        )


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
