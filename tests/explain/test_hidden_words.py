"""Predictions and recovered tokens agree with the model's own training pass."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from tests.model.conftest import CAPTIONS, PERSON_IDS, small_model
from tireid.data.text import Tokenizer
from tireid.explain.hidden_words import predict_masked, recover_global, token_words, top_words
from tireid.losses import recovery_loss
from tireid.model import TIReID


@pytest.fixture(scope="module")
def model() -> TIReID:
    tokenizer = Tokenizer.train(CAPTIONS, vocab_size=600, context_length=40)
    made = small_model(tokenizer, [], preset="paper")
    return made.train()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(6, 3, 32, 16, generator=torch.Generator().manual_seed(1))


def test_the_mean_of_the_predictions_is_the_models_own_loss(model: TIReID, pixels: torch.Tensor) -> None:
    ids = model.tokenizer(CAPTIONS)
    masked = model.tokenizer.mask(ids, generator=torch.Generator().manual_seed(0))
    image = model.backbone.encode_image(pixels).tokens.detach()
    scores = predict_masked(model, masked, image, batch_size=4)
    labels = masked.labels[masked.chosen]
    model.eval()
    own = model(pixels, ids, PERSON_IDS, masked=masked).losses["mlm"]
    model.train()
    assert F.nll_loss(scores, labels).item() == pytest.approx(own.item(), abs=1e-5)
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(len(labels)))
    assert model.training


def test_each_caption_looks_at_its_own_picture(model: TIReID, pixels: torch.Tensor) -> None:
    masked = model.tokenizer.mask(model.tokenizer(CAPTIONS), generator=torch.Generator().manual_seed(0))
    image = model.backbone.encode_image(pixels).tokens.detach()
    row = masked.chosen.nonzero()[:, 0]
    other = image.clone()
    other[2] = image[3]
    changed = (predict_masked(model, masked, image) - predict_masked(model, masked, other)).abs().amax(dim=1) > 1e-7
    assert bool(changed[row == 2].all())
    assert not bool(changed[row != 2].any())


def test_recovered_tokens_are_those_of_the_recovery_loss(model: TIReID, pixels: torch.Tensor) -> None:
    ids = model.tokenizer(CAPTIONS)
    masked = model.tokenizer.mask(ids, generator=torch.Generator().manual_seed(0))
    image = model.backbone.encode_image(pixels).tokens.detach()
    recovered = recover_global(model, masked.input_ids, image, batch_size=4)
    target = model.backbone.encode_text(ids).pooled
    model.eval()
    own = model(pixels, ids, PERSON_IDS, masked=masked).losses["recovery"]
    model.train()
    expected = recovery_loss(recovered, target, PERSON_IDS, temperature=model.config.recovery.temperature)
    assert expected.item() == pytest.approx(own.item(), abs=1e-4)
    torch.testing.assert_close(recovered.norm(dim=1), torch.ones(6))


def test_words_are_found_again_in_their_tokens(model: TIReID) -> None:
    tokenizer = model.tokenizer
    ids = tokenizer(["a red umbrella, a coat"])[0]
    words = token_words(tokenizer, ids)
    assert len(words) == len(tokenizer.tokens(ids))
    assert words[0] == ("", False)
    assert words[-1] == ("", False)
    assert list(dict.fromkeys(word for word, _ in words[1:-1])) == ["a", "red", "umbrella", ",", "coat"]
    pieces = [whole for word, whole in words if word == "umbrella"]
    assert len(pieces) > 1
    assert not any(pieces)
    assert [whole for word, whole in words if word == "red"] == [True]


def test_words_beside_a_mask_keep_their_pieces(model: TIReID) -> None:
    tokenizer = model.tokenizer
    ids = tokenizer(["a red coat"])[0]
    ids[2] = tokenizer.mask_id
    assert token_words(tokenizer, ids) == [("", False), ("a", True), ("", False), ("coat", True), ("", False)]


def test_top_words_are_sorted_and_pieces_are_marked(model: TIReID) -> None:
    tokenizer = model.tokenizer
    red, piece = int(tokenizer(["red"])[0, 1]), int(tokenizer(["umbrella"])[0, 1])
    scores = torch.full((1, tokenizer.mask_id), -20.0)
    scores[0, red], scores[0, piece] = 2.0, 1.0
    ((first, p), (second, q)) = top_words(scores.log_softmax(dim=1), tokenizer, k=2)[0]
    assert first == "red"
    assert second == f"{tokenizer.decode([piece])}-"
    assert p / q == pytest.approx(torch.e)


def test_clear_errors() -> None:
    tokenizer = Tokenizer.train(CAPTIONS, vocab_size=600, context_length=40)
    plain = small_model(tokenizer, ["loss.mlm=0", "loss.recovery=0"], preset="paper")
    ids = tokenizer(CAPTIONS)
    masked = tokenizer.mask(ids, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="MLM head"):
        predict_masked(plain, masked, torch.zeros(6, 9, 128))
    with pytest.raises(ValueError, match="end-of-text"):
        recover_global(plain, ids, torch.zeros(6, 9, 128))
    with pytest.raises(ValueError, match="end-of-text"):
        recover_global(small_model(tokenizer, ["recovery.token=image"], preset="paper"), ids, torch.zeros(6, 9, 128))
    full = small_model(tokenizer, [], preset="paper")
    with pytest.raises(ValueError, match="6 captions and 5 pictures"):
        predict_masked(full, masked, torch.zeros(5, 9, 128))
    with pytest.raises(ValueError, match="batch_size"):
        predict_masked(full, masked, torch.zeros(6, 9, 128), batch_size=0)
