"""Attention, the activation and groups of captions, each against the plain way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers.activations import ACT2FN

from tests.model.conftest import Batch
from tireid.model import TIReID
from tireid.model.activation import QuickGELU, perceptron
from tireid.model.attention import attend


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_attention_equals_loops(causal: bool, dtype: torch.dtype, tolerance: float) -> None:
    rng = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, 5, 4, generator=rng).to(dtype) for _ in range(3))
    expected = torch.zeros(2, 5, 3, 4, dtype=torch.float64)
    for b, h, i in ((b, h, i) for b in range(2) for h in range(3) for i in range(5)):
        seen = range(i + 1) if causal else range(5)
        scores = torch.stack([q[b, h, i].double() @ k[b, h, j].double() * 0.7 for j in seen])
        weights = scores.exp() / scores.exp().sum()
        expected[b, i, h] = sum(w * v[b, h, j].double() for w, j in zip(weights, seen, strict=True))
    found, _ = attend(torch.nn.Identity(), q, k, v, None, scaling=0.7, is_causal=causal)
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


def test_the_activation_is_that_of_transformers() -> None:
    x, other = (torch.linspace(-9, 9, 1001, dtype=torch.float64).requires_grad_() for _ in range(2))
    ours, theirs = QuickGELU()(x), ACT2FN["quick_gelu"](other)
    torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)


def test_without_a_gradient_the_numbers_are_those_of_clips_own_code() -> None:
    """To the bit, so that a checkpoint of its layers answers as it did there."""
    torch.manual_seed(0)
    first, second, x = torch.nn.Linear(6, 24), torch.nn.Linear(24, 6), torch.randn(5, 6)
    with torch.no_grad():
        hidden = first(x)
        hidden = hidden * torch.sigmoid(1.702 * hidden)
        assert torch.equal(QuickGELU()(first(x)), hidden)
        assert torch.equal(perceptron(x, first, second), second(hidden))
    torch.testing.assert_close(perceptron(x, first, second), second(hidden))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_perceptron_has_the_gradients_of_its_layers(frozen: bool, dtype: torch.dtype, tolerance: float) -> None:
    """In float64, and under autocast."""
    torch.manual_seed(0)
    plain = torch.nn.Sequential(torch.nn.Linear(6, 24), QuickGELU(), torch.nn.Linear(24, 6)).requires_grad_(not frozen)
    x, above = torch.randn(2, 3, 4, 6)
    half = dtype == torch.bfloat16
    plain, x, above = (plain, x, above) if half else (plain.double(), x.double(), above.double())
    found = []
    for run in (plain, lambda x: perceptron(x, plain[0], plain[2])):
        plain.zero_grad()
        given = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            out = run(given)
        assert out.dtype == dtype
        out.backward(above.to(dtype))
        found.append((out, given.grad, *(p.grad for p in plain.parameters() if not frozen)))
    torch.testing.assert_close(found[1], found[0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("token", ["eot", "mask", "image"])
def test_groups_of_captions_change_nothing(
    token: str, make: Callable[..., TIReID], batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses and gradients of captions cut to the longest of their group, and of the whole batch at its full width."""
    pixels, ids, people = batch
    results = []
    for at_once in (False, True):
        if at_once:
            for name in ("tireid.model.lengths.reads_lengths", "tireid.model.passes.reads_lengths"):
                monkeypatch.setattr(name, lambda _: False)
        model = make(f"recovery.token={token}", "recovery.target=fused").double()
        output = model(pixels.double(), ids, people, generator=torch.Generator().manual_seed(3))
        output.loss.backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        results.append(gradients | dict(output.losses))
    assert results[0].keys() == results[1].keys()
    for name, value in results[1].items():
        torch.testing.assert_close(
            results[0][name], value, rtol=1e-9, atol=1e-11, msg=lambda text, n=name: f"{n}: {text}"
        )
