from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tireid.model import TIReID
from tireid.model.io.irra import HEADS
from tireid.options import OptimizerConfig

OPTIONS = OptimizerConfig(lr=1e-3, head_lr_factor=5, bias_lr_factor=2, weight_decay=0.1)


@pytest.mark.parametrize("preset", ["paper-strong", "clip"])
def test_every_trainable_parameter_is_in_exactly_one_group(preset: str, make: Callable[..., TIReID]) -> None:
    model = make("recovery.token=mask", preset=preset)
    frozen = model.backbone.text_projection.weight.requires_grad_(False)
    groups = model.parameter_groups(OPTIONS)
    ids = [id(p) for group in groups for p in group["params"]]
    assert len(groups) == 4
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(p) for p in model.parameters()} - {id(frozen)}
    torch.optim.AdamW(groups, lr=1.0)


def test_rates_and_decay(make: Callable[..., TIReID]) -> None:
    model = make("recovery.token=mask")
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in model.parameter_groups(OPTIONS) for p in g["params"]}
    assert model.classifier is not None
    assert model.interaction is not None
    for parameter, expected in (
        (model.backbone.visual_projection.weight, (1e-3, 0.1)),
        (model.backbone.vision_model.post_layernorm.weight, (1e-3, 0.1)),
        (model.backbone.vision_model.post_layernorm.bias, (2e-3, 0.0)),
        (model.backbone.vision_model.embeddings.class_embedding, (1e-3, 0.1)),
        (model.classifier.weight, (5e-3, 0.1)),
        (model.classifier.bias, (5e-3, 0.0)),
        (model.interaction.cross_attn.in_proj_bias, (5e-3, 0.0)),
        (model.recovery_embedding, (5e-3, 0.1)),
    ):
        assert isinstance(parameter, nn.Parameter)
        assert settings[id(parameter)] == pytest.approx(expected)


def irras_rate(key: str) -> tuple[float, float]:
    """What IRRA's optimiser gives a parameter of this name in its own checkpoint: solver/build.py, in words."""
    rate, decay = 1e-3, 0.1
    if "cross" in key:
        rate = 5e-3
    if "bias" in key:
        rate, decay = 2e-3, 0.0
    if "classifier" in key or "mlm_head" in key:
        rate = 5e-3
    return rate, decay


def test_irras_groups_are_those_of_its_code(make: Callable[..., TIReID]) -> None:
    model = make("interaction.looks=1", preset="irra")
    groups = model.parameter_groups(OPTIONS.model_copy(update={"groups": "irra"}))
    assert len(groups) == 4
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    ours_to_irra = {ours: theirs for theirs, ours in HEADS.items()}
    seen = set()
    for name, parameter in model.named_parameters():
        prefix = next((known for known in ours_to_irra if name.startswith(known)), "backbone.")
        key = ours_to_irra.get(prefix, "base_model.") + name.removeprefix(prefix)
        assert settings[id(parameter)] == pytest.approx(irras_rate(key)), name
        seen.add(prefix)
    assert seen == {*ours_to_irra, "backbone."}
