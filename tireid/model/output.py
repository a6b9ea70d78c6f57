"""What a forward pass returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from tireid.model.gaussian import Gaussian


@dataclass
class TIReIDOutput:
    """The objective of a batch and everything one may want to look at.

    `loss` is the weighted sum of `losses`, which holds the terms without their weights: `align`, and `mlm`,
    `recovery`, `identity` where the configuration has them. `image` and `text` are the features.

    >>> import torch
    >>> from tireid.model import Gaussian
    >>> one = Gaussian(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(1, 2, 3))
    >>> output = TIReIDOutput(torch.tensor(1.5), {"align": torch.tensor(1.5)}, one, one, dict)
    >>> output.loss.item(), list(output.losses)
    (1.5, ['align'])
    """

    loss: Tensor
    losses: dict[str, Tensor]
    image: Gaussian
    text: Gaussian
    watch: Callable[[], dict[str, Tensor]]

    @cached_property
    def diagnostics(self) -> dict[str, Tensor]:
        """0-dimensional, without gradient, computed when first asked for: a training reads them every so many steps.

        See :func:`tireid.model.objective.diagnostics`.
        """
        return self.watch()
