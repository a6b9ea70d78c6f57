"""Classification of the training people."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.common import check_ids, check_pairs, full_precision


@full_precision
def identity_loss(image_logits: Tensor, text_logits: Tensor, labels: Tensor) -> Tensor:
    """Half the sum of the cross-entropies of image and text logits, made by one shared classifier.

    Source: Zheng et al., Dual-Path (TOMM 2020), as IRRA uses it. Logits (B, C); `labels` (B,) integers in 0..C-1.
    Returns a scalar.

    Raises:
        ValueError: wrong shapes, or a label outside 0..C-1.

    >>> import torch
    >>> round(identity_loss(torch.zeros(2, 4), torch.zeros(2, 4), torch.tensor([0, 3])).item(), 4)
    1.3863
    """
    check_pairs("image_logits", "text_logits", image_logits, text_logits)
    check_ids("labels", labels, len(image_logits))
    _check_range(labels, image_logits.shape[1])
    return (F.cross_entropy(image_logits, labels) + F.cross_entropy(text_logits, labels)) / 2


def _check_range(labels: Tensor, classes: int) -> None:
    """On an accelerator, or when compiled, cross-entropy's own check must do: reading the labels back would wait."""
    if torch.compiler.is_compiling() or labels.device.type != "cpu":
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise ValueError(
            f"labels must lie in 0..{classes - 1} (one class per training person), got {low}..{high}; "
            "map raw person ids with Split.label_of"
        )
