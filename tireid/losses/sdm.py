"""Similarity distribution matching, the alignment loss of IRRA."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from tireid.losses.alignment import AlignmentLoss
from tireid.losses.common import both_ways, check_batch, full_precision, row_divergence, same_person


class SDMLoss(AlignmentLoss):
    """Options of :func:`sdm_loss`.

    >>> import torch
    >>> eye, people = torch.eye(2), torch.tensor([7, 8])
    >>> [round(SDMLoss(temperature=1.0).compute(eye, text, people).item(), 2) for text in (eye, eye.flip(0))]
    [8.74, 25.77]
    """

    alignment: Literal["sdm"] = "sdm"
    temperature: float = Field(0.02, gt=0)
    """As published in IRRA."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`sdm_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        return sdm_loss(image, text, person_ids, self.temperature)


@full_precision
def sdm_loss(image_features: Tensor, text_features: Tensor, person_ids: Tensor, temperature: float = 0.02) -> Tensor:
    """Similarity distribution matching, both directions added.

        p = softmax(cos / temperature) per row,  q = same person / row count,
        L = mean_i sum_j p (log p - log(q + 1e-8))

    Source: Jiang & Ye, IRRA, CVPR 2023, equations 6-9, with the epsilon of its released code. Features (B, D) need not
    be normalised; `person_ids` (B,) are integers. Returns a scalar; raises ValueError for wrong shapes or types.

    >>> import torch
    >>> round(sdm_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), temperature=1.0).item(), 3)
    8.744
    """
    check_batch(image_features, text_features, person_ids)

    def loss(similarity: Tensor, rows: Tensor) -> Tensor:
        return row_divergence(similarity / temperature, same_person(person_ids[rows], person_ids))

    return both_ways(image_features, text_features, loss)
