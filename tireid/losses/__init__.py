"""Pure loss functions on tensors, always computed in float32 or better."""

from tireid.losses.circle import bidirectional_circle_loss, circle_loss, circle_weights
from tireid.losses.identity import identity_loss
from tireid.losses.masked import mlm_loss, recovery_loss
from tireid.losses.matching import cmpm_loss, infonce_loss, sdm_loss, tal_loss

__all__ = [
    "bidirectional_circle_loss",
    "circle_loss",
    "circle_weights",
    "cmpm_loss",
    "identity_loss",
    "infonce_loss",
    "mlm_loss",
    "recovery_loss",
    "sdm_loss",
    "tal_loss",
]
