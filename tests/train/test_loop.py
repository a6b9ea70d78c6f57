"""The loop: resume, schedule, selection, failure."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tireid.data import Dataset, load_dataset
from tireid.model import TIReID
from tireid.options import Config
from tireid.train import TrainingError, TrainingRun, build_schedule, gradient_norms, train

SMALL = ["sampler.batch_size=8", "training.log_every=1", "optimizer.warmup_epochs=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("people")
    return load_dataset("synthetic", root, people=(12, 4, 6), images_per_person=2, captions_per_image=1, processes=1)


def small(name: str = "paper", *overrides: str, epochs: int = 3) -> Config:
    return Config.preset(name, epochs=epochs).override([*SMALL, *overrides])


@pytest.fixture(scope="module")
def straight(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    return train(small(), tmp_path_factory.mktemp("straight"), data=data, tensorboard=True)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def without_times(metrics: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in metrics.items() if "second" not in name and "memory" not in name}


def test_a_run_leaves_what_the_docs_promise(straight: TrainingRun) -> None:
    assert straight.metrics["steps"] == 3 * 3  # 24 pairs in batches of 8
    assert {"loss/align", "loss/mlm", "loss/recovery", "lr", "gradient_norm/align"} <= set(straight.history.columns)
    assert straight.history["val/t2i/R@1"].notna().sum() == 3
    assert {"test/best/t2i/R@1", "test/last/i2t/mAP", "best_epoch", "selection"} <= set(straight.metrics)
    assert np.isfinite(straight.history["loss"].dropna()).all()
    assert list((straight.output_dir / "straight").parent.glob("**/events.out.tfevents*"))
    assert not straight.model().training


def test_tensorboard_is_written_only_when_asked(data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    train(small(epochs=1), tmp_path / "plain", data=data)
    assert (tmp_path / "plain" / "history.csv").is_file()
    assert not list(tmp_path.rglob("events.out.tfevents*"))
    with pytest.raises(ImportError, match=r"tensorboard is not installed.*'tireid\[tensorboard\]'"):
        train(small(epochs=1), tmp_path / "asked", data=data, tensorboard=True)
    assert not (tmp_path / "asked").exists()


def test_an_interrupted_run_ends_as_if_nothing_had_happened(
    straight: TrainingRun, data: Dataset, tmp_path: Path
) -> None:
    def interrupt(row: dict[str, float]) -> None:
        if row["step"] == 4:  # the second step of the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small(), tmp_path, data=data, on_log=interrupt)
    assert not (tmp_path / "metrics.json").exists()
    resumed = train(small(), tmp_path, data=data)
    for which in ("best", "last"):
        one, other = weights(straight.output_dir / which), weights(tmp_path / which)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert without_times(resumed.metrics) == without_times(straight.metrics)
    pd.testing.assert_frame_equal(resumed.history.drop(columns="seconds"), straight.history.drop(columns="seconds"))
    assert resumed.history["seconds"].is_monotonic_increasing


def test_who_looks_at_the_model_after_each_epoch_changes_nothing(
    straight: TrainingRun, data: Dataset, tmp_path: Path
) -> None:
    seen: dict[int, torch.Tensor] = {}
    run = train(
        small(), tmp_path, data=data, on_score=lambda model, epoch: seen.update({epoch: model.encode_texts(["a man"])})
    )
    assert list(seen) == [1, 2, 3]
    assert not torch.equal(seen[1], seen[3])
    one, other = weights(straight.output_dir / "last"), weights(run.output_dir / "last")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_finished_run_is_read_back_and_not_repeated(straight: TrainingRun, data: Dataset) -> None:
    stamp = (straight.checkpoint / "model.safetensors").stat().st_mtime_ns
    again = train(small(), straight.output_dir, data=data)
    assert again.metrics == straight.metrics
    assert (straight.checkpoint / "model.safetensors").stat().st_mtime_ns == stamp


def test_another_configuration_does_not_overwrite_a_run(straight: TrainingRun, data: Dataset) -> None:
    with pytest.raises(TrainingError, match=r"loss\.gamma: 16\.0 there, 5\.0 here"):
        train(small("paper", "loss.gamma=5"), straight.output_dir, data=data)


def test_training_changes_the_towers_and_lowers_the_loss(data: Dataset, tmp_path: Path) -> None:
    run = train(small("clip", "image.erase=0", epochs=12), tmp_path, data=data)
    losses = run.history["loss"].dropna()
    assert losses.iloc[-3:].mean() < 0.8 * losses.iloc[:3].mean()
    before, after = TIReID.from_pretrained("tiny").state_dict(), run.model().state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before if name in after)


def test_the_best_checkpoint_is_the_first_maximum_on_validation(straight: TrainingRun) -> None:
    scores = straight.history["val/t2i/R@1"].dropna().tolist()
    assert straight.metrics["best_epoch"] == 1 + scores.index(max(scores))
    assert straight.metrics["val/best/t2i/R@1"] == pytest.approx(max(scores))
    assert "validation split" in straight.metrics["selection"]


def test_without_validation_split_the_last_epoch_is_the_best(data: Dataset, tmp_path: Path) -> None:
    blind = Dataset(data.name, data.root, train=data.train, val=None, test=data.test)
    run = train(small(epochs=2), tmp_path, data=blind)
    assert run.metrics["best_epoch"] == 2
    assert "no validation split" in run.metrics["selection"]
    one, other = weights(run.checkpoint), weights(run.last_checkpoint)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_selecting_on_test_is_labelled(data: Dataset, tmp_path: Path) -> None:
    run = train(small("paper", "training.select_on=test", epochs=1), tmp_path, data=data)
    assert "optimistic" in run.metrics["selection"]


def test_a_loss_that_is_not_finite_stops_and_names_the_step(data: Dataset, tmp_path: Path) -> None:
    model = TIReID.build(small(), data.train.num_people)
    with torch.no_grad():
        next(iter(model.backbone.parameters())).fill_(float("nan"))
    with pytest.raises(TrainingError, match="step 0"):
        train(small(), tmp_path, data=data, model=model)


def test_accumulation_takes_one_step_per_group_of_batches(data: Dataset, tmp_path: Path) -> None:
    run = train(small("clip", "sampler.batch_size=4", "training.accumulate=2", epochs=2), tmp_path, data=data)
    assert run.metrics["steps"] == 2 * 3  # six batches of four, in threes
    with pytest.raises(TrainingError, match=r"training\.accumulate"):
        train(small("clip", "training.accumulate=9"), tmp_path / "none", data=data)


@pytest.mark.parametrize(("warmup", "epochs", "steps"), [(1.0, 4, 10), (0.5, 3, 7), (0.0, 2, 5)])
def test_schedule_is_linear_then_cosine(warmup: float, epochs: int, steps: int) -> None:
    config = Config.preset("paper", epochs=epochs).override(["optimizer.lr=0.3", f"optimizer.warmup_epochs={warmup}"])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = build_schedule(optimizer, config, steps)
    rise, total = round(warmup * steps), epochs * steps
    for step in range(total):
        if step < rise:
            expected = 0.3 * (0.1 + 0.9 * step / rise)
        else:
            expected = 0.3 * 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-5)
        optimizer.step()
        schedule.step()


def test_gradient_norms_are_those_of_separate_backward_passes() -> None:
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    x = torch.randn(5, 3)
    losses = {"a": layer(x).square().mean(), "b": layer(x).abs().sum()}
    norms = gradient_norms(losses, layer)
    for name, loss in losses.items():
        layer.zero_grad()
        loss.backward(retain_graph=True)
        expected = math.sqrt(
            sum(float(p.grad.double().square().sum()) for p in layer.parameters() if p.grad is not None)
        )
        assert norms[f"gradient_norm/{name}"] == pytest.approx(expected, rel=1e-5)
    assert gradient_norms(losses, layer.requires_grad_(False)) == {}


@pytest.mark.slow
def test_frozen_towers_stay_as_they_are_while_the_heads_learn(data: Dataset, tmp_path: Path) -> None:
    model = TIReID.build(small(), data.train.num_people, train_captions=data.train.captions)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.backbone.requires_grad_(False)
    after = weights(train(small(epochs=1), tmp_path, data=data, model=model).last_checkpoint)
    towers = [name for name in before if name.startswith("backbone.")]
    assert len(towers) > 50
    assert all(torch.equal(before[name], after[name]) for name in towers)
    assert not torch.equal(before["mlm_head.fc.weight"], after["mlm_head.fc.weight"])


@pytest.mark.slow
def test_bfloat16_trains_close_to_float32(data: Dataset, tmp_path: Path) -> None:
    runs = [train(small("paper", f"training.precision={p}"), tmp_path / p, data=data) for p in ("fp32", "bf16")]
    one, other = (run.history["loss"].dropna() for run in runs)
    assert not np.array_equal(one, other)
    np.testing.assert_allclose(other, one, rtol=0.1)
