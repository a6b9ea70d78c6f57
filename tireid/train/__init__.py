"""The training loop, its recipe, its launcher, and the pre-training of the bundled models."""

from tireid.train.loop import TrainingError, TrainingRun, build_sampler, build_schedule, gradient_norms, train

__all__ = ["TrainingError", "TrainingRun", "build_sampler", "build_schedule", "gradient_norms", "train"]
