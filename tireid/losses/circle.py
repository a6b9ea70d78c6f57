"""The bi-directional cross-modal circle loss."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.alignment import AlignmentLoss, ramp
from tireid.losses.common import check_mask, check_matrix, cosines, full_precision, same_person


class CircleLoss(AlignmentLoss):
    """Options of :func:`bidirectional_circle_loss`, the loss of the paper."""

    alignment: Literal["circle"] = "circle"
    margin: float = Field(0.25, ge=0, le=1)
    """m (inferred)."""
    gamma: float = Field(64.0, gt=0)
    """The scale (inferred)."""
    gamma_warmup: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which gamma rises from a quarter of its value."""
    positives: Literal["identity", "pair"] = "identity"
    """Every item of the same person is positive, or the paired one only."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`bidirectional_circle_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        same = same_person(person_ids)
        positives = same if self.positives == "identity" else torch.eye(len(same), device=same.device).bool()
        similarity, gamma = cosines(image, text), self.gamma_at(progress)
        return bidirectional_circle_loss(similarity, positives, self.margin, gamma, negatives=~same)

    def gamma_at(self, progress: float) -> float:
        """Gamma when the part `progress` of the training is done."""
        return self.gamma * (0.25 + 0.75 * ramp(progress, self.gamma_warmup))

    def weights(self, similarity: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
        """:func:`circle_weights` (N, M) of similarities and bool positives (N, M), at this margin."""
        return circle_weights(similarity, positives, self.margin)


@full_precision
def circle_loss(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    gamma: float = 64.0,
    negatives: Tensor | None = None,
) -> Tensor:
    """Circle loss of one direction: rows are anchors, columns the items of the other modality.

        L = mean_i softplus( LSE_neg gamma a_n (s - m)  +  LSE_pos -gamma a_p (s - (1 - m)) )

    with the self-paced weights of :func:`circle_weights`, which carry no gradient. The log-sum-exp is per anchor:
    pooled over all pairs, the two directions would be the same number. Source: Sun et al., Circle Loss, CVPR 2020,
    equations 5-6; that both directions are added: the paper's abstract. Recommended elsewhere: (m, gamma) = (0.25, 128)
    for re-identification, (0.4, 80) for fine-grained retrieval.

    `similarity` (N, M) holds cosines, `positives` bool (N, M); `negatives` bool (N, M) is the complement of
    `positives` unless given (pairs in neither mask are ignored). An anchor without a positive or without a negative
    adds 0; the mean is over all N anchors, so the weight of an anchor does not depend on the others.
    Returns a scalar; raises ValueError for wrong shapes or types.

    >>> import torch
    >>> s = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(circle_loss(s, torch.eye(2, dtype=torch.bool), margin=0.25, gamma=16).item(), 4)
    0.2837
    """
    negatives = _check(similarity, positives, negatives)
    a_p, a_n = circle_weights(similarity, positives, margin, negatives)
    repelled = _row_logsumexp(gamma * a_n * (similarity - margin), negatives)
    attracted = _row_logsumexp(-gamma * a_p * (similarity - (1 - margin)), positives)
    return F.softplus(repelled + attracted).mean()


@full_precision
def bidirectional_circle_loss(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    gamma: float = 64.0,
    negatives: Tensor | None = None,
) -> Tensor:
    """Sum of :func:`circle_loss` over rows and over columns (image to text plus text to image).

    >>> import torch
    >>> s = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(bidirectional_circle_loss(s, torch.eye(2, dtype=torch.bool), gamma=16).item(), 4)
    0.547
    """
    transposed = None if negatives is None else negatives.T
    return circle_loss(similarity, positives, margin, gamma, negatives) + circle_loss(
        similarity.T, positives.T, margin, gamma, transposed
    )


@full_precision
def circle_weights(
    similarity: Tensor, positives: Tensor, margin: float = 0.25, negatives: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Self-paced weights a_p = max(0, 1 + m - s) on positives and a_n = max(0, s + m) on negatives, 0 elsewhere.

    Both (N, M) and without gradient. A pair far from its optimum weighs more.

    >>> import torch
    >>> a_p, a_n = circle_weights(torch.tensor([[0.5, 0.25]]), torch.tensor([[True, False]]), margin=0.25)
    >>> a_p.tolist(), a_n.tolist()
    ([[0.75, 0.0]], [[0.0, 0.5]])
    """
    negatives = _check(similarity, positives, negatives)
    s = similarity.detach()
    return (1 + margin - s).relu() * positives, (s + margin).relu() * negatives


def _check(similarity: Tensor, positives: Tensor, negatives: Tensor | None) -> Tensor:
    check_matrix("similarity", similarity)
    check_mask("positives", positives, similarity.shape)
    if negatives is None:
        return ~positives
    check_mask("negatives", negatives, similarity.shape)
    return negatives


def _row_logsumexp(logits: Tensor, mask: Tensor) -> Tensor:
    # Nothing in a row gives -inf, and so a softplus of 0 with gradient 0.
    return logits.masked_fill(~mask, float("-inf")).logsumexp(dim=1)
