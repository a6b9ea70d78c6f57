"""Random erasing as IRRA's code has it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

AREA, ASPECT, TRIES = (0.02, 0.4), (0.3, 3.3), 10


class IrraErasing(nn.Module):
    """Fills a rectangle of each normalised picture with `value`, with probability `p`.

    Source: torchvision's RandomErasing as IRRA calls it (datasets/build.py): area 2% to 40%, aspect (height to width)
    log-uniform in 0.3 to 3.3, sides rounded; a rectangle as long as the picture is drawn again, ten times at most, then
    nothing is erased. IRRA fills with CLIP's mean *after* normalisation, which is RGB 156, 147, 133 and not the mean
    colour. Draws come from torch's global generator.

    >>> erased = IrraErasing(p=1.0, value=(1.0, 1.0, 1.0))(torch.zeros(8, 3, 96, 32))
    >>> bool((erased.mean(dim=(1, 2, 3)) <= 0.45).all())
    True
    """

    def __init__(self, p: float, value: Sequence[float]) -> None:
        super().__init__()
        self.p = p
        self.value: Tensor
        self.register_buffer("value", torch.tensor(value).view(3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Float (B, 3, H, W), kept."""
        drawn = rectangles(len(images), (images.shape[2], images.shape[3]), self.p)
        rows, columns, erased = (part.to(images.device, non_blocking=True) for part in drawn)
        y, x = (torch.arange(side, device=images.device) for side in images.shape[2:])
        inside = (y[:, None] >= rows[:, :1, None]) & (y[:, None] < rows[:, 1:, None])
        inside = inside & (x >= columns[:, :1, None]) & (x < columns[:, 1:, None]) & erased[:, None, None]
        return torch.where(inside[:, None], self.value.to(images), images)


def rectangles(count: int, size: tuple[int, int], p: float) -> tuple[Tensor, Tensor, Tensor]:
    """Rows int64 (B, 2), columns int64 (B, 2), from and up to, and whether to erase, bool (B,); on the CPU."""
    height, width = size
    area = height * width * torch.empty(count, TRIES).uniform_(*AREA)
    aspect = torch.empty(count, TRIES).uniform_(math.log(ASPECT[0]), math.log(ASPECT[1])).exp()
    h, w = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
    fits = (h < height) & (w < width)
    first = fits.int().argmax(dim=1, keepdim=True)
    h, w = h.gather(1, first), w.gather(1, first)
    top = (torch.rand(count, 1) * (height - h + 1)).long()
    left = (torch.rand(count, 1) * (width - w + 1)).long()
    erased = (torch.rand(count) < p) & fits.any(dim=1)
    return torch.cat([top, top + h], dim=1), torch.cat([left, left + w], dim=1), erased
