"""How sure one answer is, as numbers and in words."""

from __future__ import annotations

from dataclasses import dataclass, field

from tireid.search.likeness import Likeness
from tireid.search.metrics import Floats, Ints

INTERVAL_MEANS = (
    "The interval of a picture holds the rank that it gets from another description of the same person "
    "in about {level:.0%} of the cases."
)
WITHIN_MEANS = (
    "If the person is in the gallery, {first} is right in at least about {level:.0%} of the cases. "
    "Cases are descriptions like those of the calibration."
)
UNCALIBRATED = "The ranks show how far simulated wordings move each picture. How often that holds is not known."
UNKNOWN = "How often this is right is unknown: it was not measured on known people in a gallery this large."
SHORT = "Accuracy is unknown below {fewest} different words."
ABSENT = "How often this is right is unknown: most people that it was measured on have a higher best score."
AMBIGUOUS = "Ambiguous: several pictures fit about as well, so add a detail."
OUTSIDE = (
    "No share of cases is stated: it was measured on pictures and descriptions like those that the model was trained "
    "on, and these are not. What is shown is the order of the scores, no more."
)


@dataclass(frozen=True)
class Sureness:
    """How sure one answer is."""

    low: Ints
    """(k,) lower end of the interval of each shown picture's rank, from 1."""
    high: Ints
    """(k,) upper end, included."""
    first: Floats
    """(k,) share of the draws in which the picture stands first, 0..1."""
    within: int
    """A right picture is among so many first results in `level` of the cases."""
    ambiguous: bool
    """A flat answer: more than FLAT_ABOVE results are needed to hold a right one at FLAT_LEVEL."""
    level: float
    draws: int
    calibrated: bool
    """Whether `level` was measured on known people, and description and pictures are like theirs."""
    likeness: Likeness = field(default_factory=Likeness)
    """What the model's domain says of description and pictures."""
    unknown: str = UNKNOWN
    """What is said instead of a share of cases where none was measured."""

    @property
    def meaning(self) -> str:
        """What the intervals and `within` say, in words to display."""
        if self.likeness.outside:
            return OUTSIDE
        if not self.calibrated:
            return UNCALIBRATED
        first = "the first picture" if self.within == 1 else f"one of the first {self.within}"
        words = (WITHIN_MEANS.format(first=first, level=self.level), INTERVAL_MEANS.format(level=self.level))
        return " ".join(words)


def claims(sureness: Sureness) -> list[str]:
    """How sure, a sentence per claim; how often it is right is said only where that was measured on such cases."""
    if sureness.likeness.outside:
        return ["How sure this is cannot be told."]
    where = "The first picture is" if sureness.within == 1 else f"One of the first {sureness.within} is"
    right = f"{where} right in about {sureness.level:.0%} of such cases."
    return [*([AMBIGUOUS] if sureness.ambiguous else []), right if sureness.calibrated else sureness.unknown]


def verdict(sureness: Sureness) -> str:
    """All :func:`claims` in one text."""
    return " ".join(claims(sureness))
