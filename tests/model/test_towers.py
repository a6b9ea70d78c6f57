from __future__ import annotations

import pytest
import torch
from transformers import CLIPModel

from tests.oracles.positions import bilinear
from tireid.model.towers import CheckpointError, DualEncoder, resample_positions, tiny_clip_config


@pytest.fixture(scope="module")
def clip() -> CLIPModel:
    torch.manual_seed(0)
    model = CLIPModel(tiny_clip_config(vocab_size=50, eos_id=49)).eval()
    for weight in model.parameters():
        weight.data.add_(0.05 * torch.randn_like(weight))  # biases and norms too, which start at 0 and 1
    return model


@pytest.fixture
def ids() -> torch.Tensor:
    ids = torch.randint(1, 48, (3, 10), generator=torch.Generator().manual_seed(0))
    ids[0, 9] = ids[1, 4] = ids[2, 6] = 49
    ids[1, 5:] = 0
    ids[2, 7:] = 49  # some tokenizers pad with the end of text: the first one counts
    return ids


PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_square_grid_equals_transformers(clip: CLIPModel, ids: torch.Tensor) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32)).eval()
    image, text = encoder.encode_image(PIXELS), encoder.encode_text(ids)
    torch.testing.assert_close(image.pooled, clip.get_image_features(PIXELS).pooler_output, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(text.pooled, clip.get_text_features(ids).pooler_output, rtol=1e-5, atol=1e-5)
    assert image.tokens.shape == (2, 17, 128)
    assert text.tokens.shape == (3, 10, 128)


def test_every_token_is_normed_and_projected(clip: CLIPModel, ids: torch.Tensor) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32)).eval()
    hidden = clip.vision_model(PIXELS).last_hidden_state
    expected = clip.visual_projection(clip.vision_model.post_layernorm(hidden))
    torch.testing.assert_close(encoder.encode_image(PIXELS).tokens, expected, rtol=1e-5, atol=1e-5)
    expected = clip.text_projection(clip.text_model(ids).last_hidden_state)
    torch.testing.assert_close(encoder.encode_text(ids).tokens, expected, rtol=1e-5, atol=1e-5)


def test_rectangular_grid_equals_transformers_with_the_table_put_in_by_hand(clip: CLIPModel) -> None:
    # transformers only checks height and width against `image_size`, so a 2x8 table can stand in for a 4x4 one when
    # the patches are laid out in the same order.
    encoder = DualEncoder.from_clip(clip, (16, 64)).eval()
    pixels = torch.randn(2, 3, 16, 64, generator=torch.Generator().manual_seed(2))
    patches = pixels.unfold(2, 8, 8).unfold(3, 8, 8).reshape(2, 3, 16, 8, 8)
    square = patches.reshape(2, 3, 4, 4, 8, 8).permute(0, 1, 2, 4, 3, 5).reshape(2, 3, 32, 32)
    other = CLIPModel(clip.config).eval()
    other.load_state_dict(clip.state_dict())
    other.vision_model.embeddings.position_embedding.weight.data = (
        encoder.vision_model.embeddings.position_embedding.weight.data
    )
    expected = other.get_image_features(square).pooler_output
    torch.testing.assert_close(encoder.encode_image(pixels).pooled, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("old", "new"), [((3, 3), (6, 2)), ((2, 5), (7, 3)), ((4, 2), (4, 3))])
