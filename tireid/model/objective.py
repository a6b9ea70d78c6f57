"""The alignment term on Gaussians, and what to watch while it is minimised."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses import AlignmentLoss, CircleLoss
from tireid.losses.common import blocks, cosines, same_person
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
    circle = loss if isinstance(loss, CircleLoss) else CircleLoss()

    def sums(anchors: Tensor, others: Tensor, rows: slice) -> Tensor:
        similarity, same = cosines(anchors[rows], others), same_person(person_ids[rows], person_ids)
        pairs = (similarity * same, similarity * ~same, *circle.weights(similarity, same), same)
        return torch.stack([*(values.sum() for values in pairs), circle.pull(similarity, same, progress).sum()])

    def total(draws: Tensor, others: Tensor) -> Tensor:
        """(6,) sums over all pairs, the mean over the draws (S, B, D)."""
        parts = blocks(len(person_ids), len(person_ids))
        of_draws = [[sums(v, t, rows) for rows in parts] for v, t in zip(draws, others, strict=True)]
        return torch.stack([torch.stack(found).sum(dim=0) for found in of_draws]).mean(dim=0)

    positive, negative, weight_positive, weight_negative, matches, pull = total(image.draws, text.draws)
    matches, others = matches.clamp(min=1), (len(person_ids) ** 2 - matches).clamp(min=1)
    return {
        "cos_image_sample_mean": F.cosine_similarity(image.draws, image.mean, dim=-1).mean(),
        "cos_text_sample_mean": F.cosine_similarity(text.draws, text.mean, dim=-1).mean(),
        "positive_similarity": positive / matches,
        "negative_similarity": negative / others,
        "weight_positive": weight_positive / matches,
        "weight_negative": weight_negative / others,
        "pull": (pull + total(text.draws, image.draws)[-1]) / (2 * len(person_ids)),
        "std_image": image.std.mean(),
        "std_text": text.std.mean(),
    }
