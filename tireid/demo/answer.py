"""What the demo finds: a ranked list of pictures or captions, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from tireid.search.hits import Hits
from tireid.search.metrics import Ints
from tireid.show.cards import Card

Kind = Literal["pictures", "captions"]
TYPES = {"person_id": "Int64", "camera": "Int64", "correct": "boolean", "moved": "Int64", "change": "Int64"}


@dataclass(frozen=True)
class Answer:
    """A ranked list, or the reason why there is none."""

    kind: Kind
    cards: Sequence[Card] = ()
    """Best first."""
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """(k,) places in the gallery, or numbers of captions."""
    among: int = 0
    """How many items were ranked."""
    first_right: int | None = None
    """Rank of the first right one among them; None where nobody knows who is right, or where nobody is."""
    splits: Sequence[str | None] = ()
    """Of every picture, where known."""
    moved: Sequence[int] = ()
    """Places won (+) or lost (-) because words are off; empty where none is."""
    change: Sequence[int] = ()
    """Places won by the second model against the first; empty without one."""
    message: str = ""

    @classmethod
    def of(cls, hits: Hits) -> Answer:
        """Pictures of a gallery."""
        rows = np.array([hit.row for hit in hits], np.int64)
        return cls("pictures", hits.items, rows, hits.among, hits.first_right)

    @property
    def names(self) -> list[str]:
        """Of the pictures, or the captions themselves."""
        return [card.name for card in self.cards]

    @property
    def judged(self) -> bool:
        """Whether it is known which results are right."""
        return any(card.correct is not None for card in self.cards)

    @property
    def notes(self) -> list[str]:
        """Per result the places won or lost, as a sign and a number: by the second model, or by the words.

        >>> Answer("pictures", moved=[2, -3, 0]).notes
        ['▲ 2', '▼ 3', '= 0']
        """
        places = self.change or self.moved
        signs = ("▲" if place > 0 else "▼" if place < 0 else "=" for place in places)
        return [f"{sign} {abs(place)}" for sign, place in zip(signs, places, strict=True)]

    @property
    def table(self) -> pd.DataFrame:
        """A row per result, with missing values where something is not known.

        rank, name, score, person_id, camera, split, correct, moved, and change with a second model; of captions rank,
        caption, score, person_id, correct.
        """
        table = pd.DataFrame({"rank": pd.Series([card.rank for card in self.cards], dtype="int64")})
        table["name" if self.kind == "pictures" else "caption"] = self.names
        table["score"] = pd.Series([card.score for card in self.cards], dtype="float64")
        columns: dict[str, Any] = {
            "person_id": [card.person_id for card in self.cards],
            "camera": [getattr(card, "camera", None) for card in self.cards],
            "split": self.splits,
            "correct": [card.correct for card in self.cards],
            "moved": self.moved,
            "change": self.change,
        }
        kept = {"person_id", "correct"} | ({"camera", "split", "moved"} if self.kind == "pictures" else set())
        for name, values in columns.items():
            if name in kept or (name == "change" and values):
                table[name] = pd.Series(list(values) or [None] * len(table), dtype=TYPES.get(name, "object"))
        return table
