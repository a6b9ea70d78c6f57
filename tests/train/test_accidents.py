"""Whatever happens to a training, the same call finishes it with the same result."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from filelock import FileLock
from safetensors.torch import load_file

from tests.train.test_loop import data, small, straight, weights, without_times
from tireid.data import Dataset
from tireid.model import TIReID
from tireid.train import TrainingError, TrainingRun, folder, loop, train

__all__ = ["data", "straight"]  # fixtures


def same(one: TrainingRun, other: TrainingRun) -> None:
    for which in ("best", "last"):
        left, right = weights(one.output_dir / which), weights(other.output_dir / which)
        assert all(torch.equal(left[name], right[name]) for name in left)
    assert without_times(one.metrics) == without_times(other.metrics)
    pd.testing.assert_frame_equal(one.history.drop(columns="seconds"), other.history.drop(columns="seconds"))


def test_weights_that_are_not_finite_never_replace_a_state(
    straight: TrainingRun, data: Dataset, tmp_path: Path
) -> None:
    loop._seed(small().seed)  # as the training does before it builds its own
    model = TIReID.build(small(), data.train.num_people)

    def spoil(row: dict[str, float]) -> None:
        if row["step"] == 5:  # after the last step of the second epoch: no later loss can notice
            with torch.no_grad():
                next(model.backbone.parameters()).view(-1)[0] = float("nan")

    with pytest.raises(TrainingError, match=r"weights are not finite after step 6"):
        train(small(), tmp_path, data=data, model=model, on_log=spoil)
    assert all(torch.isfinite(weight).all() for weight in load_file(tmp_path / "best/model.safetensors").values())
    same(train(small(), tmp_path, data=data), straight)


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_kill_behind_the_commit_point_loses_no_rows(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    def killed(self: folder.RunFolder) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder.RunFolder, "settle", killed)
    with pytest.raises(KeyboardInterrupt):
        train(small(epochs=epochs), tmp_path / "killed", data=data)
    monkeypatch.undo()
    assert not (tmp_path / "killed/history.csv").exists()
    same(
        train(small(epochs=epochs), tmp_path / "killed", data=data),
        train(small(epochs=epochs), tmp_path / "straight", data=data),
    )


def test_two_trainings_do_not_share_a_folder(data: Dataset, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(TrainingError, match="another training is writing"):
        train(small(), tmp_path, data=data)


def test_a_lost_best_comes_back(straight: TrainingRun, data: Dataset, tmp_path: Path) -> None:
    run = train(small(), tmp_path, data=data)
    run.checkpoint.rename(tmp_path / ".best.old-abc")  # as a kill between two renames leaves it
    same(train(small(), tmp_path, data=data), straight)


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt_at(step: int) -> Callable[[dict[str, float]], None]:
    def interrupt(row: dict[str, float]) -> None:
        if row["step"] == step:
            raise KeyboardInterrupt

    return interrupt


@pytest.mark.parametrize("where", ["write_json", "flush_tree", "swap_directory", "replace_directory"])
def test_a_full_disk_keeps_the_last_good_state(
    straight: TrainingRun, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path, data=data, on_log=interrupt_at(4))
    monkeypatch.setattr(folder, where, full_disk)
    with pytest.raises(TrainingError, match=r"cannot write .*No space left on device"):
        train(small(), tmp_path, data=data)
    monkeypatch.undo()
    same(train(small(), tmp_path, data=data), straight)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.bin", "progress.json", "history.csv"])
def test_a_truncated_state_is_named(data: Dataset, tmp_path: Path, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path, data=data, on_log=interrupt_at(4))
    (state,) = tmp_path.glob("state-*")
    (state / name).write_bytes((state / name).read_bytes()[:10])
    with pytest.raises(TrainingError, match=r"state-00001 cannot be read"):
        train(small(), tmp_path, data=data)


@pytest.mark.parametrize(("old", "new"), [('"epoch": 1', '"epoch": "one"'), ('"step"', '"stop"')])
def test_a_counter_that_is_none_is_named(data: Dataset, tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path, data=data, on_log=interrupt_at(4))
    (progress,) = tmp_path.glob("state-*/progress.json")
    progress.write_text(progress.read_text().replace(old, new), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"cannot be read .*json is damaged: (epoch|step) must be a number"):
        train(small(), tmp_path, data=data)


def test_damaged_records_are_named(data: Dataset, tmp_path: Path) -> None:
    train(small(epochs=1), tmp_path, data=data)
    (tmp_path / "metrics.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
        train(small(epochs=1), tmp_path, data=data)


@pytest.mark.parametrize("seed", [42_949, 2**31, 2**62])
def test_any_seed_that_the_configuration_takes_trains(data: Dataset, tmp_path: Path, seed: int) -> None:
    config = small(epochs=1).model_copy(update={"seed": seed})
    assert train(config.override(["training.max_steps=1"]), tmp_path, data=data).metrics["steps"] == 1


def test_the_loop_seeds_as_before() -> None:
    loop._seed(2**32 + 7)
    first = torch.rand(3)
    loop._seed(7)
    assert torch.equal(first, torch.rand(3))
