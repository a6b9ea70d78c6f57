from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.oracles import losses as oracle
from tireid.losses import cmpm_loss, identity_loss, infonce_loss, sdm_loss, tal_loss

IDS = torch.tensor([0, 1, 1, 4, 4])
RNG = torch.Generator().manual_seed(0)
IMAGE = 2 * torch.randn(5, 4, generator=RNG, dtype=torch.float64)
TEXT = torch.randn(5, 4, generator=RNG, dtype=torch.float64)


def test_sdm_equals_loops() -> None:
    for temperature in (0.02, 0.5):
        expected = oracle.sdm(IMAGE.tolist(), TEXT.tolist(), IDS.tolist(), temperature)
        assert sdm_loss(IMAGE, TEXT, IDS, temperature).item() == pytest.approx(expected, rel=1e-9)


def test_infonce_equals_loops() -> None:
    expected = oracle.infonce(IMAGE.tolist(), TEXT.tolist(), 0.1)
    assert infonce_loss(IMAGE, TEXT, 0.1).item() == pytest.approx(expected, rel=1e-9)


def test_cmpm_equals_loops_and_uses_the_length_of_the_projected_feature() -> None:
    expected = oracle.cmpm(IMAGE.tolist(), TEXT.tolist(), IDS.tolist())
    assert cmpm_loss(IMAGE, TEXT, IDS).item() == pytest.approx(expected, rel=1e-9)
    assert cmpm_loss(3 * IMAGE, TEXT, IDS).item() != pytest.approx(expected, rel=1e-3)


def test_tal_equals_loops() -> None:
    for margin, temperature in ((0.1, 0.015), (0.5, 0.3)):
        expected = oracle.tal(IMAGE.tolist(), TEXT.tolist(), IDS.tolist(), margin, temperature)
        assert expected > 0
        assert tal_loss(IMAGE, TEXT, IDS, margin, temperature).item() == pytest.approx(expected, rel=1e-9)


def test_tal_does_not_differentiate_its_weights() -> None:
    """The gradient on the similarity of a positive is minus its weight, which a differentiated softmax would change."""
    image = torch.eye(3, dtype=torch.float64)
    text = torch.tensor([[2.0, 1.0, 0.5], [1.0, 1.0, 0.0], [0.0, 0.5, 1.0]], dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([0, 0, 1])
    tal_loss(image, text, ids, 1.0, 0.3).backward()
    cosines = torch.nn.functional.normalize(text.detach(), dim=1).requires_grad_()
    weights = [(s / 0.3).masked_fill(ids[:, None] != ids[None, :], -torch.inf).softmax(1) for s in (cosines.T, cosines)]
    others = [(s / 0.3).masked_fill(ids[:, None] == ids[None, :], -torch.inf).softmax(1) for s in (cosines.T, cosines)]
    # Image i against text j is cosines[j, i]; every hinge is open here, so the loss is linear in these weights.
    slope = ((others[0] - weights[0]).T + others[1] - weights[1]).detach() / 3
    by_hand = torch.nn.functional.normalize(text, dim=1)
    expected = torch.autograd.grad((slope * by_hand).sum(), text)[0]
    assert text.grad is not None
    torch.testing.assert_close(text.grad, expected)


def test_tal_is_zero_where_nobody_else_is_there() -> None:
    image = IMAGE.clone().requires_grad_()
    loss = tal_loss(image, TEXT, torch.zeros(5, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert image.grad is not None
    assert not image.grad.any()


def test_identity_is_half_the_sum_of_cross_entropies() -> None:
    labels = [0, 1, 1, 3, 3]
    expected = oracle.cross_entropy(IMAGE.tolist(), labels) + oracle.cross_entropy(TEXT.tolist(), labels)
    value = identity_loss(IMAGE, TEXT, torch.tensor(labels))
    assert value.item() == pytest.approx(expected / 2, rel=1e-9)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "sdm": lambda v, t: sdm_loss(v, t, IDS, 0.3),
    "infonce": lambda v, t: infonce_loss(v, t, 0.3),
    "cmpm": lambda v, t: cmpm_loss(v, t, IDS),
    "tal": lambda v, t: tal_loss(v, t, IDS, 0.5, 0.3),
    "identity": lambda v, t: identity_loss(v, t, IDS.clamp(max=3)),
}


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "tal"])  # its weights are constants
def test_gradients_by_finite_differences(name: str) -> None:
    assert torch.autograd.gradcheck(LOSSES[name], (IMAGE.clone().requires_grad_(), TEXT.clone().requires_grad_()))


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_is_computed_in_float32(name: str) -> None:
    image, text = IMAGE.bfloat16(), TEXT.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        value = LOSSES[name](image, text)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(LOSSES[name](image.double(), text.double()).item(), rel=1e-4)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"image_features .* text_features"):
        sdm_loss(IMAGE, TEXT[:3], IDS)
    with pytest.raises(ValueError, match="person_ids must be 5 integers"):
        cmpm_loss(IMAGE, TEXT, IDS.float())
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.3"):
        identity_loss(IMAGE, TEXT, IDS)
