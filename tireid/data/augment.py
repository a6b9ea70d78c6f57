"""Training pictures, changed at random on the device; needs kornia, which comes with the extra `train`."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from tireid.basics.extras import extra
from tireid.data.erasing import IrraErasing
from tireid.data.images import IMAGE_MEAN, Size, standardize


class Augment(nn.Module):
    """Training pictures: flip, zero pad and random crop, normalise, erase; batched, on the pictures' device.

    Source: IRRA's recipe. A picture is flipped with probability `flip`, padded with `pad` black pixels on every side
    and cropped back to `size` at a random place, normalised, and with probability `erase` loses a rectangle of 2% to
    40% of its area (sides rounded to pixels) to the mean colour, which is 0 after normalisation; with `erasing` `irra`
    as :class:`tireid.data.erasing.IrraErasing` does. Draws come from torch's global generator: `torch.manual_seed`
    repeats them.

    >>> augment = Augment((96, 32), flip=0.5, pad=4, erase=0.5)
    >>> augment(torch.zeros(8, 3, 96, 32, dtype=torch.uint8)).shape
    torch.Size([8, 3, 96, 32])
    """

    def __init__(
        self,
        size: Size,
        flip: float = 0.5,
        pad: int = 10,
        erase: float = 0.5,
        erasing: Literal["mean", "irra"] = "mean",
    ) -> None:
        super().__init__()
        with extra("train"):
            import kornia.augmentation as kornia
        self.size = size
        self.move = nn.Sequential()
        if flip > 0:
            self.move.append(kornia.RandomHorizontalFlip(p=flip))
        if pad > 0:  # slices copy pixels; kornia's other mode interpolates them
            self.move.append(kornia.RandomCrop(size, padding=pad, cropping_mode="slice"))
        self.erase: nn.Module = nn.Identity()
        if erase > 0 and erasing == "irra":
            self.erase = IrraErasing(erase, IMAGE_MEAN)
        elif erase > 0:
            self.erase = kornia.RandomErasing(p=erase, scale=(0.02, 0.4), value=0.0)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Uint8 (B, 3, H, W) to normalised float32 of the same shape; TypeError or ValueError for anything else."""
        if images.dtype != torch.uint8:
            raise TypeError(f"Augment expects uint8 pictures in 0..255, got {images.dtype}")
        if images.shape[1:] != (3, *self.size):
            raise ValueError(
                f"Augment is for pictures (B, 3, {self.size[0]}, {self.size[1]}), got {tuple(images.shape)}"
            )
        return cast(Tensor, self.erase(standardize(self.move(images.float() / 255))))
