"""Does the interaction encoder look? Hidden words guessed, and captions recovered, with the right and a wrong picture.

A model of language alone names many hidden colours, since the rest of a caption and the fashion of the data give them
away. What tells a grounded one is the difference that the picture makes. The colours and garments are those of the
drawn pedestrians, whose vocabulary is known: a guess is right if the caption with the guess in the place of the hidden
word names the same colour or garment, so that synonyms count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tireid.data import ImageCache, MaskedTokens, Split, Tokenizer, normalize
from tireid.explain.hidden_words import predict_masked, recover_global
from tireid.model import TIReID
from tireid.model.encoding import evaluating
from tireid.pedestrians.words import COLOURS, TYPES
from tireid.search.encoder import encode
from tireid.search.metrics import Floats, retrieval_metrics

BATCH = 128
"""Pictures, or twice as many captions, that are encoded at a time."""
_MODIFIERS = frozenset(["dark", "light", "bright", "pale", "plain", "off", "coloured"])
"""Parts of colours' names that name none by themselves."""


def split_words(text: str) -> list[str]:
    """Lower-case words and marks, as the tokenizer cuts them.

    >>> split_words("An off-white T-shirt.")
    ['an', 'off', '-', 'white', 't', '-', 'shirt', '.']
    """
    return re.findall(r"[^\W\d_]+|\d|[^\s\w]+", text.lower())


class Lexicon:
    """Phrases by what they mean, such as every way to name a colour.

    >>> colours = Lexicon({"navy": ("navy", "dark blue"), "blue": ("blue", "royal blue")})
    >>> sorted(colours.meaning(["a", "dark", "blue", "coat"], 2)), sorted(colours.meaning(["blue"], 0))
    (['navy'], ['blue'])
    """

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        self._meanings: dict[tuple[str, ...], set[str]] = {}
        for meaning, ways in phrases.items():
            for way in ways:
                self._meanings.setdefault(tuple(split_words(way)), set()).add(meaning)
        self._longest = max(map(len, self._meanings))
        self.words = frozenset(phrase[-1] for phrase in self._meanings) - _MODIFIERS

    def meaning(self, words: Sequence[str], position: int) -> frozenset[str]:
        """What the longest phrase around the word at `position` means; empty if it belongs to none."""
        for length in range(self._longest, 0, -1):
            for start in range(max(0, position - length + 1), position + 1):
                found = self._meanings.get(tuple(words[start : start + length]))
                if found:
                    return frozenset(found)
        return frozenset()


LEXICONS = {
    "colour": Lexicon({name: [*street, *studio] for name, (studio, street) in COLOURS.items()}),
    "garment": Lexicon({name: [*TYPES[name][0], *TYPES[name][1]] for name in takewhile("backpack".__ne__, TYPES)}),
}


@dataclass(frozen=True)
class Hidden:
    """Captions with words hidden, and where those are that get counted."""

    masked: MaskedTokens
    """B rows; every hidden token is the mask."""
    source: Tensor
    """int64 (B,): the caption each row is"""
    places: pd.DataFrame
    """A row per counted word: `row`, `position` (of its token), `kind`, `word` (its number in the caption)"""


def hide_words(tokenizer: Tokenizer, captions: Sequence[str], share: float | None = None, seed: int = 0) -> Hidden:
    """Hide words of `captions`: each colour and each garment by itself, or with `share` so many of all tokens.

    Counted are the hidden colours and garments that are one token.
    """
    ids = tokenizer(captions, trim=True)
    words = pd.DataFrame(counted_words(tokenizer, ids), columns=["caption", "position", "kind", "word"])
    if share is not None:
        generator = torch.Generator().manual_seed(seed)
        masked = tokenizer.mask(ids, share, mask_share=1.0, random_share=0.0, generator=generator)
        at = masked.chosen[words["caption"].to_numpy(copy=True), words["position"].to_numpy(copy=True)].numpy()
        return Hidden(masked, torch.arange(len(ids)), words[at].rename(columns={"caption": "row"}))
    source, position = torch.tensor(words["caption"].to_numpy()), torch.tensor(words["position"].to_numpy())
    chosen = torch.zeros(len(words), ids.shape[1], dtype=torch.bool)
    chosen[torch.arange(len(words)), position] = True
    rows = ids[source]
    masked = MaskedTokens(rows.masked_fill(chosen, tokenizer.mask_id), rows.masked_fill(~chosen, -100))
    return Hidden(masked, source, words.assign(row=range(len(words))).drop(columns="caption"))


def guess(model: TIReID, hidden: Hidden, captions: Sequence[str], image_tokens: Tensor) -> pd.DataFrame:
    """`hidden.places` with the columns `caption`, `guess`, `right` (0 or 1) and `cross_entropy` (nats).

    `image_tokens` (N, M, D): for every caption the tokens of the picture that it may look at, from
    `model.backbone.encode_image`. Raises ValueError if the model has no MLM head.
    """
    places = hidden.places.sort_values("row", kind="stable").reset_index(drop=True)
    chosen, first, nats = hidden.masked.chosen, [], []
    for rows in torch.split(torch.arange(len(hidden.source)), 2 * BATCH):
        masked = MaskedTokens(hidden.masked.input_ids[rows], hidden.masked.labels[rows])
        scores = predict_masked(model, masked, image_tokens[hidden.source[rows]])
        first.append(scores.argmax(1))
        nats.append(-scores[torch.arange(len(scores)), masked.labels[masked.chosen]])
    number = chosen.flatten().cumsum(0).view_as(chosen) - 1  # of a hidden token among all of them
    at = number[torch.tensor(places["row"].to_numpy()), torch.tensor(places["position"].to_numpy())]
    places["caption"] = hidden.source.numpy()[places["row"]]
    places["guess"] = [model.tokenizer.decode([id_]) for id_ in torch.cat(first)[at].tolist()]
    places["cross_entropy"] = torch.cat(nats)[at].numpy()
    spelt = [split_words(caption) for caption in captions]
    places["right"] = [
        _same_meaning(LEXICONS[kind], spelt[caption], word, answer)
        for kind, caption, word, answer in zip(
            places["kind"], places["caption"], places["word"], places["guess"], strict=True
        )
    ]
    return places


