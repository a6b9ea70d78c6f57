"""Classification of the training people."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.circle import circle_loss
from tireid.losses.common import check_ids, check_pairs, check_range, cosines, full_precision

FIX = "one class per training person; map raw person ids with Split.label_of"


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
    check_range(labels, image_logits.shape[1], FIX)
    return (F.cross_entropy(image_logits, labels) + F.cross_entropy(text_logits, labels)) / 2


@full_precision
def class_circle_loss(
    image: Tensor, text: Tensor, classes: Tensor, labels: Tensor, margin: float = 0.25, gamma: float = 64.0
) -> Tensor:
    """Half the sum of the circle losses of images and of texts against one shared vector per training person.

    Features (B, D) and `classes` (C, D) are compared by their cosine; the own class is the only positive, all others
    are negatives. Source: Sun et al., Circle Loss, CVPR 2020, section 3.1, class-level labels; sharing the vectors
    between the modalities is inferred. `labels` (B,) integers in 0..C-1. Returns a scalar.

    Raises:
        ValueError: wrong shapes, or a label outside 0..C-1.

    >>> import torch
    >>> x = torch.eye(2)
    >>> round(class_circle_loss(x, x, x, torch.tensor([0, 1]), gamma=16).item(), 4)
    0.1269
    """
    check_pairs("image", "text", image, text)
    check_ids("labels", labels, len(image))
    check_range(labels, len(classes), FIX)
    own = labels[:, None] == torch.arange(len(classes), device=labels.device)
    losses = [circle_loss(cosines(features, classes), own, margin, gamma) for features in (image, text)]
    return torch.stack(losses).sum() / 2
