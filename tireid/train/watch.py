"""The losses of a training, read from its device every so many batches."""

from __future__ import annotations

from pathlib import Path

import torch

from tireid.basics.progress import Progress
from tireid.model import TIReIDOutput
from tireid.train.run import TrainingError


class LossWatch:
    """Shows losses and makes sure that they are finite.

    Reading a number makes an accelerator wait, so it is not done at every step; it is before a state is saved.
    """

    def __init__(self, bar: Progress, output_dir: Path) -> None:
        self.bar, self.output_dir = bar, output_dir
        self._unread: list[tuple[int, list[str], torch.Tensor]] = []

    def add(self, step: int, out: TIReIDOutput) -> None:
        """Keep the losses of a batch, on their device."""
        terms = torch.stack([out.loss, *out.losses.values()]).detach()
        self._unread.append((step, list(out.losses), terms))

    def read(self, at_least: int = 1) -> None:
        """Read what was kept if it is of so many batches.

        Raises:
            TrainingError: a loss is not finite; names the step and the terms.
        """
        if len(self._unread) < at_least:
            return
        values = torch.stack([terms for _, _, terms in self._unread]).cpu()
        for (step, names, _), row in zip(self._unread, values, strict=True):
            if not torch.isfinite(row[0]):
                named = dict(zip(names, row[1:].tolist(), strict=True))
                raise TrainingError(
                    f"the loss is not finite at step {step} (terms: {named}); lower optimizer.lr or loss.gamma, or set "
                    f"training.clip_norm. The state before this epoch is in {self.output_dir}"
                )
        self.bar.update(len(self._unread), loss=float(values[-1, 0]))
        self._unread.clear()
