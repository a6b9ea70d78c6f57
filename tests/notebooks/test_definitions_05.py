"""The attention that 05_masked_modelling writes out is the library's."""

from __future__ import annotations

import pytest
import torch

from tests.notebooks.definitions import load_definition
from tireid.model import InteractionEncoder

NOTEBOOK = "05_masked_modelling"


def encoder_of(**options: int | bool) -> InteractionEncoder:
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=24, layers=2, heads=3, **options).eval()
    for parameter in encoder.parameters():  # biases and norms start as 0 and 1, where mistakes do not show
        torch.nn.init.normal_(parameter, std=0.5)
    return encoder


@pytest.mark.parametrize("looks", [1, 2, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_the_last_look_is_the_librarys(looks: int, residual: bool) -> None:
    encoder = encoder_of(looks=looks, residual=residual)
    text, image, real = torch.randn(2, 5, 24), torch.randn(2, 7, 24), torch.ones(2, 5, dtype=torch.bool)
    real[1, 3:] = False
    _, expected = encoder(text, image, real, need_weights=True)
    found = load_definition(NOTEBOOK, "last_look")(encoder, text, image, real)
    assert found.shape == (2, 3, 5, 7)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("residual", [False, True])
def test_equal_image_tokens_leave_the_words_with_a_residual_only(residual: bool) -> None:
    """What the notebook says about a picture without content."""
    encoder = encoder_of(residual=residual)
    text, image = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    assert encoder(text, image).std(dim=1).max() > 0.01
    spread = encoder(text, image[:, :1].expand(-1, 7, -1)).std(dim=1).max()
    assert spread > 0.1 if residual else spread < 1e-4
