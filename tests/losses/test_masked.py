from __future__ import annotations

import pytest
import torch

from tests.oracles import losses as oracle
from tireid.losses import mlm_loss, recovery_loss

IDS = torch.tensor([7, 2, 7, 7, 2])
RNG = torch.Generator().manual_seed(1)
RECOVERED = torch.randn(5, 4, generator=RNG, dtype=torch.float64)
TARGET = torch.randn(5, 4, generator=RNG, dtype=torch.float64)


def test_mlm_equals_loops() -> None:
    labels = torch.tensor([0, 3, 3, 1, 2])
    expected = oracle.cross_entropy(RECOVERED.tolist(), labels.tolist())
    assert mlm_loss(RECOVERED, labels).item() == pytest.approx(expected, rel=1e-9)
    assert mlm_loss(RECOVERED, labels, normalizer=20).item() == pytest.approx(expected / 4, rel=1e-9)


def test_mlm_of_no_token_is_zero_with_gradient() -> None:
    logits = torch.zeros(0, 4, requires_grad=True)
    loss = mlm_loss(logits, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None


def test_recovery_with_several_positives_equals_loops() -> None:
    for temperature in (0.03, 0.5):
        expected = oracle.recovery(RECOVERED.tolist(), TARGET.tolist(), IDS.tolist(), temperature)
        value = recovery_loss(RECOVERED, TARGET, IDS, "infonce", temperature)
        assert value.item() == pytest.approx(expected, rel=1e-9)


def test_recovery_does_not_push_items_of_a_person_apart() -> None:
    same = torch.zeros(5, dtype=torch.int64)
    recovered = RECOVERED.clone().requires_grad_()
    loss = recovery_loss(recovered, TARGET, same)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    torch.testing.assert_close(recovered.grad, torch.zeros_like(recovered))


def test_the_other_kinds_equal_loops() -> None:
    g = [oracle.unit(row) for row in RECOVERED.tolist()]
    r = [oracle.unit(row) for row in TARGET.tolist()]
    cosine = sum(1 - oracle.dot(a, b) for a, b in zip(g, r, strict=True)) / 5
    squares = sum((x - y) ** 2 for a, b in zip(g, r, strict=True) for x, y in zip(a, b, strict=True)) / 20
    similarity = [[oracle.dot(a, b) for b in r] for a in g]
    circle = oracle.circle(similarity, (IDS[:, None] == IDS).tolist(), 0.3, 16.0)
    assert recovery_loss(RECOVERED, TARGET, IDS, "cosine").item() == pytest.approx(cosine)
    assert recovery_loss(RECOVERED, TARGET, IDS, "mse").item() == pytest.approx(squares)
    assert recovery_loss(RECOVERED, TARGET, IDS, "circle", margin=0.3, gamma=16.0).item() == pytest.approx(circle)


@pytest.mark.parametrize("kind", ["infonce", "cosine", "mse"])
def test_gradients_by_finite_differences_and_none_to_the_target(kind: str) -> None:
    recovered, target = RECOVERED.clone().requires_grad_(), TARGET.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda g: recovery_loss(g, TARGET, IDS, kind, 0.5), (recovered,))
    recovery_loss(recovered, target, IDS, kind).backward()
    assert target.grad is None


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="kind must be one of infonce, cosine, mse, circle"):
        recovery_loss(RECOVERED, TARGET, IDS, "l1")
    with pytest.raises(ValueError, match="labels must be 5 integers"):
        mlm_loss(RECOVERED, IDS[:2])
