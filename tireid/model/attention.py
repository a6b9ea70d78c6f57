"""Attention of short sequences by the kernel that is fastest where it runs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface

NAME = "tireid"
"""What transformers calls :func:`attend`."""


def plain(x: Tensor) -> bool:
    """Whether attention on `x` is written out: in bfloat16 on a processor torch's fused kernel takes twice as long."""
    return x.dtype == torch.bfloat16 and x.device.type == "cpu"


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    is_causal: bool = False,
    **options: Any,
) -> tuple[Tensor, None]:
    """(B, heads, L, d) each to (B, L, heads, d), as :class:`transformers.AttentionInterface` asks.

    With `is_causal` a position sees itself and those before it; `attention_mask` must be None.
    """
    assert attention_mask is None
    dropout = options.get("dropout", 0.0)
    if plain(query):
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        q, k, v = (x.flatten(0, 1) for x in (query, key, value))
        later = torch.full((q.shape[1], k.shape[1]), float("-inf") if is_causal else 0.0, dtype=q.dtype).triu(1)
        weights = torch.baddbmm(later, q, k.transpose(1, 2), alpha=scale).softmax(dim=-1)
        out = torch.bmm(F.dropout(weights, dropout) if dropout else weights, v).view_as(query)
    else:
        out = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, is_causal=is_causal, scale=scaling)
    return out.transpose(1, 2), None


AttentionInterface.register(NAME, attend)
