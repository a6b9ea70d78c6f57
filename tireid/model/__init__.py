"""The model: CLIP's towers, features as Gaussians, the interaction encoder, and all of it together."""

from tireid.basics.collector import collector_paused

with collector_paused():  # transformers brings half a million objects
    from tireid.losses.fusion import EPSILON
    from tireid.model.encoding import evaluating
    from tireid.model.gaussian import Gaussian, batch_variance, identity_variance, reparameterise, sample, uncertainty
    from tireid.model.interaction import InteractionEncoder, MLMHead, RecoveryHead
    from tireid.model.output import TIReIDOutput
    from tireid.model.parameters import parameter_groups
    from tireid.model.tireid import TIReID
    from tireid.model.towers import CheckpointError, DualEncoder, Tokens, resample_positions, tiny_clip_config

__all__ = [
    "EPSILON",
    "CheckpointError",
    "DualEncoder",
    "Gaussian",
    "InteractionEncoder",
    "MLMHead",
    "RecoveryHead",
    "TIReID",
    "TIReIDOutput",
    "Tokens",
    "batch_variance",
    "evaluating",
    "identity_variance",
    "parameter_groups",
    "reparameterise",
    "resample_positions",
    "sample",
    "tiny_clip_config",
    "uncertainty",
]
