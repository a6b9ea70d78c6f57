"""Pure loss functions on tensors, always computed in float32 or better, and the options that each of them has.

One file per loss: its function, its options and its defaults. `ALIGNMENTS` is what `loss.alignment` can name.
"""

from tireid.basics.section import by_kind
from tireid.losses.alignment import AlignmentLoss
from tireid.losses.circle import (
    CircleForm,
    CircleLoss,
    bidirectional_circle_loss,
    circle_exponents,
    circle_loss,
    circle_weights,
)
from tireid.losses.cmpm import CMPMLoss, cmpm_loss
from tireid.losses.identity import class_circle_loss, identity_loss
from tireid.losses.infonce import InfoNCELoss, infonce_loss
from tireid.losses.late import LateCircleLoss
from tireid.losses.mlm import mlm_loss
from tireid.losses.recovery import RECOVERIES, Recovery, recovery_loss
from tireid.losses.sdm import SDMLoss, sdm_loss
from tireid.losses.tal import TALLoss, tal_loss

ALIGNMENTS: dict[str, type[AlignmentLoss]] = by_kind(
    CircleLoss, SDMLoss, InfoNCELoss, CMPMLoss, TALLoss, LateCircleLoss
)

__all__ = [
    "ALIGNMENTS",
    "RECOVERIES",
    "AlignmentLoss",
    "CMPMLoss",
    "CircleForm",
    "CircleLoss",
    "InfoNCELoss",
    "LateCircleLoss",
    "Recovery",
    "SDMLoss",
    "TALLoss",
    "bidirectional_circle_loss",
    "circle_exponents",
    "circle_loss",
    "circle_weights",
    "class_circle_loss",
    "cmpm_loss",
    "identity_loss",
    "infonce_loss",
    "mlm_loss",
    "recovery_loss",
    "sdm_loss",
    "tal_loss",
]
