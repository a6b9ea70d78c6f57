"""Which regions of a picture a query owes its score to: what the cosine loses where they are hidden.

Zeiler and Fergus, "Visualizing and understanding convolutional networks" (ECCV 2014, section 4.2), with a cosine in the
place of a class's probability.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.model import TIReID
from tireid.model.encoding import evaluating


def hidden_features(model: TIReID, pixels: Tensor, patches: int = 3, batch_size: int = 64) -> Tensor:
    """(1 + h w, D) on the CPU, L2-normalised: of a picture, and of it without a square around each of its patches.

    Args:
        model: with a grid of (h, w) patches.
        pixels: (3, H, W) in CLIP's scale. What is hidden takes the mean colour, 0.
        patches: side of the square.
    """
    (rows, columns), size = model.backbone.grid, model.backbone.image_size[0] // model.backbone.grid[0]
    views = pixels.repeat(1 + rows * columns, 1, 1, 1)
    for place in range(rows * columns):
        top, left = ((index - patches // 2) * size for index in divmod(place, columns))
        views[1 + place, :, max(0, top) : top + patches * size, max(0, left) : left + patches * size] = 0.0
    with evaluating(model):
        parts = [model.backbone.encode_image(part.to(model.device)).pooled.cpu() for part in views.split(batch_size)]
    return F.normalize(torch.cat(parts).float(), dim=1)
