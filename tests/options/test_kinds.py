"""Sections that come in several kinds: each brings its own options and numbers, and old files still load."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal

import pytest
import torch

import tireid.losses
from tireid.basics.section import by_kind
from tireid.losses import (
    ALIGNMENTS,
    RECOVERIES,
    AlignmentLoss,
    CircleLoss,
    Recovery,
    SDMLoss,
    sdm_loss,
    tal_loss,
)
from tireid.options import Config, ConfigError

CLIP = {"dataset": "CUHK-PEDES", "root": "/data"}


@pytest.mark.parametrize(
    ("alignment", "published", "on_tiny"),
    [
        ("circle", {"gamma": 64.0}, {"margin": 0.25, "gamma": 16.0}),
        ("sdm", {"temperature": 0.02}, {"temperature": 0.2}),
        ("infonce", {"temperature": 0.02}, {"temperature": 0.2}),
        ("tal", {"margin": 0.1, "temperature": 0.015}, {"margin": 0.4, "temperature": 0.06}),
        ("cmpm", {}, {}),
    ],
)
@pytest.mark.parametrize("start", ["paper", "irra", "tal"])
def test_another_loss_brings_its_own_numbers(
    start: str, alignment: str, published: dict[str, float], on_tiny: dict[str, float]
) -> None:
    for options, expected in ((CLIP, published), ({}, on_tiny)):
        loss = Config.preset(start, **options).override([f"loss.alignment={alignment}"]).loss.model_dump()
        assert {name: loss[name] for name in expected} == expected
        assert set(loss) - set(AlignmentLoss.model_fields) >= set(expected)
        if alignment in ("sdm", "infonce", "cmpm", "tal"):
            assert set(loss) - set(AlignmentLoss.model_fields) == set(expected)


def test_the_weights_of_the_terms_stay_and_given_numbers_win_in_any_order() -> None:
    start = Config.preset("irra").override(["loss.align=4", "loss.identity=0.5"])
    for overrides in (["loss.alignment=tal", "loss.margin=0.3"], ["loss.margin=0.3", "loss.alignment=tal"]):
        loss = start.override(overrides).loss
        assert (loss.align, loss.identity, loss.mlm, loss.recovery, loss.align_masked) == (4, 0.5, 1, 0, True)
        assert loss.model_dump()["margin"] == 0.3
        assert loss.model_dump()["temperature"] == 0.06
    assert Config.preset("paper", loss={"alignment": "sdm"}).loss == SDMLoss(temperature=0.2)
    assert Config.preset("irra", loss=CircleLoss(gamma=5)).loss == CircleLoss(gamma=5)


@pytest.mark.parametrize(
    ("start", "override", "message"),
    [
        (
            "irra",
            "loss.gamma=64",
            "'loss.gamma'; it belongs to loss.alignment circle, late_circle; sdm has temperature of its own",
        ),
        (
            "clip",
            "loss.margin=0.2",
            "it belongs to loss.alignment circle, tal, late_circle; infonce has temperature of its own",
        ),
        ("paper", "recovery.gamma=8", "it belongs to recovery.loss circle; infonce has temperature of its own"),
        ("paper", "loss.alignment=sdn", "did you mean 'sdm'"),
        ("paper", "loss.alignment=[1]", "is not known"),
    ],
)
def test_an_option_of_another_kind_is_an_error_that_says_whose_it_is(start: str, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.preset(start).override([override])


def test_each_loss_computes_with_its_own_numbers() -> None:
    rng = torch.Generator().manual_seed(0)
    image, text = torch.randn(6, 8, generator=rng), torch.randn(6, 8, generator=rng)
    ids = torch.tensor([0, 0, 1, 1, 2, 3])
    values = {name: loss().compute(image, text, ids).item() for name, loss in ALIGNMENTS.items()}
    assert len(set(values.values())) == len(ALIGNMENTS)
    assert values["tal"] == tal_loss(image, text, ids, margin=0.1, temperature=0.015).item()
    assert values["sdm"] == sdm_loss(image, text, ids, temperature=0.02).item()


def test_every_loss_of_the_package_can_be_named() -> None:
    rooms = [import_module(f"tireid.losses.{room.name}") for room in iter_modules(tireid.losses.__path__)]
    own = {thing for room in rooms for thing in vars(room).values() if isinstance(thing, type)}
    for base, known in ((AlignmentLoss, ALIGNMENTS), (Recovery, RECOVERIES)):
        assert {thing for thing in own if issubclass(thing, base) and thing is not base} == set(known.values())


def test_a_loss_without_a_computation_or_a_name_of_its_own_cannot_be_defined() -> None:
    with pytest.raises(TypeError, match="must define compute"):

        class _Lazy(AlignmentLoss):
            alignment: Literal["lazy"] = "lazy"

    class _Again(CircleLoss):
        pass

    with pytest.raises(TypeError, match="literal of its own, got 'circle'"):
        by_kind(CircleLoss, _Again)


OLD = {
    "margin": 0.3,
    "gamma": 12.0,
    "gamma_warmup": 0.5,
    "positives": "pair",
    "temperature": 0.07,
}


OF_OLD = {
    "circle": ("margin", "gamma", "gamma_warmup", "positives"),
    "sdm": ("temperature",),
    "infonce": ("temperature",),
    "cmpm": (),
    "tal": ("margin", "temperature"),
}


@pytest.mark.parametrize("alignment", OF_OLD)
def test_files_from_when_all_losses_shared_their_options_load_with_the_numbers_that_were_used(
    alignment: str, tmp_path: Path
) -> None:
    tree: dict[str, Any] = {"loss": {"alignment": alignment, "align": 2.0, **OLD}, "epochs": 3}
    (tmp_path / "config.json").write_text(json.dumps(tree))
    loss = Config.load(tmp_path / "config.json").loss
    assert loss.align == 2
    assert {name: getattr(loss, name) for name in OF_OLD[alignment]} == {name: OLD[name] for name in OF_OLD[alignment]}


def test_an_old_circle_recovery_keeps_the_numbers_it_took_from_the_loss() -> None:
    tree = {"loss": {"alignment": "sdm", **OLD}, "recovery": {"loss": "circle", "temperature": 0.03}}
    recovery = Config.from_stored(tree).recovery.model_dump()
    assert (recovery["margin"], recovery["gamma"], recovery["gamma_warmup"]) == (0.3, 12.0, 0.5)
    with pytest.raises(ConfigError, match=r"'recovery\.temperature'"):
        Config.from_dict({"recovery": tree["recovery"]})


def test_an_option_that_never_was_is_not_forgiven_in_an_old_file() -> None:
    with pytest.raises(ConfigError, match=r"loss\.gama"):
        Config.from_stored({"loss": {"alignment": "sdm", **OLD, "gama": 1}})
