"""The training loop, its recipe, its launcher, and the pre-training of the bundled models."""

import sys
from types import ModuleType
from typing import Any

from tireid.basics.collector import collector_paused

with collector_paused():
    from tireid.train.launching import train_in_processes
    from tireid.train.loop import train
    from tireid.train.recipe import build_sampler, build_schedule, gradient_norms
    from tireid.train.run import TrainingError, TrainingRun

__all__ = [
    "TrainingError",
    "TrainingRun",
    "build_sampler",
    "build_schedule",
    "gradient_norms",
    "train",
    "train_in_processes",
]


class _Room(ModuleType):
    """Once this package is imported, `tireid.train` is the package: calling it is calling the function."""

    def __call__(self, *args: Any, **options: Any) -> TrainingRun:
        return train(*args, **options)


sys.modules[__name__].__class__ = _Room
