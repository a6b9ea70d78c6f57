"""Text-to-image person re-identification: find a person's pictures from a description.

The method of Zhao et al. (AAAI 2024): image and text features as Gaussians, a bi-directional circle loss on them,
masked language modelling, and recovery of the global masked token. Faithful to the abstract; hyper-parameters
re-derived.
"""

import os
from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily

if TYPE_CHECKING:
    from tireid import experiments, interactive, losses, model
    from tireid.basics.parts import part, trust
    from tireid.data import load_dataset
    from tireid.model import TIReID
    from tireid.options import Config, ConfigError
    from tireid.search import Gallery, Score, evaluate, metrics
    from tireid.train import TrainingError, TrainingRun, train

# Threads of a step that wait for each other let others compute meanwhile: spinning, beside two busy processes, they
# make a step many times as slow. OpenMP reads it when torch is loaded; kernels and subprocesses inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = [
    "Config",
    "ConfigError",
    "Gallery",
    "Score",
    "TIReID",
    "TrainingError",
    "TrainingRun",
    "evaluate",
    "experiments",
    "interactive",
    "load_dataset",
    "losses",
    "metrics",
    "model",
    "part",
    "train",
    "trust",
]

# Loaded when first asked for: the processes that draw pedestrians need neither torch nor transformers.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "tireid": ("experiments", "interactive", "losses", "model"),
        "tireid.basics.parts": ("part", "trust"),
        "tireid.data": ("load_dataset",),
        "tireid.model": ("TIReID",),
        "tireid.options": ("Config", "ConfigError"),
        "tireid.search": ("Gallery", "Score", "evaluate", "metrics"),
        "tireid.train": ("TrainingError", "TrainingRun", "train"),
    },
)
