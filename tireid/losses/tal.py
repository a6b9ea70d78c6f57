"""Triplet alignment, the loss of RDE."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from tireid.losses.alignment import AlignmentLoss
from tireid.losses.common import both_ways, check_batch, full_precision, same_person


class TALLoss(AlignmentLoss):
    """Options of :func:`tal_loss`, with the values of RDE's released script.

    >>> eye, people = torch.eye(2), torch.tensor([7, 8])
    >>> [round(TALLoss(margin=0.1).compute(eye, text, people).item(), 2) for text in (eye, eye.flip(0))]
    [0.0, 2.2]
    """

    alignment: Literal["tal"] = "tal"
    margin: float = Field(0.1, ge=0, le=1)
    """By which the own person is to be more similar."""
    temperature: float = Field(0.015, gt=0)
    """Of both soft maxima: the smaller, the harder."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`tal_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        return tal_loss(image, text, person_ids, self.margin, self.temperature)


@full_precision
def tal_loss(
    image_features: Tensor, text_features: Tensor, person_ids: Tensor, margin: float = 0.1, temperature: float = 0.015
) -> Tensor:
    """Triplet alignment loss, both directions added: a triplet loss whose hardest negative is a soft maximum.

        s+_i = sum_j w_ij s_ij,  w = softmax(s / temperature) over the items of the same person, without gradient
        L = mean_i [ margin - s+_i + temperature * log sum_{j: other person} exp(s_ij / temperature) ]_+

    Source: Qin et al., RDE, CVPR 2024, equations 8 and 9, with the values of its released script; the sum over anchors
    is a mean here, so that the batch size does not scale it. An anchor without a negative contributes nothing.
    Features (B, D) need not be normalised; `person_ids` (B,) are integers.

    >>> round(tal_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), margin=1.5, temperature=1.0).item(), 4)
    1.0
    """
    check_batch(image_features, text_features, person_ids)

    def loss(similarity: Tensor, rows: Tensor) -> Tensor:
        return _soft_triplet(similarity, same_person(person_ids[rows], person_ids), margin, temperature)

    return both_ways(image_features, text_features, loss)


def _soft_triplet(similarity: Tensor, matches: Tensor, margin: float, temperature: float) -> Tensor:
    logits = similarity / temperature
    weights = logits.masked_fill(~matches, -torch.inf).softmax(dim=1).detach()
    positive = (weights * similarity).sum(dim=1)
    # The lowest number instead of -inf: an anchor without a negative then has a loss and a gradient of 0, not NaN.
    negative = temperature * logits.masked_fill(matches, torch.finfo(logits.dtype).min).logsumexp(dim=1)
    return (margin - positive + negative).clamp(min=0)
