"""Every option of the semantic recovery, held against passes made one caption at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tests.model.conftest import CAPTIONS, PERSON_IDS, Batch
from tests.oracles import losses as oracle
from tireid.data.masking import MaskedTokens
from tireid.model import TIReID
from tireid.model.passes import Views

Make = Callable[..., TIReID]


def masked_by_hand(batch: Batch, model: TIReID) -> MaskedTokens:
    ids, labels = batch[1].clone(), torch.full_like(batch[1], -100)
    labels[:, 2] = ids[:, 2]
    ids[:, 2] = model.tokenizer.mask_id
    return MaskedTokens(ids, labels)


def by_hand(model: TIReID, batch: Batch, token: str, target: str) -> tuple[list[list[float]], list[list[list[float]]]]:
    """Recovered tokens and targets, pair by pair, without padding."""
    recovered, targets = [], []
    for i, caption in enumerate(CAPTIONS):
        clean = model.tokenizer([caption], trim=True)
        hidden = clean.clone()
        hidden[0, 2] = model.tokenizer.mask_id
        image = model.backbone.encode_image(batch[0][i : i + 1])
        if token == "mask":
            masked = model.backbone.encode_text(hidden, eot_embedding=model.recovery_embedding)
        else:
            masked = model.backbone.encode_text(hidden)
        fused = model.interact(masked.tokens, image.tokens)[0, -1]  # the end of text is last without padding
        text = model.backbone.encode_text(clean)
        clean_fused = model.interact(text.tokens, image.tokens)[0, -1]
        assert model.recovery_head is not None
        recovered.append(model.recovery_head(fused).tolist())
        options = {"text": text.pooled[0], "image": image.pooled[0], "fused": clean_fused}
        chosen = ("text", "image") if target == "both" else (target,)
        targets.append([options[name].tolist() for name in chosen])
    return recovered, [list(column) for column in zip(*targets, strict=True)]


@pytest.mark.parametrize("token", ["eot", "mask"])
@pytest.mark.parametrize("target", ["text", "image", "both", "fused"])
def test_text_tokens_and_targets_equal_loops(token: str, target: str, make: Make, batch: Batch) -> None:
    model = make(f"recovery.token={token}", f"recovery.target={target}", "recovery.temperature=0.2").eval()
    recovered, targets = by_hand(model, batch, token, target)
    expected = sum(oracle.recovery(recovered, t, PERSON_IDS.tolist(), 0.2) for t in targets) / len(targets)
    value = model(*batch, masked=masked_by_hand(batch, model)).losses["recovery"].item()
    assert value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("target", ["text", "fused"])
def test_image_token_reads_the_whole_caption(target: str, make: Make, batch: Batch) -> None:
    model = make("recovery.token=image", f"recovery.target={target}", "recovery.temperature=0.2").eval()
    views = Views(model, batch[0], batch[1], None, torch.Generator().manual_seed(0))
    hidden = views.hidden_patches
    assert hidden.sum(dim=1).tolist() == [2] * 6  # 30% of 8 patches
    recovered, targets = [], []
    for i, caption in enumerate(CAPTIONS):
        text = model.backbone.encode_text(model.tokenizer([caption], trim=True))
        pixels = batch[0][i : i + 1]
        image = model.backbone.encode_image(pixels, hidden[i : i + 1], model.recovery_embedding)
        assert model.recovery_head is not None
        recovered.append(model.recovery_head(model.interact(text.tokens, image.tokens, query="image")[0, 0]).tolist())
        clean = model.backbone.encode_image(pixels).tokens
        fused = model.interact(text.tokens, clean, query="image")[0, 0]
        targets.append((text.pooled[0] if target == "text" else fused).tolist())
    # An explicit masking leaves the generator's first draw to the patches.
    output = model(*batch, masked=masked_by_hand(batch, model), generator=torch.Generator().manual_seed(0))
    expected = oracle.recovery(recovered, targets, PERSON_IDS.tolist(), 0.2)
    assert output.losses["recovery"].item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("token", ["eot", "mask", "image"])
@pytest.mark.parametrize("kind", ["infonce", "cosine", "mse", "circle"])
def test_every_option_trains(token: str, kind: str, make: Make, batch: Batch) -> None:
    model = make(f"recovery.token={token}", f"recovery.loss={kind}", "recovery.target=both")
    output = model(*batch, generator=torch.Generator().manual_seed(0))
    output.losses["recovery"].backward()
    assert model.recovery_head is not None
    assert model.recovery_head.fc.weight.grad is not None
    assert (model.recovery_embedding is None) == (token == "eot")
    if model.recovery_embedding is not None:
        assert model.recovery_embedding.grad is not None
        assert model.recovery_embedding.grad.abs().sum() > 0


def test_targets_have_no_gradient(make: Make, batch: Batch) -> None:
    model = make()
    views = Views(model, batch[0], batch[1], masked_by_hand(batch, model), None)
    assert not any(target.requires_grad for target in views.targets())


def test_one_text_pass_and_one_interaction_serve_both_terms(
    make: Make, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make("recovery.target=text")
    captions = {"text": 0, "interaction": 0}
    encode_text, forward = model.backbone.encode_text, model.interact

    def count_text(ids: torch.Tensor, *args: object) -> object:
        captions["text"] += len(ids)
        return encode_text(ids, *args)

    def count_interaction(text: torch.Tensor, *args: object) -> object:
        captions["interaction"] += len(text)
        return forward(text, *args)

    monkeypatch.setattr(model.backbone, "encode_text", count_text)
    monkeypatch.setattr(model, "interact", count_interaction)
    model(*batch)
    assert captions == {"text": 2 * len(batch[1]), "interaction": len(batch[1])}  # clean and masked; masked
