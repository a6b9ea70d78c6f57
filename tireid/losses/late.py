"""The circle loss as a second term that comes in late, beside similarity distribution matching."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from tireid.losses.alignment import ramp
from tireid.losses.circle import CircleLoss
from tireid.losses.sdm import sdm_loss


class LateCircleLoss(CircleLoss):
    """Options of SDM with a circle loss beside it, whose weight rises over the first part of the training.

    Source: inferred, from public practice in re-identification, where a weight that rises to 0.1 in the first third
    does better than a fixed one. The other options are those of the circle loss.

    >>> import torch
    >>> loss, eye, people = LateCircleLoss(), torch.eye(2), torch.tensor([7, 8])
    >>> [round(loss.compute(eye, eye.flip(0), people, progress).item(), 2) for progress in (0.0, 0.5)]
    [36.84, 60.84]
    """

    alignment: Literal["late_circle"] = "late_circle"  # type: ignore[assignment]
    temperature: float = Field(0.02, gt=0)
    """Of SDM."""
    circle: float = Field(0.1, ge=0)
    """Weight of the circle loss in the end."""
    rise: float = Field(0.33, ge=0, le=1)
    """Fraction of the training over which that weight rises from 0."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """SDM plus the weighted circle loss of features (B, D), see :meth:`AlignmentLoss.compute`."""
        first = sdm_loss(image, text, person_ids, self.temperature)
        weight = self.circle * ramp(progress, self.rise)
        return first + weight * super().compute(image, text, person_ids, progress)
