"""Options that take one of the package's names or the import path of a part from outside."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import AfterValidator, ConfigDict, ValidationInfo
from torch import Tensor

from tireid.basics.formats import is_own
from tireid.basics.hints import nearest
from tireid.basics.parts import PartError, is_part, resolve, resolve_function
from tireid.losses import AlignmentLoss

STORED = {"stored": True}
"""Validation context of a file that was written earlier: what it names need not be trusted to be read."""


class UnresolvedLoss(AlignmentLoss):
    """The loss that a stored file names but nobody has allowed to import: it keeps its numbers and computes nothing."""

    model_config = ConfigDict(extra="allow")

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """Raises :class:`UntrustedPartError`, or computes with the loss if it is trusted by now."""
        loss = loss_class(self.alignment).model_validate(self.model_dump())
        return loss.compute(image, text, person_ids, progress)


def loss_class(path: str) -> type[AlignmentLoss]:
    """The subclass of :class:`AlignmentLoss` that an import path names; :class:`PartError` if it is something else."""
    found = resolve(path, "loss.alignment")
    if not (isinstance(found, type) and issubclass(found, AlignmentLoss)) or found is AlignmentLoss:
        raise PartError(f"loss.alignment names {path!r}, which is not a subclass of tireid.losses.AlignmentLoss")
    if found.kind():
        raise PartError(f"{path!r} inherits the name {found.kind()!r}; add the line `alignment: str` to the class")
    return found


def own_or_part(own: Collection[str], kind: str, option: str) -> AfterValidator:
    """Validates a name: one of `own`, or the import path of a function that is marked as a part of this kind."""

    def check(name: str, info: ValidationInfo) -> str:
        if name in own or (kind == "reader" and (is_own(name) or (is_stored(info.context) and not is_part(name)))):
            return name
        if not is_part(name):
            raise ValueError(f"{name!r} is neither known nor an import path module:name; {nearest(name, own)}")
        if not is_stored(info.context):
            resolve_function(name, kind, option)
        return name

    return AfterValidator(check)


def is_stored(context: Any) -> bool:
    """Whether a validation context is that of a file written earlier."""
    return bool(context and context.get("stored"))
