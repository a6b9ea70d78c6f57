"""What every alignment loss is: its options, the weights beside it, and how it is computed."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor

from tireid.basics.section import Variant


class AlignmentLoss(Variant):
    """The section `loss` of a configuration: one alignment loss and the weights of the other terms (0: a term is off).

    A subclass adds the options of its loss, with their defaults, and :meth:`compute`. A loss of one's own is such a
    subclass in a file of one's own, named by its import path: `loss.alignment: my_losses:MarginLoss`.

    >>> from tireid.losses import SDMLoss
    >>> loss = SDMLoss(align=2.0)
    >>> isinstance(loss, AlignmentLoss), loss.align, loss.identity
    (True, 2.0, 0.0)
    """

    discriminator: ClassVar[str] = "alignment"

    alignment: str
    align: float = Field(1.0, ge=0)
    """Weight of the alignment loss."""
    mlm: float = Field(1.0, ge=0)
    """Weight of predicting hidden words."""
    recovery: float = Field(1.0, ge=0)
    """Weight of recovering the global token."""
    identity: float = Field(0.0, ge=0)
    """Weight of classifying the training people."""
    identity_form: Literal["softmax", "circle"] = "softmax"
    """How they are classified: by :func:`~tireid.losses.identity_loss` or :func:`~tireid.losses.class_circle_loss`."""
    identity_margin: float = Field(0.25, ge=0, le=1)
    """m of the circle form."""
    identity_gamma: float = Field(64.0, gt=0)
    """gamma of the circle form."""
    align_masked: bool = False
    """Let alignment and identity losses see the masked captions, as IRRA's released code does by accident."""

    @abstractmethod
    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """The unweighted loss of a batch, a scalar.

        `image` and `text` (B, D) are features that are *not* normalised, row i of both a pair; `person_ids` (B,) are
        integers; `progress` in [0, 1] is the part of the training that is done.
        """

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if cls.compute is AlignmentLoss.compute:
            raise TypeError(f"{cls.__qualname__} must define compute(image, text, person_ids, progress)")

    @model_validator(mode="before")
    @classmethod
    def _own_name(cls, tree: Any) -> Any:
        """A class outside the package is named by its import path, whoever makes it."""
        if isinstance(tree, dict) and not cls.kind() and "alignment" not in tree:
            return tree | {"alignment": f"{cls.__module__}:{cls.__qualname__}"}
        return tree


def ramp(progress: float, share: float) -> float:
    """From 0 to 1 over the first `share` of the training: the shape of every warm-up.

    >>> ramp(0.25, 0.5), ramp(0.7, 0.5), ramp(0.0, 0.0)
    (0.5, 1.0, 1.0)
    """
    return 1.0 if share == 0 else min(1.0, progress / share)


def risen(gamma: float, progress: float, share: float) -> float:
    """A circle loss's scale, which rises from a quarter of its value over the first `share` of the training.

    >>> risen(64, 0.0, 0.5), risen(64, 0.5, 0.5)
    (16.0, 64.0)
    """
    return gamma * (0.25 + 0.75 * ramp(progress, share))
