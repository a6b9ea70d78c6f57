from __future__ import annotations

import pytest
import torch

from tireid.model.interaction import InteractionEncoder


@pytest.fixture
def encoder() -> InteractionEncoder:
    torch.manual_seed(0)
    return InteractionEncoder(width=32, layers=2, heads=2).eval()


RNG = torch.Generator().manual_seed(0)
TEXT = torch.randn(2, 6, 32, generator=RNG)
IMAGE = torch.randn(2, 5, 32, generator=RNG)
REAL = torch.tensor([[True] * 4 + [False] * 2, [True] * 6])


def test_padding_is_never_attended_to(encoder: InteractionEncoder) -> None:
    padded = TEXT.clone()
    padded[0, 4:] = 9.0
    before, after = encoder(TEXT, IMAGE, REAL), encoder(padded, IMAGE, REAL)
    torch.testing.assert_close(before[REAL], after[REAL])
    torch.testing.assert_close(before[0, :4], encoder(TEXT[:1, :4], IMAGE[:1])[0])
    assert not torch.allclose(encoder(TEXT, IMAGE)[0, :4], encoder(padded, IMAGE)[0, :4], atol=1e-3)


def test_reversed_roles_ignore_padding_too(encoder: InteractionEncoder) -> None:
    padded = TEXT.clone()
    padded[0, 4:] = 9.0
    first, second = (encoder(text, IMAGE, REAL, query="image") for text in (TEXT, padded))
    assert first.shape == (2, 5, 32)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(first[0], encoder(TEXT[:1, :4], IMAGE[:1], query="image")[0])


def test_every_modality_keeps_its_layer_norm_in_both_roles(encoder: InteractionEncoder) -> None:
    encoder.ln_pre_t.weight.data.zero_()
    encoder.ln_pre_t.bias.data.normal_()  # all words look the same, so no image token prefers one
    weights = encoder(TEXT, IMAGE, need_weights=True, query="image")[1]
    torch.testing.assert_close(weights, torch.full((2, 2, 5, 6), 1 / 6))
    assert encoder(TEXT, IMAGE, need_weights=True)[1].std(dim=-1).min() > 1e-3


def test_attention_weights_are_a_distribution_over_the_image(encoder: InteractionEncoder) -> None:
    out, weights = encoder(TEXT, IMAGE, REAL, need_weights=True)
    torch.testing.assert_close(out, encoder(TEXT, IMAGE, REAL), rtol=1e-5, atol=1e-5)
    assert weights.shape == (2, 2, 6, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 6))


def test_initial_scales_are_irras() -> None:
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=128, layers=8)
    block = encoder.resblocks[3]
    assert encoder.cross_attn.in_proj_weight.std().item() == pytest.approx(128**-0.5, rel=0.02)
    assert block.attn.out_proj.weight.std().item() == pytest.approx(128**-0.5 * 16**-0.5, rel=0.02)
    assert block.mlp.c_fc.weight.std().item() == pytest.approx(256**-0.5, rel=0.02)
    assert block.mlp.c_proj.weight.std().item() == pytest.approx(128**-0.5 * 16**-0.5, rel=0.02)


def test_a_wrong_number_of_heads_is_named() -> None:
    with pytest.raises(ValueError, match="width 32 is not a multiple of heads 3"):
        InteractionEncoder(width=32, heads=3)


def test_the_residual_adds_the_normalised_caption_to_what_was_read() -> None:
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=32, layers=1, heads=2, residual=True).eval()
    encoder.resblocks = torch.nn.ModuleList()
    text, image = encoder.ln_pre_t(TEXT), encoder.ln_pre_i(IMAGE)
    read = encoder.cross_attn(text, image, image)[0]
    torch.testing.assert_close(encoder(TEXT, IMAGE), encoder.ln_post(text + read))
    swapped = encoder.ln_post(image + encoder.cross_attn(image, text, text)[0])
    torch.testing.assert_close(encoder(TEXT, IMAGE, query="image"), swapped)


def test_positions_tell_image_tokens_apart() -> None:
    torch.manual_seed(0)
    encoder = InteractionEncoder(width=32, layers=1, heads=2, positions=5).eval()
    order = torch.tensor([4, 2, 0, 1, 3])
    assert not torch.allclose(encoder(TEXT, IMAGE), encoder(TEXT, IMAGE[:, order]), atol=1e-4)
    assert encoder.positions is not None
    encoder.positions.data = encoder.positions.data[order]
    moved = encoder(TEXT, IMAGE[:, order])
    encoder.positions.data = encoder.positions.data[order.argsort()]
    torch.testing.assert_close(encoder(TEXT, IMAGE), moved, rtol=1e-4, atol=1e-5)
