"""Where the words of a caption are, and which of them are hidden for masked language modelling.

A row of ids is ``bos, tokens, eos, padding``. CLIP pads with id 0, which is also its ``!``, so real tokens are told
by position (up to the *first* end-of-text), never by ``ids != pad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Unit = Literal["token", "word", "content"]
_FUNCTION_WORDS = """
a an the this that these those some any each his her its their he she it they him them who which whose and or
but with without in on at of to from by for over under behind up down off out into onto as is are was has have
had be been being also both very quite while
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that tell nothing about a person by themselves."""


def eot_positions(input_ids: Tensor, eos_id: int) -> Tensor:
    """Position of the first end of text in every row: (N, L) to int64 (N,).

    Raises:
        ValueError: a row has none; the message names it.

    >>> eot_positions(torch.tensor([[6, 1, 7, 0], [6, 7, 7, 7]]), eos_id=7)
    tensor([2, 1])
    """
    ends = input_ids == eos_id
    _require_end(ends, eos_id)
    return ends.int().argmax(dim=1)


def _require_end(ends: Tensor, eos_id: int) -> None:
    """Reading a flag back would make an accelerator wait, and a compiler stop: there the device itself checks."""
    if torch.compiler.is_compiling():
        return
    whole = ends.any(dim=1)
    if ends.device.type != "cpu":
        torch._assert_async(whole.all(), f"a row of input_ids has no end of text (id {eos_id})")
    elif not bool(whole.all()):
        row = int((~whole).nonzero()[0, 0])
        raise ValueError(
            f"row {row} of input_ids has no end of text (id {eos_id}); encode it with this model's tokenizer"
        )


def real_token_mask(input_ids: Tensor, eos_id: int) -> Tensor:
    """Bool (N, L): start to end of text, both included; the rest is padding.

    >>> real_token_mask(torch.tensor([[6, 0, 7, 0]]), eos_id=7)
    tensor([[ True,  True,  True, False]])
    """
    positions = torch.arange(input_ids.shape[1], device=input_ids.device)
    return positions <= eot_positions(input_ids, eos_id)[:, None]


def word_mask(input_ids: Tensor, eos_id: int) -> Tensor:
    """Bool (N, L): strictly between start and end of text.

    >>> word_mask(torch.tensor([[6, 0, 7, 0]]), eos_id=7)
    tensor([[False,  True, False, False]])
    """
    positions = torch.arange(input_ids.shape[1], device=input_ids.device)
    return (positions > 0) & (positions < eot_positions(input_ids, eos_id)[:, None])


class SpecialIds(NamedTuple):
    """The ids that are no words, and how many ids there are in all.

    >>> special = SpecialIds(bos=0, eos=1, mask=2, vocab_size=1000)
    >>> masked = mask_tokens(torch.tensor([[0, 7, 8, 9, 1]]), special, probability=1, mask_share=1, random_share=0)
    >>> masked.input_ids.tolist(), masked.labels[masked.chosen].tolist()
    ([[0, 2, 2, 2, 1]], [7, 8, 9])
    """

    bos: int
    eos: int
    mask: int
    vocab_size: int


@dataclass(frozen=True)
class MaskedTokens:
    """Captions with tokens hidden.

    >>> mask_tokens(torch.tensor([[7, 1, 8, 0]]), SpecialIds(7, 8, mask=9, vocab_size=10), mask_share=1, random_share=0)
    MaskedTokens(input_ids=tensor([[7, 9, 8, 0]]), labels=tensor([[-100,    1, -100, -100]]))
    """

    input_ids: Tensor
    """int64 (N, L)"""
    labels: Tensor
    """int64 (N, L): the original id where a token was chosen, -100 elsewhere"""

    @property
    def chosen(self) -> Tensor:
        """Bool (N, L)."""
        return self.labels != -100


class WordTable(NamedTuple):
    """What the vocabulary says about words, for whole ones to be hidden."""

    ends: Tensor
    """bool (vocab_size,): the token ends a word"""
    skipped: Tensor
    """bool (vocab_size,): words that begin with this token are never chosen"""


def mask_tokens(
    input_ids: Tensor,
    special: SpecialIds,
    *,
    probability: float = 0.15,
    up_to: float | None = None,
    mask_share: float = 0.8,
    random_share: float = 0.1,
    words: WordTable | None = None,
    generator: torch.Generator | Tensor | None = None,
) -> MaskedTokens:
    """Choose tokens to predict and hide most of them (source: BERT's shares, as IRRA uses them).

    Every token between start and end is chosen with `probability`, one at random where a row would have none. Of the
    chosen, `mask_share` become the mask, `random_share` a random token that is none of the special ones, the rest
    stays. A row without a token between start and end stays as it is.

    Args:
        input_ids: int64 (N, L).
        special: start, end and mask, which are never drawn, and the number of ids; padding begins after the end.
        probability: of being chosen.
        up_to: every row draws its own probability, uniform between `probability` and this.
        mask_share: of the chosen.
        random_share: of the chosen.
        words: choose whole words instead of tokens, and leave the skipped ones alone (unless a row has no others).
        generator: draws on its own device, so one on the CPU gives the same choice for captions on any device; or the
            random numbers themselves, see :func:`masking_noise`.

    Raises:
        ValueError: a row has no end of text, or shares exceed 1.
    """
    highest = probability if up_to is None else up_to
    if not (0 <= probability <= highest <= 1 and min(mask_share, random_share) >= 0 and mask_share + random_share <= 1):
        raise ValueError(
            f"probability ({probability}) up to {highest} and mask_share + random_share ({mask_share} + "
            f"{random_share}) must lie between 0 and 1, in this order"
        )
    if not isinstance(generator, Tensor):
        generator = masking_noise(len(input_ids), input_ids.shape[1], input_ids.device, generator)
    draw, fate, other, row = generator[:, :, : input_ids.shape[1]].to(input_ids.device)
    candidates = word_mask(input_ids, special.eos)
    if words is not None:
        draw, fate, candidates = _by_word(input_ids, candidates, words, draw, fate)
    draw = draw.masked_fill(~candidates, 2.0)
    limit = probability + (highest - probability) * row[:, :1]
    chosen = candidates & ((draw < limit) | (draw == draw.amin(dim=1, keepdim=True)))
    masked = input_ids.masked_fill(chosen & (fate < mask_share), special.mask)
    replaced = chosen & (fate >= mask_share) & (fate < mask_share + random_share)
    masked = torch.where(replaced, _ordinary(other, special), masked)
    return MaskedTokens(masked, input_ids.masked_fill(~chosen, -100))


def masking_noise(rows: int, length: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """What :func:`mask_tokens` draws: (4, rows, length) on `device`, uniform in [0, 1).

    Processes that share a batch draw the same for all of it and take their rows; columns beyond a caption are not
    read, so captions may be trimmed differently.
    """
    where = device if generator is None else generator.device
    return torch.rand((4, rows, length), generator=generator, device=where).to(device)


def _by_word(
    input_ids: Tensor, candidates: Tensor, words: WordTable, draw: Tensor, fate: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Every token gets the draw and the fate of its word's first one; words that are skipped are no candidates."""
    ends, skipped = (table.to(input_ids.device, non_blocking=True) for table in words)
    positions = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
    begins = ends[input_ids].roll(1, dims=1)
    begins[:, :2] = True
    first = positions.masked_fill(~begins, 0).cummax(dim=1).values
    telling = candidates & ~skipped[input_ids.gather(1, first)]
    telling = torch.where(telling.any(dim=1, keepdim=True), telling, candidates)
    return draw.gather(1, first), fate.gather(1, first), telling


def _ordinary(uniform: Tensor, special: SpecialIds) -> Tensor:
    """Uniform numbers to ids that are none of the special ones."""
    kept = sorted(set(special[:3]))
    ids = (uniform.double() * (special.vocab_size - len(kept))).long()
    for id_ in kept:  # in ascending order, each step opens a gap at a special id
        ids = ids + (ids >= id_)
    return ids
