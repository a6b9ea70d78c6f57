"""Training on several processes: the same curve, on the data that were given, and nobody is left behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from tireid.data import Dataset, load_dataset
from tireid.options import Config
from tireid.train import TrainingError, TrainingRun, launching, train, train_in_processes

SMALL = ["sampler.batch_size=8", "training.log_every=1", "optimizer.warmup_epochs=1", "loss.identity=1"]
SMALL += ["image.flip=0", "image.erase=0", "image.pad=0", "training.precision=fp32"]
PEOPLE = {"people": (12, 4, 6), "images_per_person": 2, "captions_per_image": 1, "processes": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset("synthetic", tmp_path_factory.mktemp("people"), **PEOPLE)


@pytest.fixture(scope="module")
def one(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """What a single process trains."""
    return train(Config.preset("paper", epochs=2).override(SMALL), tmp_path_factory.mktemp("one"), data=data)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_train_like_one(processes: int, data: Dataset, one: TrainingRun, tmp_path: Path) -> None:
    """Same batches, masks and noise, no augmentation: curves agree although each process holds a part of every batch.

    And so do the learning rates: the schedule counts steps and the batch is the global one, whatever its processes.
    """
    config = Config.preset("paper", epochs=2).override(SMALL)
    many = train_in_processes(config, tmp_path, processes, data=data)
    for column, tolerance in {"loss": 1e-3, "loss/mlm": 1e-3, "lr": 1e-9}.items():
        np.testing.assert_allclose(many.history[column].dropna(), one.history[column].dropna(), rtol=tolerance)
    assert many.metrics["steps"] == one.metrics["steps"] == 2 * 3  # of 24 pairs, not of the default people


@pytest.mark.slow
def test_the_error_of_a_process_is_told(data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"batch_size \(8\) must be a multiple of the number of processes \(3\)"):
        train_in_processes(Config.preset("paper", epochs=1).override(SMALL), tmp_path, 3, data=data)


@pytest.mark.slow
def test_no_process_outlives_its_launcher(data: Dataset, tmp_path: Path) -> None:
    """And what they trained goes on in another's hands."""
    config = Config.preset("paper", epochs=6).override(SMALL)
    config.save(tmp_path / "config.json")
    script = (
        "import sys; from tireid import Config, load_dataset; from tireid.train import train_in_processes\n"
        f"data = load_dataset('synthetic', {str(data.root)!r}, **{PEOPLE})\n"
        f"train_in_processes(Config.load({str(tmp_path / 'config.json')!r}), {str(tmp_path / 'run')!r}, 2, data=data)\n"
    )
    launcher = psutil.Process(subprocess.Popen([sys.executable, "-c", script]).pid)
    until = time.monotonic() + 120
    while not list((tmp_path / "run").glob("state-*")) and time.monotonic() < until:
        time.sleep(0.05)
    workers = launcher.children(recursive=True)
    launcher.kill()
    assert len(workers) >= 3  # torchrun and the two that it started
    assert not psutil.wait_procs(workers, timeout=60)[1]
    assert not (tmp_path / "run/metrics.json").exists(), "they trained to the end"
    assert train_in_processes(config, tmp_path / "run", 2, data=data).metrics["steps"] == 6 * 3


@pytest.mark.parametrize(
    ("free", "gigabytes", "batch", "pairs", "processes"),
    [(1, 64, 64, 2, 1), (8, 64, 64, 2, 4), (4, 64, 6, 2, 3), (2, 64, 6, 3, 2), (8, 8, 64, 2, 2), (8, 1, 64, 2, 1)],
)
def test_without_a_number_every_process_gets_whole_groups_and_memory(
    free: int, gigabytes: int, batch: int, pairs: int, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(launching, "processors", lambda: free)
    monkeypatch.setattr(launching, "virtual_memory", lambda: SimpleNamespace(total=gigabytes * 2**30))
    options = [f"sampler.batch_size={batch}", f"sampler.pairs_per_person={pairs}"]
    assert launching._fitting(Config.preset("paper").override(options)) == processes
