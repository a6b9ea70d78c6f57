"""Gradient caching and checkpointing: the gradients of the plain step, less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.model.conftest import Batch
from tireid.model import TIReID, caching

TERMS = {
    "all": ["uncertainty.samples=2", "uncertainty.probability=0.9", "recovery.target=both"],
    "patches": ["recovery.token=image", "recovery.target=fused", "loss.mlm=0"],
    "own pass": ["recovery.token=mask", "loss.mlm=0"],
}


def step(model: TIReID, batch: Batch, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Losses and gradients of one step from the same generator."""
    model = model.to(dtype)
    torch.manual_seed(5)
    output = model(batch[0].to(dtype), *batch[1:], generator=torch.Generator().manual_seed(3))
    output.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return gradients | {f"losses/{name}": value.detach() for name, value in output.losses.items()}


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-8, atol=1e-10, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("terms", TERMS)
def test_chunks_have_the_gradients_of_the_whole_batch(
    terms: str, size: int, make: Callable[..., TIReID], batch: Batch
) -> None:
    expected = step(make(*TERMS[terms]), batch)
    assert_same(step(make(*TERMS[terms], f"training.chunk={size}"), batch), expected)


@pytest.mark.parametrize("preset", ["irra", "clip"])
def test_chunks_serve_every_preset(preset: str, make: Callable[..., TIReID], batch: Batch) -> None:
    expected = step(make(preset=preset), batch)
    assert_same(step(make("training.chunk=4", preset=preset), batch), expected)


def test_checkpointed_layers_have_the_same_gradients(make: Callable[..., TIReID], batch: Batch) -> None:
    assert_same(step(make("training.checkpointing=true"), batch), step(make(), batch))


def test_dropout_is_the_same_the_second_time(
    make: Callable[..., TIReID], batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropping(*options: str) -> TIReID:
        model = make(*options)
        for tower in (model.backbone.vision_model, model.backbone.text_model):
            for layer in tower.encoder.layers:
                layer.self_attn.dropout = 0.3
        return model

    assert_same(step(dropping("training.checkpointing=true"), batch), step(dropping(), batch))
    found = step(dropping("training.chunk=2"), batch)
    monkeypatch.setattr(caching, "checkpoint", lambda encode, rows, use_reentrant: encode(rows))  # keeps everything
    assert_same(found, step(dropping("training.chunk=2"), batch))


@pytest.mark.parametrize(("option", "share"), [("training.chunk=1", 0.4), ("training.checkpointing=true", 0.8)])
def test_less_is_kept_for_the_backward_pass(
    option: str, share: float, make: Callable[..., TIReID], batch: Batch
) -> None:
    """Counted in numbers that autograd holds when the loss is known, weights left out."""

    def kept(model: TIReID) -> int:
        weights = {p.data_ptr() for p in model.parameters()}
        held: dict[int, int] = {}

        def pack(x: torch.Tensor) -> torch.Tensor:
            if x.data_ptr() not in weights:
                held[x.data_ptr()] = x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            output = model(*batch, generator=torch.Generator().manual_seed(3))
        assert isinstance(output.loss, torch.Tensor)
        return sum(held.values())

    assert kept(make(option)) < share * kept(make())
