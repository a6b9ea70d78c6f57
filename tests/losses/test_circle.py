from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss
from pytorch_metric_learning.reducers import MeanReducer
from torch.nn import functional as F

from tests.oracles import losses as oracle
from tireid.losses import (
    CircleForm,
    LateCircleLoss,
    bidirectional_circle_loss,
    circle_exponents,
    circle_loss,
    circle_weights,
    class_circle_loss,
)
from tireid.losses import CircleLoss as CircleOptions

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


FORMS: dict[str, tuple[CircleForm, dict[str, object]]] = {
    "log-mean-exp": (CircleForm(pooling="mean"), {"mean": True}),
    "bounded": (CircleForm(bound=0.5), {"bound": 0.5}),
    "bounded by 1": (CircleForm(bound=1.0), {"bound": 1.0}),
    "own optima": (CircleForm(optimum_positive=0.9, optimum_negative=-0.1), {"optima": (0.9, -0.1)}),
    "own margins": (CircleForm(margin_positive=0.6, margin_negative=0.1), {"margins": (0.6, 0.1)}),
    "all of them": (
        CircleForm(1.1, 0.0, 0.7, 0.2, "mean", 0.3),
        {"optima": (1.1, 0.0), "margins": (0.7, 0.2), "mean": True, "bound": 0.3},
    ),
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("gamma", [8.0, 64.0])
def test_forms_equal_loops(name: str, gamma: float) -> None:
    form, options = FORMS[name]
    s = similarity(3)
    rows = oracle.circle(s.tolist(), POSITIVES.tolist(), 0.25, gamma, **options)  # type: ignore[arg-type]
    columns = oracle.circle(s.T.tolist(), POSITIVES.T.tolist(), 0.25, gamma, **options)  # type: ignore[arg-type]
    assert circle_loss(s, POSITIVES, 0.25, gamma, form=form).item() == pytest.approx(rows, rel=1e-9)
    both = bidirectional_circle_loss(s, POSITIVES, 0.25, gamma, form=form)
    assert both.item() == pytest.approx(rows + columns, rel=1e-9)
    assert rows != pytest.approx(oracle.circle(s.tolist(), POSITIVES.tolist(), 0.25, gamma), rel=1e-3)


def test_options_reach_the_loss() -> None:
    image, text = features()
    form = CircleForm(1.1, 0.0, 0.7, 0.2, "mean", 0.3)
    options = CircleOptions(gamma=8, **form._asdict())
    expected = bidirectional_circle_loss(similarity(), POSITIVES, 0.25, 8, form=form)
    torch.testing.assert_close(options.compute(image, text, IDS), expected)


@pytest.mark.parametrize("bound", [0.0, 0.5])
def test_the_pull_is_the_slope_of_the_outer_function(bound: float) -> None:
    s = similarity(2)
    options = CircleOptions(gamma=8, bound=bound, pooling="mean")
    z = circle_exponents(s, POSITIVES, gamma=8, form=options.form).requires_grad_()
    outer = (1 - (-z).sigmoid() ** bound) / bound if bound else F.softplus(z)
    (slope,) = torch.autograd.grad(outer.sum(), z)
    torch.testing.assert_close(options.pull(s, POSITIVES), slope)


def test_more_negatives_move_the_sum_but_not_the_mean() -> None:
    s, positives = torch.full((1, 64), 0.0), torch.zeros(1, 64, dtype=torch.bool)
    s[0, 0], positives[0, 0] = 0.66, True
    few, many = ({"similarity": s[:, :n], "positives": positives[:, :n], "gamma": 16.0} for n in (2, 64))
    moved = circle_exponents(**many) - circle_exponents(**few)  # type: ignore[arg-type]
    torch.testing.assert_close(moved, torch.tensor([63.0]).log())
    mean = CircleForm(pooling="mean")
    torch.testing.assert_close(circle_exponents(**many, form=mean), circle_exponents(**few, form=mean))  # type: ignore[arg-type]


def test_a_bound_lets_go_of_a_hopeless_anchor() -> None:
    s = torch.tensor([[-0.2, 0.9]], requires_grad=True)
    positives = torch.tensor([[True, False]])
    slopes = [
        torch.autograd.grad(circle_loss(s, positives, gamma=16, form=CircleForm(bound=q)), s)[0].abs().max().item()
        for q in (0.0, 0.5)
    ]
    assert slopes[1] < 0.01 * slopes[0]
    assert circle_loss(s, positives, gamma=16, form=CircleForm(bound=0.5)).item() <= 2.0


def test_a_row_without_negatives_adds_nothing_to_a_mean() -> None:
    s = torch.ones(2, 2, requires_grad=True)
    loss = circle_loss(s, torch.ones(2, 2, dtype=torch.bool), form=CircleForm(pooling="mean", bound=0.5))
    loss.backward()
    assert loss.item() == 0
    assert s.grad is not None
    assert s.grad.abs().sum() == 0


def test_circle_on_classes_equals_loops() -> None:
    (image, text), (classes, _) = features(1), features(5)
    labels = torch.tensor([0, 0, 3, 1, 5, 2])
    own = (labels[:, None] == torch.arange(6)).tolist()
    expected = 0.0
    for side in (image, text):
        cosine = [[oracle.dot(oracle.unit(f), oracle.unit(c)) for c in classes.tolist()] for f in side.tolist()]
        expected += oracle.circle(cosine, own, 0.25, 16.0) / 2
    assert class_circle_loss(image, text, classes, labels, gamma=16).item() == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match=r"0\.\.5"):
        class_circle_loss(image, text, classes, labels + 1)


def test_the_late_circle_rises_beside_sdm() -> None:
    image, text = features(6)
    options = LateCircleLoss(circle=0.4, rise=0.5, gamma=8, temperature=0.1)
    sdm = oracle.sdm(image.tolist(), text.tolist(), IDS.tolist(), 0.1)
    s = similarity(6)
    circle = sum(oracle.circle(x.tolist(), POSITIVES.tolist(), 0.25, 8.0) for x in (s, s.T))
    for progress, weight in ((0.0, 0.0), (0.25, 0.2), (0.5, 0.4), (1.0, 0.4)):
        found = options.compute(image, text, IDS, progress).item()
        assert found == pytest.approx(sdm + weight * circle, rel=1e-6), progress
