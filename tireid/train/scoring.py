"""The figures of a finished training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tireid.basics.files import write_table
from tireid.data import Dataset, ImageCache
from tireid.explain.domain import learn
from tireid.model import TIReID
from tireid.options import Config
from tireid.search import Score, evaluate
from tireid.train.device import peak_memory_mib
from tireid.train.run import SELECTION_METRIC


def final_metrics(
    config: Config,
    state: Mapping[str, Any],
    data: Dataset,
    caches: Mapping[str, ImageCache],
    output_dir: Path,
    device: torch.device,
) -> dict[str, Any]:
    """The test split, scored once for the best and once for the last checkpoint; see :class:`TrainingRun`.

    `state` are the loop's counters. Writes `per_query_best.csv` and `per_query_last.csv` into `output_dir`, and
    beside both checkpoints their domain.
    """
    split = config.training.select_on
    metrics: dict[str, Any] = {"selection": selection_words(data, split)}
    score: Score | None = None
    for which in ("best", "last"):
        if score is None or state["best_epoch"] != state["epoch"]:  # else both are the same weights
            model = TIReID.from_pretrained(output_dir / which).to(device)
            score = evaluate(model, data.test, images=caches["test"], metrics=config.training.metrics)
            domain = learn(model, data, images=caches)
        domain.save(output_dir / which)
        metrics |= {f"test/{which}/{name}": value for name, value in score.metrics.items()}
        write_table(output_dir / f"per_query_{which}.csv", score.per_query)
    if state["best"] >= 0:
        metrics[f"{split}/best/{SELECTION_METRIC}"] = state["best"]
    samples = state["step"] * config.training.accumulate * config.sampler.batch_size
    memory = peak_memory_mib()
    metrics |= {} if memory is None else {"peak_memory_mib": memory}
    return metrics | {
        "best_epoch": state["best_epoch"],
        "steps": state["step"],
        "train_seconds": round(state["train_seconds"], 1),
        "samples_per_second": round(samples / max(state["train_seconds"], 1e-9), 1),
    }


def selection_words(data: Dataset, split: str) -> str:
    """How the best checkpoint was chosen, for every result to say."""
    if split == "test":
        return "best checkpoint selected on the test split, as the peers do; its test figures are optimistic"
    if data.val is None:
        return f"{data.name} has no validation split: no selection, the last epoch is also the best"
    return f"best checkpoint selected on the validation split by {SELECTION_METRIC}"
