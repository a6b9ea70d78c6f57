"""Why a picture was found: words left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tireid.search.encoder import encode
from tireid.search.gallery import Gallery
from tireid.search.index import Mask, ranks_of
from tireid.search.metrics import Floats, Ints, normalised_rows

CLIP_CONTEXT = 77
"""Tokens that are read by a model that does not say how many it reads."""


@dataclass(frozen=True)
class Ablation:
    """What the words of a description do to the ranks."""

    words: tuple[str, ...]
    """The description, split at white space; a word is switched by its place here."""
    off: frozenset[int]
    text: str
    """The description without the words that are off."""
    pictures: pd.DataFrame
    """The pictures that are among the k best with all words or with those that are on, in the order of `rank`: row,
    name, person_id, rank_all (all words), rank (words that are on), change (rank_all - rank: positive has moved up),
    score_all, score."""
    influence: pd.DataFrame
    """A row per word, in their order: word, off, and what happens to the answer to `text` when this one word is taken
    out of it (put back, where it is off): kept (how many of the k best stay among them), moved (mean change of rank of
    the k best, without sign), score (change of the best picture's score), first (row of the picture that then stands
    first). Words behind those that the model reads change nothing."""


def word_ablation(
    gallery: Gallery, text: str, k: int = 10, off: Collection[int] = (), *, allowed: Mask | None = None
) -> Ablation:
    """What single words do: the answer without those in `off`, and with one word more left out at a time.

    All variants are encoded in one batch. Words beyond the model's context are not tried, since it does not read them.
    Equal scores share the better rank. `allowed` (N,) says which pictures take part, where the search was filtered.

    Raises:
        ValueError: an empty description, k < 1, a word that is not there, all words off, or no picture allowed.

    >>> ablation = word_ablation(gallery, "a man in a red coat", off=[4])          # doctest: +SKIP
    >>> ablation.text, ablation.pictures[["name", "rank_all", "rank"]]             # doctest: +SKIP
    """
    words, switched = tuple(text.split()), frozenset(int(place) for place in off)
    if not words:
        raise ValueError("the description has no words to leave out")
    if k < 1:
        raise ValueError(f"k must be a positive integer, not {k}")
    if not switched <= set(range(len(words))):
        raise ValueError(f"off must hold places in 0..{len(words) - 1}, got {sorted(switched)}")
    if len(switched) == len(words):
        raise ValueError("all words are off: leave at least one on")
    rows = np.arange(len(gallery)) if allowed is None else np.flatnonzero(allowed)
    if not len(rows):
        raise ValueError("allowed leaves out every picture")
    # At most so many words are read: a word is at least one token.
    context = getattr(getattr(gallery.model, "tokenizer", None), "context_length", CLIP_CONTEXT)
    scores = _scores(gallery, rows, _variants(words, switched, context))
    ranks = np.stack([ranks_of(row) for row in scores])
    pictures = _ablated_pictures(gallery, rows, scores[:2], ranks[:2], k)
    influence = _influence(words, switched, scores[1:], ranks[1:], min(k, len(rows)))
    influence["first"] = rows[influence["first"]]
    return Ablation(words, switched, _join(words, switched), pictures, influence)


def _variants(words: tuple[str, ...], off: frozenset[int], context: int) -> list[str]:
    """All words, words that are on, and one variant for each word that is read."""
    # Of a very long text only what can be read is passed on; words that are off make room for later ones.
    some = words[: context + len(off) + 1]
    sets = [frozenset[int](), off, *(off ^ {place} for place in range(min(len(some), context + len(off))))]
    return [_join(some, left_out) for left_out in sets]


def _join(words: Sequence[str], off: frozenset[int]) -> str:
    return " ".join(word for place, word in enumerate(words) if place not in off)


def _scores(gallery: Gallery, rows: Ints, texts: Sequence[str]) -> Floats:
    """(texts, rows) cosines; an empty text scores 0 everywhere."""
    full = [i for i, text in enumerate(texts) if text]
    features = encode(gallery.model.encode_texts, [texts[i] for i in full], batch_size=len(full))
    pictures = gallery.features if len(rows) == len(gallery) else gallery.features[rows]
    scores = np.zeros((len(texts), len(rows)))
    scores[full] = normalised_rows(features, "text features").astype(np.float32) @ pictures.T
    return scores


def _ablated_pictures(gallery: Gallery, rows: Ints, scores: Floats, ranks: Ints, k: int) -> pd.DataFrame:
    """`scores` and `ranks` (2, rows): with all words, and with those that are on."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    shown = np.unique(best)
    table = gallery.table.loc[rows[shown], ["name", "person_id"]].assign(
        row=rows[shown],
        rank_all=ranks[0, shown],
        rank=ranks[1, shown],
        change=ranks[0, shown] - ranks[1, shown],
        score_all=scores[0, shown],
        score=scores[1, shown],
    )
    columns = ["row", "name", "person_id", "rank_all", "rank", "change", "score_all", "score"]
    return table[columns].sort_values(["rank", "name"], ignore_index=True)


def _influence(words: tuple[str, ...], off: frozenset[int], scores: Floats, ranks: Ints, k: int) -> pd.DataFrame:
    """`scores` and `ranks` (1 + variants, N), the words that are on first."""
    best = np.argsort(-scores[0], kind="stable")[:k]
    rows = []
    for place, word in enumerate(words):
        # A word that is not read changes nothing.
        variant = place + 1 if place + 1 < len(scores) else 0
        kept = int(np.isin(np.argsort(-scores[variant], kind="stable")[:k], best).sum())
        moved = float(np.abs(ranks[variant, best] - ranks[0, best]).mean())
        change = float(scores[variant, best[0]] - scores[0, best[0]])
        rows.append((word, place in off, kept, moved, change, int(scores[variant].argmax())))
    return pd.DataFrame(rows, columns=["word", "off", "kept", "moved", "score", "first"])
