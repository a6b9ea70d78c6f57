"""One validated description of an experiment, and the presets of the paper and its peers as files beside it."""

from tireid.basics.formats import DATASETS
from tireid.basics.section import ConfigError, Section
from tireid.options.config import DEFAULT_HUB_BACKBONE, Config
from tireid.options.presets import PRESETS
from tireid.options.sections import (
    ImageConfig,
    InteractionConfig,
    MaskingConfig,
    OptimizerConfig,
    SamplerConfig,
    TrainingConfig,
    UncertaintyConfig,
)

__all__ = [
    "DATASETS",
    "DEFAULT_HUB_BACKBONE",
    "PRESETS",
    "Config",
    "ConfigError",
    "ImageConfig",
    "InteractionConfig",
    "MaskingConfig",
    "OptimizerConfig",
    "SamplerConfig",
    "Section",
    "TrainingConfig",
    "UncertaintyConfig",
]
