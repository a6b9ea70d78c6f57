"""Where the words of a caption are, and which of them are hidden for masked language modelling.

A row of ids is ``bos, tokens, eos, padding``. CLIP pads with id 0, which is also its ``!``, so real tokens are told
by position (up to the *first* end-of-text), never by ``ids != pad``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


def eot_positions(input_ids: Tensor, eos_id: int) -> Tensor:
    """Position of the first end of text in every row: (N, L) to int64 (N,); ValueError naming a row that has none.

    >>> eot_positions(torch.tensor([[6, 1, 7, 0], [6, 7, 7, 7]]), eos_id=7)
    tensor([2, 1])
    """
    ends = input_ids == eos_id
    if not bool(ends.any(dim=1).all()):
        row = int((~ends.any(dim=1)).nonzero()[0, 0])
        raise ValueError(
            f"row {row} of input_ids has no end of text (id {eos_id}); encode it with this model's tokenizer"
        )
    return ends.int().argmax(dim=1)


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
    """The ids that are no words, and how many ids there are in all."""

    bos: int
    eos: int
    mask: int
    vocab_size: int


@dataclass(frozen=True)
class MaskedTokens:
    """Captions with tokens hidden."""

    input_ids: Tensor
    """int64 (N, L)"""
    labels: Tensor
    """int64 (N, L): the original id where a token was chosen, -100 elsewhere"""

    @property
    def chosen(self) -> Tensor:
        """Bool (N, L)."""
        return self.labels != -100


def mask_tokens(
    input_ids: Tensor,
    special: SpecialIds,
    *,
    probability: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
    generator: torch.Generator | None = None,
) -> MaskedTokens:
    """Choose tokens to predict and hide most of them (source: BERT's shares, as IRRA uses them).

    Every token between start and end is chosen with `probability`, one at random where a row would have none. Of the
    chosen, `mask_share` become the mask, `random_share` a random token that is none of the special ones, the rest
    stays. A row without a token between start and end stays as it is.

    Args:
        input_ids: int64 (N, L).
        special: start, end and mask, which are never drawn, and the number of ids; padding begins after the end.
        probability: of being chosen.
        mask_share: of the chosen.
        random_share: of the chosen.
        generator: draws on its own device, so one on the CPU gives the same choice for captions on any device.

    Raises ValueError for a row without end of text or shares that exceed 1.
    """
    if not (0 <= probability <= 1 and mask_share >= 0 and random_share >= 0 and mask_share + random_share <= 1):
        raise ValueError(
            f"probability ({probability}) and mask_share + random_share ({mask_share} + {random_share}) "
            "must lie between 0 and 1"
        )
    device = generator.device if generator is not None else input_ids.device
    draw, fate = torch.rand((2, *input_ids.shape), generator=generator, device=device).to(input_ids.device)
    kept, shape = sorted(set(special[:3])), input_ids.shape
    random_ids = torch.randint(special.vocab_size - len(kept), shape, generator=generator, device=device)
    random_ids = random_ids.to(input_ids.device)
    for id_ in kept:  # in ascending order, each step opens a gap at a special id
        random_ids += random_ids >= id_

    words = word_mask(input_ids, special.eos)
    draw = draw.masked_fill(~words, 2.0)
    smallest = torch.zeros_like(words).scatter_(1, draw.argmin(dim=1, keepdim=True), True)
    chosen = words & ((draw < probability) | smallest)
    masked = input_ids.masked_fill(chosen & (fate < mask_share), special.mask)
    replaced = chosen & (fate >= mask_share) & (fate < mask_share + random_share)
    masked = torch.where(replaced, random_ids, masked)
    return MaskedTokens(masked, input_ids.masked_fill(~chosen, -100))
