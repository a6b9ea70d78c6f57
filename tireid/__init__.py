"""Text-to-image person re-identification: find a person's pictures from a description.

The method of Zhao et al. (AAAI 2024): image and text features as Gaussians, a bi-directional circle loss on them,
masked language modelling, and recovery of the global masked token. Faithful to the abstract; hyper-parameters
re-derived.
"""

from tireid import experiments, losses, model
from tireid.config import Config, ConfigError
from tireid.data import load_dataset
from tireid.model import TIReID
from tireid.retrieval import Gallery, Score, evaluate, metrics
from tireid.training import TrainingError, TrainingRun, train

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
    "load_dataset",
    "losses",
    "metrics",
    "model",
    "train",
]
