"""Which anchors the circle loss lets go of at CLIP's scale, computed for features that are spread as peers report.

Nothing is trained: sigma(Z), by which every gradient of an anchor scales, depends on the similarities only.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.losses import CircleLoss
from tireid.losses.common import same_person
from tireid.model import uncertainty

WIDTH, DIRECTIONS, COMMON = 512, 160, 0.05
"""Of the features; 160 directions spread the cosines of strangers by about 0.08, the common part lifts them by 0.05."""
PER_PERSON, WRONG = 4, 10
"""Pairs of a person; and one caption in so many belongs to somebody else."""


def clip_like(pairs: int, alpha: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines (N, N) of captions with pictures, bool (N, N) who belongs together, and bool (N,) wrong captions.

    A feature is a part that all share, a part of the person (0.40 to 0.65 of its variance) and a part of its own, so
    positives lie at 0.4 to 0.7 and negatives at -0.1 to 0.2. `alpha` is the scale of the noise of
    :func:`tireid.model.uncertainty`.
    """
    draw = torch.Generator().manual_seed(1)
    space = torch.randn(DIRECTIONS, WIDTH, generator=draw) / WIDTH**0.5
    who, wrong = torch.arange(pairs) // PER_PERSON, torch.arange(pairs) % WRONG == WRONG // 2
    everyone, person = (torch.randn(count, DIRECTIONS, generator=draw) for count in (1, 2 * pairs))
    sides = []
    for meant in (torch.where(wrong, who + pairs, who), who):
        share = 0.40 + 0.25 * torch.rand(pairs, 1, generator=draw)
        own = torch.randn(pairs, DIRECTIONS, generator=draw)
        feature = COMMON**0.5 * everyone + share.sqrt() * person[meant] + (1 - COMMON - share).sqrt() * own
        feature = feature @ space
        noise = torch.randn(feature.shape, generator=draw) * uncertainty(feature, who).sqrt()
        sides.append(F.normalize(feature + alpha * noise, dim=1))
    return sides[0] @ sides[1].T, same_person(who), wrong


def pace(loss: CircleLoss, pairs: int = 64, alpha: float = 0.0) -> dict[str, float]:
    """The slope sigma(Z) of :meth:`CircleLoss.pull` for captions of :func:`clip_like`, in 0..1.

    `easiest tenth` (mean) and `median` of the right captions, and the mean of the `wrong` ones. Alive is a pace that
    differs between them.

    >>> {name: round(on, 2) for name, on in pace(CircleLoss(margin=0.4, gamma=64.0)).items()}
    {'easiest tenth': 0.01, 'median': 0.88, 'wrong': 1.0}
    """
    cosines, together, wrong = clip_like(pairs, alpha)
    on = loss.pull(cosines, together)
    right = on[~wrong].sort().values
    easiest = right[: len(right) // 10]
    return {"easiest tenth": easiest.mean().item(), "median": right.median().item(), "wrong": on[wrong].mean().item()}
