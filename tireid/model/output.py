"""What a forward pass returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from tireid.model.gaussian import Gaussian


@dataclass
class TIReIDOutput:
    """The objective of a batch and everything one may want to look at.

    `loss` is the weighted sum of `losses`, which holds the terms without their weights: `align`, and `mlm`,
    `recovery`, `identity` where the configuration has them. `image` and `text` are the features. `diagnostics` are
    0-dimensional tensors without gradient, see :func:`tireid.model.objective.diagnostics`.
    """

    loss: Tensor
    losses: dict[str, Tensor]
    image: Gaussian
    text: Gaussian
    diagnostics: dict[str, Tensor]
