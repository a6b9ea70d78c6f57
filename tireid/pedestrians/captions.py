"""Captions: a small grammar that tells what can be seen, plainly (studio) or as people do (street, and worse at night).

Every caption comes with its ground truth: which attributes it tells, which of them vaguely, and which wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tireid.pedestrians import words
from tireid.pedestrians.cameras import STYLES, Style
from tireid.pedestrians.people import Person, visible
from tireid.pedestrians.phrases import Phrases, article, join

HELD_OR_CARRIED = ("bag", "umbrella", "phone", "cup")


@dataclass(frozen=True)
class Caption:
    """A description of one picture.

    `mentioned` maps each attribute that `text` tells to the value told: the true one, a vague word ("dark"), or a wrong
    one; `vague` and `mistakes` name the attributes of the last two kinds.

    >>> Caption("A man in a dark coat.", {"upper.colour": "dark"}, ("upper.colour",), ()).vague
    ('upper.colour',)
    """

    text: str
    mentioned: Mapping[str, str]
    vague: tuple[str, ...]
    mistakes: tuple[str, ...]


MIN_PARTS = 3
"""A caption tells at least so many parts, if so many can be seen."""


def describe(
    person: Person, rng: np.random.Generator, style: Style, views: Sequence[str], hidden: Iterable[str] = ()
) -> Caption:
    """A caption that tells only what can be seen of `person` from `views`; `hidden` are parts that cannot.

    Raises:
        ValueError: the style or view is unknown.

    >>> from tireid.pedestrians import sample_person
    >>> rng = np.random.default_rng(3)
    >>> describe(sample_person(rng), rng, "studio", ["front"]).text[:2]
    'A '
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {STYLES}, got {style!r}")
    return _Teller(person, rng, style, views, visible(person, views, hidden)).tell()


_AGE_WORDS = frozenset({"old", "elderly", "older", "senior", "aged"})


