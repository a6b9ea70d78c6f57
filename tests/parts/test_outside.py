"""A user's own loss, fusion, reader, metric and preset, without a change of the package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import tireid
from tests.parts import outside_parts as own
from tireid.basics.parts import TRUST, UntrustedPartError
from tireid.losses import CircleLoss
from tireid.model.gaussian import batch_variance, identity_variance, uncertainty
from tireid.options import Config, ConfigError
from tireid.options.outside import UnresolvedLoss

HERE = "tests.parts.outside_parts"


def small(*overrides: str) -> Config:
    return Config.preset("paper").override(["loss.mlm=0", "loss.recovery=0", *overrides])


def test_a_loss_of_ones_own_has_validated_options_and_survives_a_round_trip() -> None:
    config = small(f"loss.alignment={HERE}:MarginLoss", "loss.margin=0.3")
    assert config.loss == own.MarginLoss(margin=0.3, mlm=0, recovery=0)
    assert config.loss.alignment == f"{HERE}:MarginLoss"
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.parts == (f"{HERE}:MarginLoss",)
    with pytest.raises(ConfigError, match=r"loss\.margin: .*less than or equal to 1"):
        config.override(["loss.margin=2"])
    with pytest.raises(ConfigError, match=r"'loss\.marin'; did you mean 'loss\.margin'"):
        config.override(["loss.marin=0.2"])
    with pytest.raises(ConfigError, match=r"'loss\.gamma'; it belongs to loss\.alignment circle"):
        config.override(["loss.gamma=2"])
    assert config.override(["loss.alignment=circle"]).loss == CircleLoss(gamma=16, mlm=0, recovery=0)


def test_a_relative_of_a_loss_of_the_package() -> None:
    assert small(f"loss.alignment={HERE}:OwnCircle").loss.model_dump()["gamma"] == 8
    with pytest.raises(ConfigError, match="inherits the name 'circle'; add the line `alignment: str`"):
        small(f"loss.alignment={HERE}:Inherits")


@pytest.mark.parametrize("name", ["largest", "Record", "np"])
def test_what_is_not_a_loss_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"not a subclass of tireid\.losses\.AlignmentLoss"):
        small(f"loss.alignment={HERE}:{name}")


def test_a_fusion_of_ones_own() -> None:
    x, ids = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 0, 1, 1, 2, 2])
    fused = uncertainty(x, ids, f"{HERE}:largest")
    for i in range(6):
        for j in range(4):
            assert fused[i, j] == max(batch_variance(x)[j], identity_variance(x, ids)[i, j])
    with pytest.raises(ValueError, match=r"wrong_shape' must return \(6, 4\), got \(4,\)"):
        uncertainty(x, ids, f"{HERE}:wrong_shape")
    with pytest.raises(ConfigError, match="is not a fusion"):
        small(f"uncertainty.fusion={HERE}:reciprocal_rank")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three people with two pictures each per split."""
    lines = []
    for number, split in enumerate(["train", "val", "test"]):
        for person in range(3):
            for take in range(2):
                file = f"{split}-{person}-{take}.png"
                colour = (80 * person, 60 * take + 20, 60 * number)
                Image.new("RGB", (32, 96), colour).save(tmp_path / file)
                lines.append(f"{split} {10 * number + person} {file} a man in coat number {person} seen {take}")
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    return tmp_path


def test_a_reader_of_ones_own(pictures: Path) -> None:
    data = tireid.load_dataset(f"{HERE}:read", pictures)
    assert (data.train.num_images, data.test.num_people) == (6, 3)
    assert data.check().ok
    with pytest.raises(TypeError, match=r"read_wrongly.* must return a tireid\.data\.Dataset, got list"):
        tireid.load_dataset(f"{HERE}:read_wrongly", pictures)


def test_a_metric_of_ones_own(pictures: Path) -> None:
    data = tireid.load_dataset(f"{HERE}:read", pictures)
    model = tireid.TIReID.from_pretrained("tiny")
    score = tireid.evaluate(model, data.test, metrics=[f"{HERE}:reciprocal_rank"])
    first = score.per_query.loc[score.per_query["direction"] == "t2i", "first_rank"]
    assert score.metrics["t2i/reciprocal_rank"] == pytest.approx(100 * np.mean([1 / rank for rank in first]))
    assert tireid.evaluate(model, data.test, metrics=[own.reciprocal_rank]).metrics == score.metrics
    plain = tireid.evaluate(model, data.test)
    assert {name: score.metrics[name] for name in plain.metrics} == plain.metrics
    assert "reciprocal_rank" in score.table()
    with pytest.raises(ValueError, match="would be called 'AP'"):
        tireid.evaluate(model, data.test, metrics=[own.AP])


OUTSIDE = """\
from torch import Tensor
from tireid.losses import AlignmentLoss


class Mean(AlignmentLoss):
    weight: float = 1.0

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        return self.weight * (image - text).square().mean()
"""
TRAIN = """\
import sys, tireid
config = tireid.Config.preset("paper", backbone="tiny-untrained", dataset="tests.parts.outside_parts:read",
    root=sys.argv[1], epochs=1).override(["loss.mlm=0", "loss.recovery=0", "sampler.kind=random",
    "sampler.batch_size=4", "loss.alignment=outside_loss:Mean", "training.precision=fp32",
    "training.metrics=[tests.parts.outside_parts:reciprocal_rank]"])
print(tireid.train(config, sys.argv[2]).metrics["test/best/t2i/reciprocal_rank"])
"""


def test_source_and_trust_of_a_run(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in a process that trusts the loss; come back in one that does not, then with a changed source."""
    monkeypatch.setenv(TRUST, "outside_loss,tests.parts")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    (tmp_path / "outside_loss.py").write_text(OUTSIDE)
    run = tmp_path / "run"

    def train(expected: int) -> str:
        command = [sys.executable, "-c", TRAIN, str(pictures), str(run)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        return done.stdout.splitlines()[-1] if expected == 0 else done.stderr.splitlines()[-1]

    first = train(0)
    assert 0 < float(first) <= 100
    assert train(0) == first
    assert set(json.loads((run / "parts.json").read_text())) >= {"outside_loss:Mean"}

    monkeypatch.setenv(TRUST, "")
    model = tireid.TIReID.from_pretrained(run / "best")
    assert isinstance(model.config.loss, UnresolvedLoss)
    assert "outside_loss" not in sys.modules
    assert model.encode_texts(["a man"]).shape == (1, 128)
    model.save_pretrained(tmp_path / "again")
    assert tireid.TIReID.from_pretrained(tmp_path / "again").config == model.config
    assert model.config.override(["epochs=2"]).epochs == 2
    with pytest.raises(ConfigError, match=r"outside_loss:Mean'.*--trust outside_loss"):
        tireid.train(model.config, tmp_path / "other")
    assert not (tmp_path / "other").exists()
    batch = torch.zeros(2, 3, 96, 32), model.tokenizer(["a", "b"]), torch.tensor([0, 1])
    with pytest.raises(UntrustedPartError, match="--trust outside_loss"):
        model.train()(*batch)

    monkeypatch.setenv(TRUST, "outside_loss,tests.parts")
    (tmp_path / "outside_loss.py").write_text(OUTSIDE.replace(".square()", ".abs()"))
    assert "another source of outside_loss:Mean" in train(1)
    shutil.rmtree(run)
    train(0)
