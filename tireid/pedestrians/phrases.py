"""The words and phrases of a caption, chosen as its style and the describer's habits have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tireid.pedestrians import words
from tireid.pedestrians.cameras import Style
from tireid.pedestrians.people import Person, attributes


@dataclass(frozen=True)
class Habits:
    """How a describer errs: probabilities per attribute (`keep`: per part that is neither upper nor lower garment)."""

    keep: float
    omit_colour: float
    vague: float
    mistake: float
    detail: float
    neutral: float
    view: float


HABITS: dict[Style, Habits] = {
    "studio": Habits(keep=0.62, omit_colour=0.0, vague=0.0, mistake=0.0, detail=0.8, neutral=0.0, view=0.0),
    "street": Habits(keep=0.45, omit_colour=0.07, vague=0.08, mistake=0.03, detail=0.6, neutral=0.1, view=0.3),
    "night": Habits(keep=0.35, omit_colour=0.15, vague=0.16, mistake=0.06, detail=0.4, neutral=0.3, view=0.2),
}


TYPE_RATE = 0.7
"""So much less often than a colour is a type mistaken, or told vaguely."""


def vague_types(part: str, value: str) -> words.Words:
    """Vague words for the type `value` of `part`, if there are any.

    >>> vague_types("lower", "long skirt"), vague_types("upper", "dress")
    (('skirt',), ())
    """
    if part not in words.VAGUE_TYPES or value == "dress":
        return ()
    if part == "lower" and "skirt" in value:
        return ("skirt",)
    return words.VAGUE_TYPES["outer" if value in words.OUTER else part]


def article(phrase: str) -> str:
    """`phrase` with "a" or "an" before it.

    >>> article("orange cap"), article("one-piece dress")
    ('an orange cap', 'a one-piece dress')
    """
    vowel = phrase[:1].lower() in "aeiou" and not phrase.lower().startswith(("one", "uni", "eu", "use"))
    return f"{'an' if vowel or phrase.startswith(('hour', 'honest')) else 'a'} {phrase}"


def join(phrases: Sequence[str]) -> str:
    """A list in words: "a, b and c"."""
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


class Phrases:
    """Words for what can be seen of one person; notes what was told, what of it vaguely and what wrongly."""

    def __init__(
        self, person: Person, rng: np.random.Generator, style: Style, views: Sequence[str], seen: Sequence[str]
    ) -> None:
        self.rng, self.style, self.views = rng, style, views
        self.habits, self.column = HABITS[style], 0 if style == "studio" else 1
        self.truth, self.seen = attributes(person), frozenset(seen)
        self.mentioned: dict[str, str] = {}
        self.vague: list[str] = []
        self.mistakes: list[str] = []

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def one(self, choices: Sequence[str]) -> str:
        """One of `choices`, all alike."""
        return choices[int(self.rng.integers(len(choices)))]

    def word(self, table: Mapping[str, words.Columns], key: str) -> str:
        """A word for `key`: plain in the studio, as people say it elsewhere."""
        return self.one(table[key][self.column])

    def colour(self, key: str) -> str:
        """A word for the colour `key`, "" if it is left out or cannot be seen; notes what was told."""
        if key not in self.seen or self.chance(self.habits.omit_colour):
            return ""
        value = self.truth[key]
        if self.chance(self.habits.mistake):
            value = self.one(words.NEIGHBOURS[value])
            self.mistakes.append(key)
        elif self.chance(self.habits.vague):
            self.vague.append(key)
            self.mentioned[key] = words.VAGUE_OF[value]
            return self.one(words.VAGUE_COLOURS[words.VAGUE_OF[value]])
        self.mentioned[key] = value
        return self.word(words.COLOURS, value)

    def kind(self, part: str) -> tuple[str, bool]:
        """A noun for `part`, and whether it is plural; notes what was told."""
        key = f"{part}.type"
        value = self.truth[key]
        if value in words.TYPE_NEIGHBOURS and self.chance(self.habits.mistake * TYPE_RATE):
            value = self.one(words.TYPE_NEIGHBOURS[value])
            self.mistakes.append(key)
        elif (vague := vague_types(part, value)) and self.chance(self.habits.vague * TYPE_RATE):
            noun = self.one(vague)
            if noun != value:  # "hat" is vague for a cap, not for a hat
                self.vague.append(key)
            self.mentioned[key] = noun
            return noun, noun in ("bottoms", "shoes", "footwear")
        self.mentioned[key] = value
        return self.word(words.TYPES, value), value in words.PLURAL

    def phrase(self, part: str) -> str:
        """A noun phrase with article for `part`."""
        if part == "upper":
            return self.upper()
        if part == "lower":
            return self.lower()
        coloured = part not in ("glasses", "sunglasses", "phone")
        return self.finish([self.colour(f"{part}.colour")] if coloured else [], *self.kind(part))

    def finish(self, adjectives: Sequence[str], noun: str, plural: bool) -> str:
        """Adjectives and noun with the article they need; "something" takes its adjectives behind it."""
        described = [word for word in adjectives if word]
        if noun.startswith("something "):
            return " ".join(["something", *described, noun.removeprefix("something ")])
        if noun.startswith("some "):
            head, _, tail = noun.partition(" of ")
            return " ".join([head, "of", *described, tail])
        text = " ".join([*described, noun])
        if plural and noun != "headset":
            return f"a pair of {text}" if noun not in ("footwear", "bottoms") and self.chance(0.3) else text
        return article(text)

    def pattern(self, part: str) -> tuple[list[str], str]:
        """Adjectives (colour and pattern) for a garment, and a phrase that follows it."""
        first = self.colour(f"{part}.colour")
        key, second = f"{part}.pattern", f"{part}.second"
        value = self.truth[key]
        if value == "plain" or key not in self.seen or not self.chance(0.5 + 0.5 * self.habits.detail):
            return [first], ""
        self.mentioned[key] = value
        other = self.colour(second)
        if value == "side stripe":
            return [first], f" with {article(' '.join(filter(None, [other, 'stripe'])))} down the side"
        if value == "graphic":
            noun = "logo" if self.style == "studio" else self.one(words.GRAPHICS)
            where = " on the front" if self.style == "studio" else self.one((" on the front", " on the chest", ""))
            return [first], f" with {article(' '.join(filter(None, [other, noun])))}{where}"
        word = self.word(words.PATTERNS, value)
        both = f"{first} and {other}" if first and other else first or other
        return [both, word], ""

    def upper(self) -> str:
        """The upper garment, with what shows under it."""
        adjectives, tail = self.pattern("upper")
        noun, plural = self.kind("upper")
        told = self.mentioned["upper.type"]
        if told in ("t-shirt", "shirt", "dress") and "upper.type" not in self.vague and "upper.sleeve" in self.seen:
            sleeve = self.truth["upper.sleeve"]
            if self.chance(self.habits.detail * 0.5):
                self.mentioned["upper.sleeve"] = sleeve
                adjectives.insert(0, "sleeveless" if sleeve == "none" else f"{sleeve}-sleeved")
        inner = ""
        if "upper.inner" in self.seen and self.chance(self.habits.detail):
            colour = self.colour("upper.inner")
            shirt = "shirt" if self.style == "studio" else self.one(("shirt", "top", "undershirt", "t-shirt"))
            under = "over" if self.style == "studio" else self.one(("over", "worn over", "on top of", "open over"))
            if colour:
                inner = f" {under} {article(f'{colour} {shirt}')}"
        return self.finish(adjectives, noun, plural) + tail + inner

    def lower(self) -> str:
        """The lower garment."""
        adjectives, tail = self.pattern("lower")
        noun, plural = self.kind("lower")
        return self.finish(adjectives, noun, plural) + tail

    def hair(self) -> str:
        """Style and colour of the hair, or a bald head."""
        self.mentioned["hair.style"] = style = self.truth["hair.style"]
        if style == "bald":
            return self.one(("a bald head",) if self.style == "studio" else ("a bald head", "a shaved head"))
        self.mentioned["hair.colour"] = self.truth["hair.colour"]
        text = self.word(words.HAIR_STYLES, style)
        text = text.format(self.word(words.HAIR_COLOURS, self.truth["hair.colour"]))
        return article(text[2:]) if text.startswith("a ") else text