class _Teller(Phrases):
    """One caption in the making."""

    # --- who --------------------------------------------------------------------------------------------------------

    def subject(self) -> str:
        """A noun for the person without article; sets the pronoun."""
        age, child = self.truth["age"], self.truth["age"] == "child"
        if self.chance(self.habits.neutral):
            self.pronoun = "they"
            noun = self.one(words.CHILD_SUBJECTS if child else words.NEUTRAL_SUBJECTS)
        else:
            self.mentioned["gender"] = gender = self.truth["gender"]
            self.pronoun = "he" if gender == "man" else "she"
            noun = self.one(words.SUBJECTS[age][gender][self.column])
        if child or noun.split()[0] in _AGE_WORDS:
            self.mentioned["age"] = age
        build = self.truth["build"]
        if build in words.BUILDS and "build" in self.seen and self.chance(self.habits.detail * 0.5):
            self.mentioned["build"] = build
            noun = f"{self.word(words.BUILDS, build)} {noun}"
        return noun

    def verb(self, third: str, plural: str) -> str:
        return plural if self.pronoun == "they" else third

    @property
    def their(self) -> str:
        """The possessive."""
        return {"he": "his", "she": "her", "they": "their"}[self.pronoun]

    def carrying(self, part: str) -> str:
        """A participle phrase for something held or carried."""
        thing = self.phrase(part)
        if part == "umbrella":
            return self.one((f"holding {thing}", f"under {thing}")[: 1 + self.column])
        if part == "phone":
            return self.one((f"holding {thing}", f"looking at {thing}", f"busy with {thing}")[: 1 + 2 * self.column])
        if part == "cup":
            return self.one((f"holding {thing}", f"carrying {thing} in one hand")[: 1 + self.column])
        told = self.mentioned["bag.type"]
        if self.style == "studio":
            return f"carrying {thing}"
        if told == "suitcase":
            return self.one((f"pulling {thing}", f"rolling {thing}", f"dragging {thing} along"))
        where = {"backpack": f"on {self.their} back", "shoulder bag": f"across {self.their} body"}
        place = where.get(told, f"in {self.their} hand")
        if "bag.type" in self.vague:
            return self.one((f"carrying {thing}", f"holding {thing}"))
        return self.one((f"carrying {thing}", f"carrying {thing} {place}", f"bearing {thing} {place}"))

    # --- sentences --------------------------------------------------------------------------------------------------

    def tell(self) -> Caption:
        seen = {key.removesuffix(".type") for key in self.seen} | ({"hair"} if "hair.style" in self.seen else set())
        parts = [part for part in (*words.WORN, "hair", "beard", *HELD_OR_CARRIED) if part in seen]
        kept = [
            part
            for part in parts
            if (part in ("upper", "lower") and self.chance(0.97)) or self.chance(self.habits.keep)
        ]
        left = [part for part in parts if part not in kept]
        while left and len(kept) < MIN_PARTS:
            kept.append(left.pop(int(self.rng.integers(len(left)))))
        worn = [part for part in parts if part in words.WORN]
        if worn and not any(part in words.WORN for part in kept):
            kept.append(self.one(worn))
        noun = self.subject()
        plainly = self.style == "studio" or not worn
        text = self._studio(noun, kept) if plainly else self._street(noun, kept)
        return Caption(text, dict(self.mentioned), tuple(self.vague), tuple(self.mistakes))

    def _looks(self, kept: Sequence[str]) -> str:
        looks = [self.hair()] if "hair" in kept else []
        if "beard" in kept:
            self.mentioned["beard.type"] = "beard"
            looks.append("a beard")
        return join(looks) if looks else ""

    def _studio(self, noun: str, kept: Sequence[str]) -> str:
        looks = self._looks(kept)
        main = [part for part in ("upper", "lower", "shoes") if part in kept]
        other = [part for part in words.WORN if part in kept and part not in main]
        carried = [part for part in HELD_OR_CARRIED if part in kept]
        start = article(noun) + (f" with {looks}" if looks else "")
        verb = self.one(("is wearing", "wears"))
        first = (
            f"{start} {verb} {join([self.phrase(part) for part in main or other])}." if main or other else f"{start}."
        )
        sentences = [first]
        doing = [self.carrying(part) for part in carried]
        if other and main:
            doing.insert(0, f"wearing {join([self.phrase(part) for part in other])}")
        if doing:
            sentences.append(f"{self.pronoun} {self.verb('is', 'are')} {join(doing)}.")
        return _sentences(sentences)

    def _street(self, noun: str, kept: Sequence[str]) -> str:
        looks = self._looks(kept)
        order = [part for part in words.WORN if part in kept]
        if self.chance(0.4):
            order = [order[i] for i in self.rng.permutation(len(order))]
        late = [part for part in order if part not in ("upper", "lower") and self.chance(0.5)]
        things = [self.phrase(part) for part in order if part not in late] or [self.phrase(late.pop())]
        doing = [self.carrying(part) for part in HELD_OR_CARRIED if part in kept]
        view = (
            self.one(words.VIEW_PHRASES[self.views[0]])
            if len(self.views) == 1 and self.chance(self.habits.view)
            else ""
        )
        if view.startswith("with the back"):
            view = f"with {self.their} back turned to the camera"
        plan = int(self.rng.integers(4))
        is_, has = self.verb("is", "are"), self.verb("has", "have")
        he, sentences = self.pronoun, []
        wear = self.one((f"{is_} wearing", f"{is_} dressed in", f"{has} on", f"{is_} clothed in"))
        rest = [looks and f"{he} {has} {looks}", doing and f"{he} {is_} {join(doing)}"]
        if plan == 0:
            who = f"{self.one((article(noun), f'the {noun}'))}{f' {view}' if view else ''}"
            wears = self.one(("is wearing", "is dressed in", "has on", "wears"))
            sentences = [f"{who} {wears} {join(things)}", *rest]
        elif plan == 1:
            who = f"{article(noun)}{f' with {looks}' if looks else ''}"
            tail = f", {view}" if view else ""
            sentences = [f"{who} {self.one(('is wearing', 'is dressed in', 'is in'))} {join(things)}{tail}", rest[1]]
        elif plan == 2:
            opening = self.one(("wearing", "dressed in", "clad in"))
            act = join([view or "walking", *doing]) if view or doing else "walking along"
            sentences = [f"{opening} {join(things)}, {self.one((article(noun), f'this {noun}'))} is {act}", rest[0]]
        else:
            seen = self.one(("there is", "the picture shows", "this is"))
            sentences = [f"{seen} {article(noun)}{f' {view}' if view else ''}", f"{he} {wear} {join(things)}", *rest]
        if late:
            also = self.one((f"{he} also {self.verb('wears', 'wear')}", f"{he} {has}", f"{he} {is_} also wearing"))
            sentences.insert(
                int(self.rng.integers(2 if plan == 3 else 1, len(sentences) + 1)),
                f"{also} {join([self.phrase(p) for p in late])}",
            )
        return _sentences([f"{sentence}." for sentence in sentences if sentence])


def _sentences(sentences: Sequence[str]) -> str:
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)
