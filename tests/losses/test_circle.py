from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch.nn import functional as F

from tests.oracles import losses as oracle
from tireid.losses import bidirectional_circle_loss, circle_loss, circle_weights

IDS = torch.tensor([3, 3, 8, 8, 8, 1])


def features(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(6, 5, generator=rng, dtype=dtype), torch.randn(6, 5, generator=rng, dtype=dtype)


def similarity(seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    image, text = features(seed, dtype)
    return F.normalize(image, dim=1) @ F.normalize(text, dim=1).T


POSITIVES = IDS[:, None] == IDS


@pytest.mark.parametrize(("margin", "gamma"), [(0.25, 64.0), (0.4, 8.0)])
def test_each_direction_equals_loops(margin: float, gamma: float) -> None:
    s = similarity()
    rows = oracle.circle(s.tolist(), POSITIVES.tolist(), margin, gamma)
    columns = oracle.circle(s.T.tolist(), POSITIVES.T.tolist(), margin, gamma)
    assert abs(rows - columns) > 1e-3  # the directions differ, so mixing them up would show
    assert circle_loss(s, POSITIVES, margin, gamma).item() == pytest.approx(rows, rel=1e-9)
    assert bidirectional_circle_loss(s, POSITIVES, margin, gamma).item() == pytest.approx(rows + columns, rel=1e-9)


@pytest.mark.parametrize("transpose", [False, True])
def test_each_direction_equals_pytorch_metric_learning(transpose: bool) -> None:
    image, text = features(seed=4, dtype=torch.float32)
    anchors, others = (text, image) if transpose else (image, text)
    reference = CircleLoss(m=0.25, gamma=64, reducer=MeanReducer())
    # A clone, since with the same tensor the reference would leave out the diagonal.
    expected = reference(anchors, IDS, ref_emb=others, ref_labels=IDS.clone())
    s = F.normalize(anchors, dim=1) @ F.normalize(others, dim=1).T
    torch.testing.assert_close(circle_loss(s, POSITIVES), expected, rtol=1e-5, atol=1e-5)


def test_gradient_is_that_of_fixed_weights() -> None:
    # Finite differences would see the weights move; with the weights as constants they must agree.
    s = similarity().requires_grad_()
    (gradient,) = torch.autograd.grad(circle_loss(s, POSITIVES, 0.25, 8.0), s)
    a_p, a_n = circle_weights(s, POSITIVES, 0.25)

    def fixed(x: torch.Tensor) -> torch.Tensor:
        logits = torch.where(POSITIVES, -8 * a_p * (x - 0.75), 8 * a_n * (x - 0.25)).exp()
        return torch.log1p((logits * ~POSITIVES).sum(1) * (logits * POSITIVES).sum(1)).mean()

    step = 1e-6
    for i in range(6):
        for j in range(6):
            nudge = torch.zeros_like(s)
            nudge[i, j] = step
            numeric = (fixed(s.detach() + nudge) - fixed(s.detach() - nudge)) / (2 * step)
            assert gradient[i, j].item() == pytest.approx(numeric.item(), rel=1e-5, abs=1e-8)


def test_anchors_without_positive_or_negative_add_nothing() -> None:
    s = similarity()[:3].requires_grad_()
    positives = torch.tensor([[True] * 6, [False] * 6, [True] + [False] * 5])
    loss = circle_loss(s, positives, 0.25, 8.0)
    assert loss.item() == pytest.approx(oracle.circle(s[2:].tolist(), positives[2:].tolist(), 0.25, 8.0) / 3)
    loss.backward()
    assert s.grad is not None
    assert torch.isfinite(s.grad).all()
    assert (s.grad[:2] == 0).all()
    assert (s.grad[2] != 0).any()


def test_a_batch_of_one_person_is_zero_with_zero_gradient() -> None:
    s = similarity().requires_grad_()
    loss = bidirectional_circle_loss(s, torch.ones(6, 6, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert (s.grad == 0).all()


def test_ignored_pairs_are_in_neither_sum() -> None:
    s = similarity()
    own = torch.eye(6, dtype=torch.bool)
    value = circle_loss(s, own, 0.25, 8.0, negatives=~POSITIVES).item()
    expected = 0.0
    for i in range(6):
        keep = [j for j in range(6) if j == i or not POSITIVES[i, j]]
        expected += oracle.circle([s[i, keep].tolist()], [own[i, keep].tolist()], 0.25, 8.0) / 6
    assert value == pytest.approx(expected)


def test_weights_are_self_paced() -> None:
    s = torch.tensor([[0.9, -0.5, 0.3]])
    a_p, a_n = circle_weights(s, torch.tensor([[True, False, False]]), margin=0.25)
    torch.testing.assert_close(a_p, torch.tensor([[0.35, 0.0, 0.0]]))
    torch.testing.assert_close(a_n, torch.tensor([[0.0, 0.0, 0.55]]))


def test_bfloat16_and_autocast_are_computed_in_float32() -> None:
    s = similarity(dtype=torch.float32).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = circle_loss(s, POSITIVES)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(oracle.circle(s.tolist(), POSITIVES.tolist(), 0.25, 64.0), rel=1e-5)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="similarity"):
        circle_loss(torch.zeros(3), POSITIVES)
    with pytest.raises(ValueError, match="positives must be bool"):
        circle_loss(similarity(), POSITIVES.float())
    with pytest.raises(ValueError, match="negatives"):
        circle_loss(similarity(), POSITIVES, negatives=POSITIVES[:2])
