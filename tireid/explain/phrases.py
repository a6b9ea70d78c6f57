"""Phrases that describe a person, by what they tell: the questions that can be asked about a description.

They stand in `phrases.yaml`; what to ask next is chosen by :mod:`tireid.explain.questions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tireid.basics.yaml import read_yaml

_FILE: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))
COLOURS = tuple(_FILE["colours"])


@dataclass(frozen=True)
class Slot:
    """One thing that a description may tell, and the phrases that tell it."""

    name: str
    question: str
    phrases: tuple[str, ...]
    """Such as "carrying a backpack": what :func:`add_phrase` takes."""
    nouns: frozenset[str]
    """Words and pairs of words; any of them mentions the slot, unless `adjectives` are given."""
    adjectives: frozenset[str] = frozenset()
    """Any of these in the phrase that ends with a noun mentions the slot."""


def _words(*groups: str) -> frozenset[str]:
    return frozenset(word for group in groups for word in _FILE["words"][group])


def _slot(name: str, question: str, nouns: Sequence[str], **more: Any) -> Slot:
    if "each colour" in more:
        each = (more["each colour"].format(colour) for colour in COLOURS)
        phrases = tuple(re.sub(r"\ba (?=[aeiou])", "an ", phrase) for phrase in each)
        return Slot(name, question, phrases, _words(*nouns), _words("colours"))
    return Slot(name, question, tuple(more["phrases"]), _words(*nouns), _words(*more.get("adjectives", ())))


BANK: tuple[Slot, ...] = tuple(_slot(**tree) for tree in _FILE["slots"])
"""What can be asked."""
_GARMENTS = ("tops", "bottoms", "shoes", "bags", "hats")
_THINGS = _words(*_GARMENTS, *(f"kinds of {garment}" for garment in _GARMENTS), "hair", "accessories")
_NOUNS = frozenset(noun.split()[-1] for noun in _THINGS)
_STARTS_PHRASE = frozenset(_FILE["starts"])


def mentioned(text: str, slots: Sequence[Slot] = BANK) -> frozenset[str]:
    """Names of the slots that `text` already tells something about; vague words ("dark", "bag") do not count.

    >>> sorted(mentioned("A man in a red coat and jeans", BANK))
    ['bottoms', 'person', 'top', 'top colour']
    """
    tokens = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*|,", text.lower())
    return frozenset(slot.name for slot in slots if _mentions(tokens, slot))


def _mentions(tokens: Sequence[str], slot: Slot) -> bool:
    for i, token in enumerate(tokens):
        if token not in slot.nouns and f"{tokens[i - 1] if i else ''} {token}" not in slot.nouns:
            continue
        if token in _NOUNS and i + 1 < len(tokens) and tokens[i + 1] in _NOUNS:
            continue  # "dress shoes" are no dress
        if not slot.adjectives or _described(tokens[: i + 1], slot.adjectives):
            return True
    return False


def _described(tokens: Sequence[str], adjectives: frozenset[str]) -> bool:
    """Whether the noun phrase that `tokens` end with has one of `adjectives`."""
    listed = False
    for token in reversed(tokens):
        if token in _STARTS_PHRASE or (listed and token in _NOUNS):
            return False  # "black jeans and boots": the colour of the jeans
        if adjectives.intersection([token, *token.split("-")]):
            return True
        listed = listed or token in ("and", ",")
    return False


def label(phrase: str) -> str:
    """What a button shows for a phrase.

    >>> label("carrying a backpack"), label("with long hair")
    ('a backpack', 'long hair')
    """
    first, _, rest = phrase.partition(" ")
    return rest if first in ("wearing", "carrying", "holding", "with") and rest else phrase


def add_phrase(text: str, phrase: str) -> str:
    """`text` with a sentence that adds `phrase`; an empty text becomes the sentence alone.

    >>> add_phrase("A woman in a red coat", "carrying a backpack")
    'A woman in a red coat. She is carrying a backpack.'
    >>> add_phrase("", "with long hair")
    'The person has long hair.'
    """
    text, phrase = text.strip(), " ".join(phrase.split())
    if not phrase:
        raise ValueError("there is no phrase to add; expected something like 'carrying a backpack'")
    subject = _pronoun(text)
    first, _, rest = phrase.partition(" ")
    if first == "with" and rest:
        sentence = f"{subject} {'have' if subject == 'They' else 'has'} {rest}."
    else:
        sentence = f"{subject} {'are' if subject == 'They' else 'is'} {phrase}."
    if not text:
        return sentence
    return f"{text}{'' if text[-1] in '.!?' else '.'} {sentence}"


def _pronoun(text: str) -> str:
    words = set(re.findall(r"[a-z]+", text.lower()))
    he, she = words & _words("he"), words & _words("she")
    if bool(he) != bool(she):
        return "He" if he else "She"
    return "They" if words & _words("they") else "The person"
