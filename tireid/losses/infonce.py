"""CLIP's contrastive loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.alignment import AlignmentLoss
from tireid.losses.common import both_ways, check_pairs, full_precision


class InfoNCELoss(AlignmentLoss):
    """Options of :func:`infonce_loss`.

    >>> import torch
    >>> eye, people = torch.eye(2), torch.tensor([7, 8])
    >>> [round(InfoNCELoss(temperature=1.0).compute(eye, text, people).item(), 2) for text in (eye, eye.flip(0))]
    [0.31, 1.31]
    """

    alignment: Literal["infonce"] = "infonce"
    temperature: float = Field(0.02, gt=0)
    """That of IRRA's SDM; CLIP learns its own."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`infonce_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        return infonce_loss(image, text, self.temperature)


@full_precision
def infonce_loss(image_features: Tensor, text_features: Tensor, temperature: float = 0.02) -> Tensor:
    """CLIP's contrastive loss: item i matches item i only; the mean of both directions.

    Source: Radford et al., CLIP, ICML 2021, figure 3. Items of the same person count as negatives.

    >>> import torch
    >>> round(infonce_loss(torch.eye(2), torch.eye(2), temperature=1.0).item(), 4)
    0.3133
    """
    check_pairs("image_features", "text_features", image_features, text_features)

    def loss(similarity: Tensor, own: Tensor) -> Tensor:
        return F.cross_entropy(similarity / temperature, own, reduction="none")

    return both_ways(image_features, text_features, loss) / 2
