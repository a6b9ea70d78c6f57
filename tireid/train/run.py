"""What a finished training left behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.model import TIReID
from tireid.options import Config

SELECTION_METRIC = "t2i/R@1"


class TrainingError(RuntimeError):
    """Training cannot start or go on; what was computed so far stays on disk.

    >>> issubclass(TrainingError, RuntimeError)
    True
    """


@dataclass(frozen=True)
class TrainingRun:
    """What a finished training left behind.

    `metrics` is flat: `test/best/t2i/R@1`, `test/last/...`, `val/best/...` in percent, `best_epoch`, `steps`,
    `train_seconds`, `samples_per_second`, `peak_memory_mib` (of the GPU, else of the process; absent where the system
    does not say), and `selection`, the words that say how the best checkpoint was chosen.

    >>> from tireid import Config
    >>> run = TrainingRun(Path("runs/a"), Config.preset("paper"), {"test/best/t2i/R@1": 61.5}, pd.DataFrame())
    >>> run.metrics["test/best/t2i/R@1"], run.checkpoint.name
    (61.5, 'best')
    """

    output_dir: Path
    config: Config
    metrics: dict[str, Any]
    history: pd.DataFrame
    """A row per logged step: seconds of training so far (validations left out), learning rate, loss, terms,
    diagnostics, gradient norms; `val/...` where evaluated."""

    @property
    def checkpoint(self) -> Path:
        """Directory of the best checkpoint."""
        return self.output_dir / "best"

    @property
    def last_checkpoint(self) -> Path:
        """Directory of the last checkpoint."""
        return self.output_dir / "last"

    def model(self) -> TIReID:
        """The best checkpoint, in evaluation mode."""
        return TIReID.from_pretrained(self.checkpoint)
