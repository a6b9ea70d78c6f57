"""What the interaction encoder says: predictions for masked words and the recovered global token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.data.masking import MaskedTokens, eot_positions, real_token_mask
from tireid.data.text import Tokenizer
from tireid.model import TIReID
from tireid.model.encoding import evaluating
from tireid.model.lengths import by_length

_WORD_END = "</w>"


def token_words(tokenizer: Tokenizer, input_ids: Tensor | Sequence[int]) -> list[tuple[str, bool]]:
    """For every real token of one row (L,) of ids: the word it belongs to, and whether it is the whole word.

    Start and end of text give ``("", False)``; padding is left out. The byte-pair encoding cuts rare words into
    pieces, and a hidden piece of a word is easier to guess than a hidden word: told apart, they can be counted apart.

    >>> tokenizer = Tokenizer.train(["red red red"], vocab_size=517)
    >>> token_words(tokenizer, tokenizer(["red hat"])[0])[1:-1]
    [('red', True), ('hat', False), ('hat', False), ('hat', False)]
    """
    ids = [int(id_) for id_ in input_ids]
    tokens = tokenizer.tokens(ids)
    # A word ends at a token that says so, or at a special token.
    special = {tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id}
    alone = [id_ in special for id_ in ids[: len(tokens)]]
    ends = [i + 1 for i, token in enumerate(tokens) if alone[i] or token.endswith(_WORD_END)]
    starts = [0, *ends, *([] if ends and ends[-1] == len(tokens) else [len(tokens)])]
    words: list[tuple[str, bool]] = []
    for first, last in pairwise(starts):
        word = "" if alone[first] else tokenizer.decode(ids[first:last])
        words += [(word, last - first == 1 and not alone[first])] * (last - first)
    return words


def predict_masked(model: TIReID, masked: MaskedTokens, image_tokens: Tensor, batch_size: int = 128) -> Tensor:
    """Log-probabilities (n, words) of the chosen tokens, row by row in the order of ``masked.labels[masked.chosen]``.

    `masked` holds B captions, `image_tokens` (B, M, D) what `model.backbone.encode_image` returned as `tokens` for the
    picture that each caption may look at. The MLM head sees the n chosen positions only. Eval mode, no gradient.

    Raises:
        ValueError: the model has no MLM head, the numbers of captions and pictures differ, or `batch_size` < 1.

    >>> from tireid import TIReID
    >>> model = TIReID.from_pretrained("tiny")
    >>> masked = model.tokenizer.mask(model.tokenizer(["a man in a red coat"]), up_to=1.0)
    >>> picture = model.backbone.encode_image(torch.zeros(1, 3, 96, 32)).tokens
    >>> scores = predict_masked(model, masked, picture)
    >>> len(scores) == masked.chosen.sum()
    tensor(True)
    """
    if model.mlm_head is None:
        raise ValueError("this model has no MLM head: its loss.mlm is 0")
    rows = [torch.zeros(0, model.mlm_head.fc.out_features)]
    with evaluating(model):
        for part in _parts(masked.input_ids, image_tokens, batch_size):
            fused = _interact(model, masked.input_ids[part], image_tokens[part])
            chosen = masked.chosen[part].to(fused.device)
            rows.append(F.log_softmax(model.mlm_head(fused[chosen]).float(), dim=1).cpu())
    return torch.cat(rows)


def recover_global(model: TIReID, input_ids: Tensor, image_tokens: Tensor, batch_size: int = 128) -> Tensor:
    """The recovered global tokens (B, D) of captions `input_ids` (B, L) with pictures (B, M, D), L2-normalised.

    The end-of-text token after the interaction, through the recovery head. Eval mode, no gradient.

    Raises:
        ValueError: the model has no recovery head, or one for another token than `recovery.token = eot`; the numbers of
            captions and pictures differ, or `batch_size` < 1.
    """
    if model.recovery_head is None or model.config.recovery.token != "eot":
        raise ValueError("this model does not recover the end-of-text token: see loss.recovery and recovery.token")
    rows = [torch.zeros(0, model.backbone.width)]
    with evaluating(model):
        for part in _parts(input_ids, image_tokens, batch_size):
            fused = _interact(model, input_ids[part], image_tokens[part])
            eot = eot_positions(input_ids[part], model.tokenizer.eos_id).to(fused.device)
            recovered = model.recovery_head(fused[torch.arange(len(fused), device=fused.device), eot])
            rows.append(F.normalize(recovered.float(), dim=1).cpu())
    return torch.cat(rows)


def top_words(log_probabilities: Tensor, tokenizer: Tokenizer, k: int = 3) -> list[list[tuple[str, float]]]:
    """For each row of :func:`predict_masked` the `k` likeliest tokens as text, with their probabilities.

    A piece that does not end its word is written with a trailing hyphen.

    >>> tokenizer = Tokenizer.train(["red"], vocab_size=517)
    >>> scores = torch.zeros(1, tokenizer.mask_id).log_softmax(1)
    >>> len(top_words(scores, tokenizer, k=2)[0])
    2
    """
    values, ids = log_probabilities.exp().topk(k, dim=1)
    return [
        [(_spell(tokenizer, int(id_)), float(value)) for id_, value in zip(row, row_values, strict=True)]
        for row, row_values in zip(ids, values, strict=True)
    ]


def _spell(tokenizer: Tokenizer, id_: int) -> str:
    text = tokenizer.decode([id_], skip_special=False)
    whole = tokenizer.tokens([id_])[0].endswith(_WORD_END) or text.startswith("<|")
    return text if whole else f"{text}-"


def _interact(model: TIReID, input_ids: Tensor, image_tokens: Tensor) -> Tensor:
    """(B, L, D) of captions (B, L) and pictures (B, M, D); what follows a caption's end is not to be read."""
    ids, tokens = input_ids.to(model.device), image_tokens.to(model.device)
    real = real_token_mask(ids, model.tokenizer.eos_id)

    def run(rows: Tensor, longest: int) -> Tensor:
        text = model.backbone.encode_text(ids[rows, :longest]).tokens
        fused: Tensor = model.interact(text, tokens[rows], real[rows, :longest])
        return fused

    return by_length(run, real.sum(dim=1), ids.shape[1])


def _parts(input_ids: Tensor, image_tokens: Tensor, batch_size: int) -> list[slice]:
    if len(input_ids) != len(image_tokens):
        raise ValueError(f"{len(input_ids)} captions and {len(image_tokens)} pictures: give each caption its picture")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    return [slice(start, start + batch_size) for start in range(0, len(input_ids), batch_size)]
