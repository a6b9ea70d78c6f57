"""Whether a description is like the captions that a model was trained on.

Three things count, one after the other: words that were never met in training; neighbouring words that were never met
as neighbours; and, between descriptions that are equal in both, the distance of the feature to those of the training
captions. The rank of that score among the captions of held-out people is a conformal p-value, so a data set whose
captions often have a new word marks a new word less readily than one with few words. The order is inferred: on nonsense
the feature alone marks 3 of 100 at a false-alarm rate of 5%.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from tireid.domain.conformal import Float32s, Floats, Neighbours, p_values

START = ""
"""Stands before the first word."""
_WORD = re.compile(r"[^\W\d_]+|\d+|[^\w\s]|_")
_SILENT = frozenset(".,;:!?-'\"()&/’‘“”–—…")
"""Signs that change no meaning here; any other sign is a word, an emoji for example."""
_FURTHEST = 2.1
"""More than two features of length one can be apart."""
_MOST, _LONGEST = 6, 24
"""So many new words are listed, and so many characters of each."""
_NEW = 1000.0
"""What a new word weighs: more than all pairs of a description."""


def split_words(text: str) -> list[str]:
    """Words in lower case, numbers and single signs; no punctuation.

    >>> split_words("A man's coat, size 42 :-) \N{GRINNING FACE}")
    ['a', 'man', 's', 'coat', 'size', '42', '\N{GRINNING FACE}']
    """
    return [word for word in _WORD.findall(text.lower()) if word not in _SILENT]


def different_words(text: str) -> int:
    """How many different words a text has: what is said twice tells nothing more.

    >>> different_words("A man. A man in red.")
    4
    """
    return len(set(split_words(text)))


def fewest_words(captions: Sequence[str]) -> int:
    """Different words of the shortest description that a measurement on these captions holds for.

    Three quarters of the captions have as many. A shorter one fits more people: its best score is lower, and the right
    picture stands further down.

    >>> fewest_words(["red", "in red", "a man", "a man in red", "a red coat"])
    2
    """
    return int(np.quantile([different_words(caption) for caption in captions], 0.25, method="lower"))


def pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbours, the start of the text included.

    >>> pairs(["a", "man"])
    [('', 'a'), ('a', 'man')]
    """
    return list(zip([START, *words], words, strict=False))


@dataclass(frozen=True)
class Words:
    """Words and neighbours that a model met in training, and how far from its captions those of held-out people lie.

    >>> rng = np.random.default_rng(0)
    >>> trained, held = ["a man in a red coat"], ["a man in a hat"]
    >>> words = Words.fit(trained, rng.normal(size=(1, 8)), held, rng.normal(size=(1, 8)))
    >>> words.counts["a"], "hat" in words.counts
    (2, False)
    """

    counts: Mapping[str, int]
    """How often each word was met."""
    followers: Mapping[str, frozenset[str]]
    """Per word, and for the start of a text, the words that were met behind it."""
    features: Neighbours
    held_out: Float32s
    """(M,) scores of held-out captions, ascending."""

    @classmethod
    def fit(cls, trained: Sequence[str], features: Float32s, held_out: Sequence[str], held_features: Float32s) -> Self:
        """From the captions that were trained on, features (R, D) of some of them, and held-out captions and their
        features (M, D)."""
        counts: Counter[str] = Counter()
        followers: dict[str, set[str]] = defaultdict(set)
        for caption in trained:
            words = split_words(caption)
            counts.update(words)
            for left, right in pairs(words):
                followers[left].add(right)
        frozen = {word: frozenset(behind) for word, behind in followers.items()}
        neighbours = Neighbours.of(features, False)
        bare = cls(dict(counts), frozen, neighbours, np.zeros(0, np.float32))
        return replace(bare, held_out=np.sort(bare.scores(held_out, held_features)))

    def new_words(self, text: str) -> list[str]:
        """Words that were never met, each once, in the order of the text."""
        return list(dict.fromkeys(word for word in split_words(text) if word not in self.counts))

    def new_pairs(self, text: str) -> list[tuple[str, str]]:
        """Neighbours that were never met as such, though both words were."""
        met = (pair for pair in pairs(split_words(text)) if all(word == START or word in self.counts for word in pair))
        return [(left, right) for left, right in met if right not in self.followers.get(left, ())]

    def scores(self, texts: Sequence[str], features: Float32s) -> Float32s:
        """(N,) of N texts with features (N, D) of length one: large where unlike."""
        told = [_NEW * self._new(text) + len(self.new_pairs(text)) for text in texts]
        scores: Float32s = (np.array(told) + self.features.distance(features) / _FURTHEST).astype(np.float32)
        return scores

    def p_values(self, texts: Sequence[str], features: Float32s) -> Floats:
        """(N,) p-values of N texts with features (N, D) of length one."""
        return p_values(self.held_out, self.scores(texts, features))

    def sentence(self, text: str) -> str | None:
        """Which words were never met, in words to display; None where all were.

        >>> bare = Words({"a": 2, "coat": 1}, {}, *[None] * 2)
        >>> bare.sentence("a teal coat")
        '1 of 3 words was never met in training: teal.'
        """
        words = split_words(text)
        new = self.new_words(text)
        if not words:
            return "The description has no words."
        if not new:
            return None
        count = self._new(text)
        return f"{count} of {len(words)} words {'was' if count == 1 else 'were'} never met in training: {_listed(new)}."

    def _new(self, text: str) -> int:
        words = split_words(text)
        return sum(word not in self.counts for word in words) if words else 1


def _listed(words: Iterable[str]) -> str:
    """The first few words, long ones cut; what a terminal would obey, and no one can read, as its code."""
    shown = [word if word.isprintable() else ascii(word)[1:-1] for word in words]
    every = [word if len(word) <= _LONGEST else word[:_LONGEST] + "…" for word in shown]
    return ", ".join(every[:_MOST]) + (f" and {len(every) - _MOST} more" if len(every) > _MOST else "")
