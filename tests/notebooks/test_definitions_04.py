"""What notebook 04 defines in the open is what the library does, and what the equations say."""

from __future__ import annotations

import math

import pytest
import torch

from tests.notebooks.definitions import load_definition
from tests.oracles import losses as oracle
from tireid import losses

NOTEBOOK = "04_circle_loss"


def batch(seed: int, rows: int = 11, columns: int = 14) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    similarity = 2 * torch.rand(rows, columns, generator=rng) - 1
    ids = torch.randint(0, 4, (rows + columns,), generator=rng)
    return similarity, ids[:rows, None] == ids[None, rows:]


@pytest.mark.parametrize(("seed", "margin", "gamma"), [(0, 0.25, 64.0), (1, 0.4, 8.0), (2, 0.1, 128.0)])
def test_loss_and_gradient_are_the_librarys(seed: int, margin: float, gamma: float) -> None:
    similarity, positives = batch(seed)
    for own, library in (
        (load_definition(NOTEBOOK, "circle_loss"), losses.circle_loss),
        (load_definition(NOTEBOOK, "bidirectional"), losses.bidirectional_circle_loss),
    ):
        mine, theirs = similarity.clone().requires_grad_(), similarity.clone().requires_grad_()
        a, b = own(mine, positives, margin, gamma), library(theirs, positives, margin, gamma)
        torch.testing.assert_close(a, b)
        a.backward()
        b.backward()
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_loss_is_the_equation() -> None:
    similarity, positives = batch(3)
    own = load_definition(NOTEBOOK, "circle_loss")(similarity, positives, 0.3, 12.0).item()
    assert own == pytest.approx(oracle.circle(similarity.tolist(), positives.tolist(), 0.3, 12.0), rel=1e-5)


def test_weights_are_the_librarys_and_have_no_gradient() -> None:
    similarity, positives = batch(4)
    a_p, a_n = load_definition(NOTEBOOK, "circle_weights")(similarity.requires_grad_(), 0.25)
    assert not a_p.requires_grad
    assert not a_n.requires_grad
    theirs = losses.circle_weights(similarity, positives, 0.25)
    torch.testing.assert_close((a_p * positives, a_n * ~positives), theirs)


def test_anchors_that_do_not_count_add_nothing() -> None:
    similarity, positives = batch(5)
    positives[0], positives[1] = True, False
    leaf = similarity.clone().requires_grad_()
    value = load_definition(NOTEBOOK, "circle_loss")(leaf, positives, 0.25, 32.0)
    value.backward()
    torch.testing.assert_close(value, losses.circle_loss(similarity, positives, 0.25, 32.0))
    assert leaf.grad is not None
    assert leaf.grad[:2].abs().sum() == 0
    assert leaf.grad.isfinite().all()


def test_pooled_loss_is_blind_to_the_direction_and_equal_for_one_anchor() -> None:
    pooled, per_anchor = (load_definition(NOTEBOOK, name) for name in ("pooled_loss", "circle_loss"))
    similarity, positives = batch(6, rows=9, columns=9)
    torch.testing.assert_close(pooled(similarity, positives, 0.25, 8.0), pooled(similarity.T, positives.T, 0.25, 8.0))
    assert abs(per_anchor(similarity, positives, 0.25, 8.0) - per_anchor(similarity.T, positives.T, 0.25, 8.0)) > 1e-3
    torch.testing.assert_close(
        pooled(similarity[:1], positives[:1], 0.25, 8.0), per_anchor(similarity[:1], positives[:1], 0.25, 8.0)
    )


def test_boundary_is_a_circle() -> None:
    loss = load_definition(NOTEBOOK, "circle_loss")
    m = 0.25
    for angle in torch.linspace(-math.pi / 4, math.pi / 2, 9).tolist():
        radius = math.sqrt(2) * m
        pair = torch.tensor([[1 - radius * math.cos(angle), radius * math.sin(angle)]])
        value = loss(pair, torch.tensor([[True, False]]), m, 100.0)
        assert value.item() == pytest.approx(math.log(2), abs=1e-3)


def test_concentration_counts_equal_pairs() -> None:
    similarity, positives = torch.full((4, 10), 0.5), torch.zeros(4, 10, dtype=torch.bool)
    positives[:, :3] = True
    found = load_definition(NOTEBOOK, "concentration")(similarity, positives, 0.25, 64.0)
    assert found["effective negatives"] == pytest.approx(7)
    assert found["effective positives"] == pytest.approx(3)
    assert found["saturated anchors (%)"] == 100


@pytest.mark.parametrize("place", [(0.9, 0.1, 8.0, 62), (0.3, 0.6, 2.0, 1), (1.0, 0.0, 40.0, 7)])
def test_numbers_of_the_plane_are_the_equations(place: tuple[float, float, float, int]) -> None:
    s_p, s_n, gamma, negatives = place
    m, row, positives = 0.25, [s_p] + [s_n] * negatives, [True] + [False] * negatives
    loss = oracle.circle([row], [positives], m, gamma)
    on = 1 - math.exp(-loss)  # softplus(Z) = -log(1 - sigma(Z))
    a_p, a_n = 1 + m - s_p, s_n + m
    found = load_definition(NOTEBOOK, "at_point")(*place)
    equations = {"sigma(Z)": on, "a_p": a_p, "a_n": a_n, "loss": loss}
    equations |= {"gradient by s_p": -gamma * a_p * on, "gradient by s_n": gamma * a_n * on}
    assert found == pytest.approx(equations, rel=1e-4)
