"""The bi-directional cross-modal circle loss."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.alignment import AlignmentLoss, risen
from tireid.losses.common import both_ways, check_mask, check_matrix, full_precision, same_person


class CircleForm(NamedTuple):
    """What the circle loss leaves open. The defaults are its published form, with everything tied to one margin m.

    A pair of similarity s pulls with -gamma a_p (s - margin_positive), a_p = [optimum_positive - s]_+, and pushes with
    gamma a_n (s - margin_negative), a_n = [s - optimum_negative]_+. Source: Sun et al., Circle Loss, CVPR 2020,
    equation 5; the tied values are its section 3.3. Pooling and bound are inferred.

    >>> CircleForm(pooling="mean").margin_positive is None  # tied to the margin
    True
    """

    optimum_positive: float | None = None
    """O_p; None: 1 + m."""
    optimum_negative: float | None = None
    """O_n; None: -m."""
    margin_positive: float | None = None
    """None: 1 - m."""
    margin_negative: float | None = None
    """None: m."""
    pooling: Literal["sum", "mean"] = "sum"
    """`mean`: a log-mean-exp per anchor, so that the number of negatives does not shift the exponent by its log."""
    bound: float = 0.0
    """q of an outer function (1 - sigmoid(-Z)^q) / q in the place of softplus(Z), to which it tends as q goes to 0: it
    is at most 1 / q, and lets go of anchors that stay hopeless, such as those with a wrong caption. Source: Zhang &
    Sabuncu, generalised cross-entropy, NeurIPS 2018; Chuang et al., RINCE, CVPR 2022."""

    def tied(self, margin: float) -> tuple[float, float, float, float]:
        """(O_p, O_n, margin_positive, margin_negative), where None is set by `margin`."""
        tied = (1 + margin, -margin, 1 - margin, margin)
        o_p, o_n, m_p, m_n = (free if own is None else own for own, free in zip(self[:4], tied, strict=True))
        return float(o_p), float(o_n), float(m_p), float(m_n)


PUBLISHED = CircleForm()


class CircleLoss(AlignmentLoss):
    """Options of :func:`bidirectional_circle_loss`, the loss of the paper.

    >>> eye, people = torch.eye(2), torch.tensor([7, 8])
    >>> [round(CircleLoss(margin=0.3).compute(eye, text, people).item(), 2) for text in (eye, eye.flip(0))]
    [0.0, 232.96]
    """

    alignment: Literal["circle"] = "circle"
    margin: float = Field(0.25, ge=0, le=1)
    """m (inferred)."""
    gamma: float = Field(64.0, gt=0)
    """The scale (inferred)."""
    gamma_warmup: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which gamma rises from a quarter of its value."""
    positives: Literal["identity", "pair"] = "identity"
    """Every item of the same person is positive, or the paired one only."""
    optimum_positive: float | None = Field(None, ge=0, le=2)
    """Similarity at which a positive weighs nothing; None: 1 + m. See :class:`CircleForm`."""
    optimum_negative: float | None = Field(None, ge=-2, le=1)
    """Similarity at which a negative weighs nothing; None: -m."""
    margin_positive: float | None = Field(None, ge=-1, le=1)
    """Similarity that a positive should exceed; None: 1 - m."""
    margin_negative: float | None = Field(None, ge=-1, le=1)
    """Similarity that a negative should stay below; None: m."""
    pooling: Literal["sum", "mean"] = "sum"
    """`mean`: the log of a mean in place of a sum of exponentials, per anchor."""
    bound: float = Field(0.0, ge=0, le=1)
    """Above 0: an anchor adds at most 1 / `bound`."""

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`bidirectional_circle_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        gamma = self.gamma_at(progress)
        positive_ids = person_ids if self.positives == "identity" else torch.arange(len(image), device=image.device)

        def loss(similarity: Tensor, rows: Tensor) -> Tensor:
            positives, same = (same_person(ids[rows], ids) for ids in (positive_ids, person_ids))
            return circle_terms(similarity, positives, self.margin, gamma, ~same, self.form)

        return both_ways(image, text, loss)

    @property
    def form(self) -> CircleForm:
        """The options that one margin does not set."""
        return CircleForm(*(getattr(self, name) for name in CircleForm._fields))

    def pull(self, similarity: Tensor, positives: Tensor, progress: float = 1.0) -> Tensor:
        """How hard each row pulls, in 0..1: the slope of the outer function there, sigmoid(Z) without a bound.

        Every gradient of an anchor scales with it: near 1 for all anchors, the self-pacing is off.
        """
        z = circle_exponents(similarity, positives, self.margin, self.gamma_at(progress), form=self.form)
        return z.sigmoid() * (-z).sigmoid() ** self.bound

    def gamma_at(self, progress: float) -> float:
        """Gamma when the part `progress` of the training is done."""
        return risen(self.gamma, progress, self.gamma_warmup)

    def weights(self, similarity: Tensor, positives: Tensor) -> tuple[Tensor, Tensor]:
        """:func:`circle_weights` (N, M) of similarities and bool positives (N, M), with these options."""
        return circle_weights(similarity, positives, self.margin, form=self.form)


@full_precision
def circle_loss(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    gamma: float = 64.0,
    negatives: Tensor | None = None,
    form: CircleForm = PUBLISHED,
) -> Tensor:
    """Circle loss of one direction: rows are anchors, columns the items of the other modality.

        L = mean_i softplus( LSE_neg gamma a_n (s - m)  +  LSE_pos -gamma a_p (s - (1 - m)) )

    with the self-paced weights of :func:`circle_weights`, which carry no gradient. The log-sum-exp is per anchor:
    pooled over all pairs, the two directions would be the same number. Source: Sun et al., Circle Loss, CVPR 2020,
    equations 5-6; that both directions are added: the paper's abstract. Recommended elsewhere: (m, gamma) = (0.25, 128)
    for re-identification, (0.4, 80) for fine-grained retrieval.

    `similarity` (N, M) holds cosines, `positives` bool (N, M); `negatives` bool (N, M) is the complement of
    `positives` unless given (pairs in neither mask are ignored). An anchor without a positive or without a negative
    adds 0; the mean is over all N anchors, so the weight of an anchor does not depend on the others. `form` holds
    variants. Returns a scalar; raises ValueError for wrong shapes or types.

    >>> import torch
    >>> s = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(circle_loss(s, torch.eye(2, dtype=torch.bool), margin=0.25, gamma=16).item(), 4)
    0.2837
    """
    return circle_terms(similarity, positives, margin, gamma, negatives, form).mean()


def circle_terms(
    similarity: Tensor, positives: Tensor, margin: float, gamma: float, negatives: Tensor | None, form: CircleForm
) -> Tensor:
    """What each anchor adds to :func:`circle_loss`, (N,)."""
    z = circle_exponents(similarity, positives, margin, gamma, negatives, form)
    return -torch.expm1(-form.bound * F.softplus(z)) / form.bound if form.bound else F.softplus(z)


@full_precision
def circle_exponents(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    gamma: float = 64.0,
    negatives: Tensor | None = None,
    form: CircleForm = PUBLISHED,
) -> Tensor:
    """Z (N,) of every row, the argument of the softplus in :func:`circle_loss`; -inf without positive or negative.

    >>> import torch
    >>> s = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> [round(z, 2) for z in circle_exponents(s, torch.eye(2, dtype=torch.bool), gamma=16).tolist()]
    [-1.68, -0.72]
    """
    negatives = _check(similarity, positives, negatives)
    a_p, a_n = circle_weights(similarity, positives, margin, negatives, form)
    _, _, margin_positive, margin_negative = form.tied(margin)
    repelled = _pooled(gamma * a_n * (similarity - margin_negative), negatives, form.pooling)
    attracted = _pooled(-gamma * a_p * (similarity - margin_positive), positives, form.pooling)
    return repelled + attracted


@full_precision
def bidirectional_circle_loss(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    gamma: float = 64.0,
    negatives: Tensor | None = None,
    form: CircleForm = PUBLISHED,
) -> Tensor:
    """Sum of :func:`circle_loss` over rows and over columns (image to text plus text to image).

    >>> import torch
    >>> s = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(bidirectional_circle_loss(s, torch.eye(2, dtype=torch.bool), gamma=16).item(), 4)
    0.547
    """
    transposed = None if negatives is None else negatives.T
    return circle_loss(similarity, positives, margin, gamma, negatives, form) + circle_loss(
        similarity.T, positives.T, margin, gamma, transposed, form
    )


@full_precision
def circle_weights(
    similarity: Tensor,
    positives: Tensor,
    margin: float = 0.25,
    negatives: Tensor | None = None,
    form: CircleForm = PUBLISHED,
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
    optimum_positive, optimum_negative, _, _ = form.tied(margin)
    return (optimum_positive - s).relu() * positives, (s - optimum_negative).relu() * negatives


def _check(similarity: Tensor, positives: Tensor, negatives: Tensor | None) -> Tensor:
    check_matrix("similarity", similarity)
    check_mask("positives", positives, similarity.shape)
    if negatives is None:
        return ~positives
    check_mask("negatives", negatives, similarity.shape)
    return negatives


def _pooled(logits: Tensor, mask: Tensor, pooling: str) -> Tensor:
    # Nothing in a row gives -inf, and so a softplus of 0 with gradient 0.
    total = logits.masked_fill(~mask, float("-inf")).logsumexp(dim=1)
    return total - mask.sum(dim=1).clamp(min=1).to(total.dtype).log() if pooling == "mean" else total