def test_resampling_equals_loops(old: tuple[int, int], new: tuple[int, int]) -> None:
    table = torch.randn(1 + old[0] * old[1], 2, generator=torch.Generator().manual_seed(0))
    result = resample_positions(table, old, new)
    assert torch.equal(result[0], table[0])
    for channel in range(2):
        grid = table[1:, channel].double().reshape(old).tolist()
        expected = torch.tensor(bilinear(grid, *new)).flatten()
        torch.testing.assert_close(result[1:, channel].double(), expected.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_resampling_keeps_dtype_and_the_same_grid_keeps_the_numbers(interpolation: str) -> None:
    table = torch.randn(1 + 6, 2).bfloat16()
    assert torch.equal(resample_positions(table, (3, 2), (3, 2), interpolation), table)
    assert resample_positions(table, (3, 2), (2, 3), interpolation).dtype == torch.bfloat16
    with pytest.raises(ValueError, match="table has 7 rows, a 2x2 grid needs 5"):
        resample_positions(table, (2, 2), (3, 2))


def test_hidden_patches_have_no_influence(clip: CLIPModel) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32)).eval()
    hidden = torch.zeros(2, 16, dtype=torch.bool)
    hidden[:, 5] = True  # second row, second column
    changed = PIXELS.clone()
    changed[:, :, 8:16, 8:16] += 3.0
    filler = torch.randn(128, generator=torch.Generator().manual_seed(3))
    first, second = (encoder.encode_image(x, hidden, filler).pooled for x in (PIXELS, changed))
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first, encoder.encode_image(changed).pooled, atol=1e-3)
    assert not torch.allclose(first, encoder.encode_image(PIXELS, hidden).pooled, atol=1e-3)


def test_eot_embedding_changes_only_what_is_read_there(clip: CLIPModel, ids: torch.Tensor) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32)).eval()
    plain, replaced = encoder.encode_text(ids), encoder.encode_text(ids, torch.linspace(-1, 1, 128))
    torch.testing.assert_close(plain.tokens[1, :4], replaced.tokens[1, :4])
    assert not torch.allclose(plain.pooled, replaced.pooled, atol=1e-3)
    own = encoder.text_model.embeddings.token_embedding.weight[49]
    torch.testing.assert_close(encoder.encode_text(ids, own).pooled, plain.pooled)


def test_the_mask_does_not_move_the_end_of_text_though_its_id_is_higher(clip: CLIPModel, ids: torch.Tensor) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32)).eval()
    ids[:, 2] = 50
    text = encoder.encode_text(ids)
    assert torch.equal(text.pooled, text.tokens[[0, 1, 2], [9, 4, 6]])


def test_new_word_rows_are_the_mean_of_the_others(clip: CLIPModel) -> None:
    encoder = DualEncoder.from_clip(clip, (32, 32))
    words = clip.text_model.embeddings.token_embedding.weight
    table = encoder.text_model.embeddings.token_embedding.weight
    assert table.shape == (51, 128)
    assert torch.equal(table[:50], words)
    torch.testing.assert_close(table[50], words.mean(dim=0))


def test_legacy_end_of_text_id_means_the_highest() -> None:
    assert DualEncoder(tiny_clip_config(50, eos_id=2), (32, 32), 51).eos_id == 49
    assert DualEncoder(tiny_clip_config(50, eos_id=47), (32, 32), 51).eos_id == 47


def test_errors_name_the_argument(clip: CLIPModel, ids: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="30x32 is not a multiple of the patch"):
        DualEncoder(clip.config, (30, 32), 51)
    encoder = DualEncoder.from_clip(clip, (32, 32))
    with pytest.raises(ValueError, match="pixel_values must be"):
        encoder.encode_image(torch.zeros(1, 3, 16, 32))
    ids[1, 4] = 3
    with pytest.raises(ValueError, match="row 1 of input_ids has no end of text"):
        encoder.encode_text(ids)
    state = {name: value for name, value in clip.state_dict().items() if name != "logit_scale"}
    state["text_projection.weight"] = state["text_projection.weight"][:64]
    with pytest.raises(CheckpointError, match=r"text_projection.weight has shape \(64, 128\).*\(128, 128\)"):
        encoder.load_towers(state, (4, 4))
    state.pop("text_projection.weight")
    with pytest.raises(CheckpointError, match=r"missing text_projection.weight; unknown none"):
        encoder.load_towers(state, (4, 4))
