from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.oracles import losses as oracle
from tireid.losses import cmpm_loss, identity_loss, infonce_loss, sdm_loss

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


def test_identity_is_half_the_sum_of_cross_entropies() -> None:
    labels = [0, 1, 1, 3, 3]
    expected = oracle.cross_entropy(IMAGE.tolist(), labels) + oracle.cross_entropy(TEXT.tolist(), labels)
    value = identity_loss(IMAGE, TEXT, torch.tensor(labels))
    assert value.item() == pytest.approx(expected / 2, rel=1e-9)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "sdm": lambda v, t: sdm_loss(v, t, IDS, 0.3),
    "infonce": lambda v, t: infonce_loss(v, t, 0.3),
    "cmpm": lambda v, t: cmpm_loss(v, t, IDS),
    "identity": lambda v, t: identity_loss(v, t, IDS.clamp(max=3)),
}


@pytest.mark.parametrize("name", LOSSES)
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
