"""The alignment term on Gaussians, and what to watch while it is minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses import bidirectional_circle_loss, circle_weights, cmpm_loss, infonce_loss, sdm_loss, tal_loss
from tireid.losses.common import full_precision, same_person
from tireid.model.gaussian import Gaussian
from tireid.options import LossConfig


def alignment_loss(
    image: Gaussian, text: Gaussian, person_ids: Tensor, options: LossConfig, gamma: float, align: str = "samples"
) -> Tensor:
    """The configured alignment loss of image and text features, a scalar.

    Sample s of the images meets sample s of the texts; the loss is the mean over the S samples (inferred). With
    `align="both"` it is the mean of that and of the loss on the means. `gamma` replaces the one in `options`, so that
    it can be warmed up.
    """
    sampled = torch.stack(
        [_pair_loss(v, t, person_ids, options, gamma) for v, t in zip(image.draws, text.draws, strict=True)]
    ).mean()
    if align == "samples":
        return sampled
    return (sampled + _pair_loss(image.mean, text.mean, person_ids, options, gamma)) / 2


def _pair_loss(image: Tensor, text: Tensor, person_ids: Tensor, options: LossConfig, gamma: float) -> Tensor:
    """The loss on features (B, D) that are not normalised (CMPM needs their length)."""
    if options.alignment == "circle":
        same = same_person(person_ids)
        positives = same if options.positives == "identity" else torch.eye(len(same), device=same.device).bool()
        return bidirectional_circle_loss(cosines(image, text), positives, options.margin, gamma, negatives=~same)
    if options.alignment == "sdm":
        return sdm_loss(image, text, person_ids, options.temperature)
    if options.alignment == "infonce":
        return infonce_loss(image, text, options.temperature)
    if options.alignment == "tal":
        return tal_loss(image, text, person_ids, options.margin, options.temperature)
    return cmpm_loss(image, text, person_ids)


@full_precision
def cosines(image: Tensor, text: Tensor) -> Tensor:
    """Cosine of every row of image (..., N, D) with every row of text (..., M, D): (..., N, M)."""
    return F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).transpose(-1, -2)


@torch.no_grad()
def diagnostics(image: Gaussian, text: Gaussian, person_ids: Tensor, margin: float) -> dict[str, Tensor]:
    """Means over the batch, 0-dimensional and without gradient.

    `cos_image_sample_mean`, `cos_text_sample_mean`: cosine of sample and mean, how far the noise carries;
    `positive_similarity`, `negative_similarity`: image-text cosine of what the alignment loss sees;
    `weight_positive`, `weight_negative`: the circle loss's self-paced weights there; `std_image`, `std_text`: the
    features' standard deviation. A mean over no pairs is 0.
    """
    similarity = cosines(image.draws, text.draws)
    positives = same_person(person_ids).expand_as(similarity)
    rows, mask = similarity.flatten(0, 1), positives.flatten(0, 1)
    a_p, a_n = circle_weights(rows, mask, margin)
    return {
        "cos_image_sample_mean": F.cosine_similarity(image.draws, image.mean, dim=-1).mean(),
        "cos_text_sample_mean": F.cosine_similarity(text.draws, text.mean, dim=-1).mean(),
        "positive_similarity": _mean_where(rows, mask),
        "negative_similarity": _mean_where(rows, ~mask),
        "weight_positive": _mean_where(a_p, mask),
        "weight_negative": _mean_where(a_n, ~mask),
        "std_image": image.std.mean(),
        "std_text": text.std.mean(),
    }


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
