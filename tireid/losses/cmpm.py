"""Cross-modal projection matching."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from tireid.losses.alignment import AlignmentLoss
from tireid.losses.common import check_batch, full_precision, one_way, row_divergence, same_person


class CMPMLoss(AlignmentLoss):
    """Options of :func:`cmpm_loss`: none.

    >>> import torch
    >>> eye, people = torch.eye(2), torch.tensor([7, 8])
    >>> [round(CMPMLoss().compute(eye, text, people).item(), 2) for text in (eye, eye.flip(0))]
    [8.74, 25.77]
    """

    alignment: Literal["cmpm"] = "cmpm"

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`cmpm_loss` of features (B, D), see :meth:`AlignmentLoss.compute`."""
        return cmpm_loss(image, text, person_ids)


@full_precision
def cmpm_loss(image_features: Tensor, text_features: Tensor, person_ids: Tensor) -> Tensor:
    """Cross-modal projection matching, both directions added.

        p_ij = softmax_j( x_i . z_j / |z_j| ),  q = same person / row count,  L = mean_i sum_j p log(p / (q + 1e-8))

    for images x projected on normalised texts z, and the reverse. Source: Zhang & Lu, ECCV 2018, equations 1-6. The
    length of the projected feature is its temperature, so pass features that are *not* normalised.

    >>> import torch
    >>> round(cmpm_loss(torch.eye(2), torch.eye(2), torch.tensor([0, 1])).item(), 3)
    8.744
    """
    check_batch(image_features, text_features, person_ids)

    def loss(projections: Tensor, rows: Tensor) -> Tensor:
        return row_divergence(projections, same_person(person_ids[rows], person_ids))

    image_on_text = one_way(image_features, F.normalize(text_features, dim=1), loss)
    return image_on_text + one_way(text_features, F.normalize(image_features, dim=1), loss)
