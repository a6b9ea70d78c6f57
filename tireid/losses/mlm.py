"""Predicting the hidden words of masked captions."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from tireid.losses.common import check_ids, check_range, full_precision


@full_precision
def mlm_loss(logits: Tensor, labels: Tensor, normalizer: Tensor | float | None = None) -> Tensor:
    """Cross-entropy of the chosen tokens only.

    `logits` (n, V) and `labels` (n,) are already gathered at the chosen positions; a label of -100 does not count.
    Their summed cross-entropy is divided by `normalizer`, by default n; with several processes pass the global count.
    No chosen token gives 0.
    Source: Devlin et al., BERT, 2019, as IRRA uses it. Returns a scalar.

    Raises:
        ValueError: wrong shapes or types.

    >>> import torch
    >>> round(mlm_loss(torch.zeros(3, 4), torch.tensor([0, 1, 2])).item(), 4)
    1.3863
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(f"logits must be a floating-point matrix, got {tuple(logits.shape)} of {logits.dtype}")
    check_ids("labels", labels, len(logits))
    check_range(labels.where(labels != -100, 0), logits.shape[1], "ids of words, or -100 for what does not count")
    count = max(len(labels), 1) if normalizer is None else normalizer
    return F.cross_entropy(logits, labels, reduction="sum") / count
