"""The alignment term on Gaussians, and what to watch while it is minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses import AlignmentLoss, CircleLoss
from tireid.losses.common import cosines, same_person
from tireid.model.gaussian import Gaussian


def alignment_loss(
    loss: AlignmentLoss, image: Gaussian, text: Gaussian, person_ids: Tensor, progress: float, align: str = "samples"
) -> Tensor:
    """The unweighted alignment loss of image and text features, a scalar.

    Sample s of the images meets sample s of the texts; the loss is the mean over the S samples (inferred). With
    `align="both"` it is the mean of that and of the loss on the means. `progress` in [0, 1] is the part of the training
    that is done.
    """
    pairs = zip(image.draws, text.draws, strict=True)
    sampled = torch.stack([loss.compute(v, t, person_ids, progress) for v, t in pairs]).mean()
    if align == "samples":
        return sampled
    return (sampled + loss.compute(image.mean, text.mean, person_ids, progress)) / 2


@torch.no_grad()
def diagnostics(
    loss: AlignmentLoss, image: Gaussian, text: Gaussian, person_ids: Tensor, progress: float = 1.0
) -> dict[str, Tensor]:
    """Means over the batch, 0-dimensional and without gradient.

    `cos_image_sample_mean`, `cos_text_sample_mean`: cosine of sample and mean, how far the noise carries;
    `positive_similarity`, `negative_similarity`: image-text cosine of what the alignment loss sees;
    `weight_positive`, `weight_negative`: the circle loss's self-paced weights there, with its default options where the
    loss is another; `pull`: how hard its anchors still pull, see :meth:`CircleLoss.pull`; `std_image`, `std_text`: the
    features' standard deviation. A mean over no pairs is 0.
    """
    similarity = cosines(image.draws, text.draws)
    positives = same_person(person_ids).expand_as(similarity)
    rows, mask = similarity.flatten(0, 1), positives.flatten(0, 1)
    circle = loss if isinstance(loss, CircleLoss) else CircleLoss()
    a_p, a_n = circle.weights(rows, mask)
    pulls = [
        circle.pull(s, same, progress).mean()
        for d in similarity
        for s, same in ((d, positives[0]), (d.T, positives[0].T))
    ]
    return {
        "cos_image_sample_mean": F.cosine_similarity(image.draws, image.mean, dim=-1).mean(),
        "cos_text_sample_mean": F.cosine_similarity(text.draws, text.mean, dim=-1).mean(),
        "positive_similarity": _mean_where(rows, mask),
        "negative_similarity": _mean_where(rows, ~mask),
        "weight_positive": _mean_where(a_p, mask),
        "weight_negative": _mean_where(a_n, ~mask),
        "pull": torch.stack(pulls).mean(),
        "std_image": image.std.mean(),
        "std_text": text.std.mean(),
    }


def _mean_where(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum().clamp(min=1)