def _same_meaning(lexicon: Lexicon, words: Sequence[str], position: int, guess: str) -> bool:
    answer = [*words[:position], *split_words(guess), *words[position + 1 :]]
    return len(answer) == len(words) and bool(lexicon.meaning(words, position) & lexicon.meaning(answer, position))


def counted_words(tokenizer: Tokenizer, ids: Tensor) -> Iterator[tuple[int, int, str, int]]:
    """(caption, position, kind, number of the word) of every colour and garment that is one token."""
    for caption, row in enumerate(ids):
        tokens = tokenizer.tokens(row)[1:-1]
        ends = [0, *(i + 1 for i, token in enumerate(tokens) if token.endswith("</w>"))]
        spelt = [tokenizer.decode(row[1 + a : 1 + b]) for a, b in pairwise(ends)]
        for word, (start, end) in enumerate(pairwise(ends)):
            for kind, lexicon in LEXICONS.items():
                if end == start + 1 and spelt[word] in lexicon.words and lexicon.meaning(spelt, word):
                    yield caption, 1 + start, kind, word
                    break


def picture_tokens(model: TIReID, split: Split) -> Tensor:
    """(N, M, D): the image tokens of every picture of `split`, in its order, on the CPU."""
    pictures = ImageCache.build(split.image_paths, model.backbone.image_size, upright=split.upright)
    with evaluating(model):
        batches = (pictures[slice(start, start + BATCH)] for start in range(0, len(pictures), BATCH))
        parts = [model.backbone.encode_image(normalize(batch).to(model.device)).tokens.cpu() for batch in batches]
    return torch.cat(parts)


def looks(model: TIReID, split: Split, others: Split) -> tuple[Tensor, Tensor]:
    """For every caption of `split` the tokens (N, M, D) of its own picture, and of one of `others`, taken in turn."""
    own, strangers = picture_tokens(model, split), picture_tokens(model, others)
    at = torch.arange(split.num_captions)
    return own[torch.from_numpy(split.caption_image_index)], strangers[at % len(strangers)]


def grounding(
    model: TIReID, split: Split, others: Split, shares: Sequence[float | None] = (None, 0.15), seed: int = 0
) -> pd.DataFrame:
    """Hidden colours and garments of `split`, guessed with the right picture and with one of `others`.

    One row per hidden word: `hidden` ("one word" or the share in percent), `kind`, `person`, `right` and `wrong` (0 or
    1: the guess was right with that picture), `nats right` and `nats wrong` (cross-entropy). `others` are other people,
    such as those of another seed. Raises ValueError if the model has no MLM head.
    """
    captions, tables = split.captions, []
    right, wrong = looks(model, split, others)
    for share in shares:
        hidden = hide_words(model.tokenizer, captions, share, seed)
        seen, unseen = (guess(model, hidden, captions, tokens) for tokens in (right, wrong))
        tables.append(
            pd.DataFrame(
                {
                    "hidden": "one word" if share is None else f"{100 * share:.0f}%",
                    "kind": seen["kind"],
                    "person": split.caption_person_ids[seen["caption"]],
                    "right": seen["right"].astype(int),
                    "wrong": unseen["right"].astype(int),
                    "nats right": seen["cross_entropy"],
                    "nats wrong": unseen["cross_entropy"],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def recovery(model: TIReID, split: Split, others: Split, share: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Whom a caption finds among the clean captions of `split`, with `share` of its tokens hidden.

    One row per caption: `person`, and 100 if the first caption found is one of that person's, else 0, for each query:
    `masked` (the text feature of the masked caption alone), `right` and `wrong` (the token recovered from it with its
    own picture and with one of `others`) and `picture` (the global feature of its picture, without any caption). The
    means are R@1 in percent. Raises ValueError if the model does not recover the end-of-text token.
    """
    ids, people = model.tokenizer(split.captions, trim=True), split.caption_person_ids
    generator = torch.Generator().manual_seed(seed)
    hidden = model.tokenizer.mask(ids, share, mask_share=1.0, random_share=0.0, generator=generator).input_ids
    right, wrong = looks(model, split, others)
    clean = model.encode_texts(split.captions)
    with evaluating(model):
        batches = torch.split(hidden, 2 * BATCH)
        parts = [model.backbone.encode_text(batch.to(model.device)).pooled.cpu() for batch in batches]
    pictures = torch.from_numpy(encode(model.encode_images, split.pictures(model), batch_size=BATCH))
    queries = {
        "masked": torch.cat(parts),
        "right": recover_global(model, hidden, right),
        "wrong": recover_global(model, hidden, wrong),
        "picture": pictures[torch.from_numpy(split.caption_image_index)],
    }

    def hits(query: Tensor) -> Floats:
        _, ranks = retrieval_metrics(query, clean, people, people, per_query=True)
        return np.where(ranks["first_rank"] == 1, 100.0, 0.0)

    return pd.DataFrame({"person": people} | {name: hits(query) for name, query in queries.items()})
