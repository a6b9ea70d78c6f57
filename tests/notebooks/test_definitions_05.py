"""The cross-attention that 05_masked_modelling writes out is the library's."""

from __future__ import annotations

import torch

from tests.notebooks.definitions import load_definition
from tireid.model import InteractionEncoder

NOTEBOOK = "05_masked_modelling"


def test_cross_attention_is_the_librarys() -> None:
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=24, layers=1, heads=3)
    for parameter in encoder.parameters():  # biases and norms start as 0 and 1, where mistakes do not show
        torch.nn.init.normal_(parameter, std=0.5)
    text, image = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    _, expected = encoder(text, image, need_weights=True)
    found = load_definition(NOTEBOOK, "cross_attention")(encoder, text, image)
    assert found.shape == (2, 3, 5, 7)
    torch.testing.assert_close(found, expected)


def test_equal_image_tokens_take_the_words_away() -> None:
    """What the notebook says about a picture without content."""
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=24, layers=2, heads=3).eval()
    text, image = torch.randn(2, 5, 24), torch.randn(2, 7, 24)
    assert encoder(text, image).std(dim=1).max() > 0.01
    assert encoder(text, image[:, :1].expand(-1, 7, -1)).std(dim=1).max() < 1e-5
