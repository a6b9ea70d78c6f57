"""Losses on masked captions: predicting the words, and recovering the global token."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.nn import functional as F

from tireid.losses.circle import circle_loss
from tireid.losses.common import check_ids, check_pairs, full_precision, same_person

RecoveryKind = Literal["infonce", "cosine", "mse", "circle"]


@full_precision
def mlm_loss(logits: Tensor, labels: Tensor, normalizer: Tensor | float | None = None) -> Tensor:
    """Cross-entropy of the chosen tokens only.

    `logits` (n, V) and `labels` (n,) are already gathered at the chosen positions. Their summed cross-entropy is
    divided by `normalizer`, by default n; with several processes pass the global count. No chosen token gives 0.
    Source: Devlin et al., BERT, 2019, as IRRA uses it.

    >>> import torch
    >>> round(mlm_loss(torch.zeros(3, 4), torch.tensor([0, 1, 2])).item(), 4)
    1.3863
    """
    if logits.ndim != 2 or not logits.is_floating_point():
        raise ValueError(f"logits must be a floating-point matrix, got {tuple(logits.shape)} of {logits.dtype}")
    check_ids("labels", labels, len(logits))
    count = max(len(labels), 1) if normalizer is None else normalizer
    return F.cross_entropy(logits, labels, reduction="sum") / count


@full_precision
def recovery_loss(
    recovered: Tensor,
    target: Tensor,
    person_ids: Tensor,
    kind: RecoveryKind = "infonce",
    temperature: float = 0.03,
    margin: float = 0.25,
    gamma: float = 64.0,
) -> Tensor:
    """How far the recovered global tokens g are from their targets r, which get no gradient.

    - `infonce`: -mean_i log( sum_{j same person} exp(cos(g_i, r_j) / t) / sum_j exp(cos(g_i, r_j) / t) ). Unlike plain
      InfoNCE, items of the same person are not pushed apart.
    - `cosine`: mean_i 1 - cos(g_i, r_i).
    - `mse`: mean squared difference of the normalised vectors over all B x D entries.
    - `circle`: :func:`~tireid.losses.circle_loss` of cos(g_i, r_j) with `margin` and `gamma`.

    Source of the idea: the paper's abstract; the forms are inferred (nearest public relative: Ji et al., Semantic
    Completion Learning, CVPR 2023). `recovered` and `target` (B, D), `person_ids` (B,) integers. Returns a scalar.

    >>> import torch
    >>> x = torch.eye(2)
    >>> recovery_loss(x, x, torch.tensor([5, 5])).item(), recovery_loss(x, x, torch.tensor([5, 7]), "cosine").item()
    (0.0, 0.0)
    """
    check_pairs("recovered", "target", recovered, target)
    check_ids("person_ids", person_ids, len(recovered))
    g, r = F.normalize(recovered, dim=1), F.normalize(target.detach(), dim=1)
    same = same_person(person_ids)
    if kind == "infonce":
        logits = g @ r.T / temperature
        positive = logits.masked_fill(~same, float("-inf"))  # never a whole row: every item is its own positive
        return (logits.logsumexp(1) - positive.logsumexp(1)).mean()
    if kind == "cosine":
        return (1 - (g * r).sum(1)).mean()
    if kind == "mse":
        return F.mse_loss(g, r)
    if kind == "circle":
        return circle_loss(g @ r.T, same, margin, gamma)
    raise ValueError(f"kind must be one of {', '.join(get_args(RecoveryKind))}, got {kind!r}")
