"""Alignment losses of the peers: SDM, InfoNCE, CMPM and TAL."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses.common import check_ids, check_pairs, full_precision, same_person

EPSILON = 1e-8


@full_precision
def sdm_loss(image_features: Tensor, text_features: Tensor, person_ids: Tensor, temperature: float = 0.02) -> Tensor:
    """Similarity distribution matching, both directions added.

        p = softmax(cos / temperature) per row,  q = same person / row count,
        L = mean_i sum_j p (log p - log(q + 1e-8))

    Source: Jiang & Ye, IRRA, CVPR 2023, equations 6-9, with the epsilon of its released code. Features (B, D) need not
    be normalised; `person_ids` (B,) are integers. Returns a scalar; raises ValueError for wrong shapes or types.

    >>> round(sdm_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1]), temperature=1.0).item(), 3)
    8.744
    """
    check_pairs("image_features", "text_features", image_features, text_features)
    check_ids("person_ids", person_ids, len(image_features))
    logits = F.normalize(image_features, dim=1) @ F.normalize(text_features, dim=1).T / temperature
    matches = same_person(person_ids)
    return _divergence(logits, matches) + _divergence(logits.T, matches)


@full_precision
def infonce_loss(image_features: Tensor, text_features: Tensor, temperature: float = 0.02) -> Tensor:
    """CLIP's contrastive loss: item i matches item i only; the mean of both directions.

    Source: Radford et al., CLIP, ICML 2021, figure 3. Items of the same person count as negatives.

    >>> round(infonce_loss(torch.eye(2), torch.eye(2), temperature=1.0).item(), 4)
    0.3133
    """
    check_pairs("image_features", "text_features", image_features, text_features)
    logits = F.normalize(image_features, dim=1) @ F.normalize(text_features, dim=1).T / temperature
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


@full_precision
def cmpm_loss(image_features: Tensor, text_features: Tensor, person_ids: Tensor) -> Tensor:
    """Cross-modal projection matching, both directions added.

        p_ij = softmax_j( x_i . z_j / |z_j| ),  q = same person / row count,  L = mean_i sum_j p log(p / (q + 1e-8))

    for images x projected on normalised texts z, and the reverse. Source: Zhang & Lu, ECCV 2018, equations 1-6. The
    length of the projected feature is its temperature, so pass features that are *not* normalised.

    >>> round(cmpm_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1])).item(), 3)
    8.744
    """
    check_pairs("image_features", "text_features", image_features, text_features)
    check_ids("person_ids", person_ids, len(image_features))
    matches = same_person(person_ids)
    image_on_text = image_features @ F.normalize(text_features, dim=1).T
    text_on_image = text_features @ F.normalize(image_features, dim=1).T
    return _divergence(image_on_text, matches) + _divergence(text_on_image, matches)


@full_precision
def tal_loss(
    image_features: Tensor,
    text_features: Tensor,
    person_ids: Tensor,
    margin: float = 0.1,
    temperature: float = 0.015,
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
    check_pairs("image_features", "text_features", image_features, text_features)
    check_ids("person_ids", person_ids, len(image_features))
    similarity = F.normalize(image_features, dim=1) @ F.normalize(text_features, dim=1).T
    matches = same_person(person_ids)
    return _soft_triplet(similarity, matches, margin, temperature) + _soft_triplet(
        similarity.T, matches, margin, temperature
    )


def _soft_triplet(similarity: Tensor, matches: Tensor, margin: float, temperature: float) -> Tensor:
    logits = similarity / temperature
    weights = logits.masked_fill(~matches, -torch.inf).softmax(dim=1).detach()
    positive = (weights * similarity).sum(dim=1)
    # The lowest number instead of -inf: an anchor without a negative then has a loss and a gradient of 0, not NaN.
    negative = temperature * logits.masked_fill(matches, torch.finfo(logits.dtype).min).logsumexp(dim=1)
    return (margin - positive + negative).clamp(min=0).mean()


def _divergence(logits: Tensor, matches: Tensor) -> Tensor:
    """Mean over rows of KL(softmax(logits) || matches / row count)."""
    log_p = logits.log_softmax(dim=1)
    q = matches.to(logits.dtype)
    q = q / q.sum(dim=1, keepdim=True)
    return (log_p.exp() * (log_p - (q + EPSILON).log())).sum(dim=1).mean()
