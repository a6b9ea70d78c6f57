"""What the processor can do."""

from __future__ import annotations

import torch


def computes_in_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16 (AVX512-BF16 or AMX).

    >>> computes_in_bfloat16() in (True, False)
    True
    """
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
