"""The training loop, its recipe, its launcher, and the pre-training of the bundled models."""

from tireid.train.loop import train
from tireid.train.recipe import build_sampler, build_schedule, gradient_norms
from tireid.train.run import TrainingError, TrainingRun

__all__ = ["TrainingError", "TrainingRun", "build_sampler", "build_schedule", "gradient_norms", "train"]
