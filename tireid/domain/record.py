"""A model's domain as one file beside its weights: what it was trained on, and what its tests need."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tireid.basics.files import atomic_path, file_digest
from tireid.basics.section import Strict, explain
from tireid.domain.conformal import FALSE_ALARMS, Float32s, Neighbours
from tireid.domain.pictures import Pictures
from tireid.domain.presence import Presence
from tireid.domain.words import Words

FILE = "domain.safetensors"
WEIGHTS = "model.safetensors"
FORMAT = 1
UNKNOWN = (
    "These weights do not say what they were trained on, so it cannot be told whether your pictures and words are "
    "like that, or whether the person is in the gallery."
)
DIMENSIONS = {"rows": 2, "present": 3, "absent": 2}
"""Of arrays by their name; the others have one."""
_HALF = ("rows",)
"""Large tables that are stored in half precision; their values were rounded to it before anything was measured."""


Count = Annotated[int, Field(ge=0, le=2**53)]


@dataclass(frozen=True)
class Held:
    """How much a part of a data set holds, and in words what it is.

    Raises:
        ValueError: counts that are no integers.

    >>> Held("training people", people=10, pictures=40, captions=80).pictures
    40
    """

    name: str
    people: Count
    pictures: Count
    captions: Count

    def __post_init__(self) -> None:
        if not all(isinstance(count, int) for count in (self.people, self.pictures, self.captions)):
            raise ValueError(f"counts must be integers: {self.people!r}, {self.pictures!r}, {self.captions!r}")

    def __str__(self) -> str:
        return f"{self.name} ({self.people:,} people, {self.pictures:,} pictures, {self.captions:,} captions)"


class _Record(Strict):
    """What the file says beside its arrays."""

    format: int
    weights: str
    trained: Held
    held_out: Held | None
    words: dict[str, Count]
    followers: dict[str, list[str]]
    pictures_per_person: Annotated[float, Field(gt=0, le=2**53)] | None
    fewest_words: Count = 0


@dataclass(frozen=True)
class Domain:
    """What a model was trained on, and tests of what is like it; made by :func:`tireid.explain.domain.learn`.

    The tests are None where there were no people that the model was not trained on.

    >>> from tireid import TIReID
    >>> domain = TIReID.from_pretrained("tiny-street").domain
    >>> domain.words.new_words("a woman astronaut in an orange suit")
    ['astronaut']
    """

    trained: Held
    held_out: Held | None
    words: Words
    """Without held-out people its p-values are all 1: only new words are told."""
    pictures: Pictures | None = None
    presence: Presence | None = None

    def summary(self) -> str:
        """What the model was trained on and how it is tested, in a few sentences; plain text."""
        known = f"Trained on {self.trained}; its captions have {len(self.words.counts):,} different words."
        if self.held_out is None:
            return (
                f"{known} There were no other people to test it on: what is unlike them is not told, except new words."
            )
        tested = f"Unlike means unlike the pictures and captions of {self.held_out}, which it was not trained on"
        return f"{known} {tested}; of these about {FALSE_ALARMS:.0%} are marked by mistake."

    def save(self, directory: Path) -> None:
        """Write ``domain.safetensors`` into `directory`, for the weights that lie there and no others."""
        every = _tensors(self).items()
        tensors = {name: value.astype(np.float16) if name.endswith(_HALF) else value for name, value in every}
        record = _Record(
            format=FORMAT,
            weights=file_digest(directory / WEIGHTS),
            trained=self.trained,
            held_out=self.held_out,
            words=dict(self.words.counts),
            followers={word: sorted(behind) for word, behind in self.words.followers.items()},
            pictures_per_person=None if self.presence is None else self.presence.pictures_per_person,
            fewest_words=0 if self.presence is None else self.presence.fewest_words,
        )
        with atomic_path(directory / FILE) as temporary:
            save_file(tensors, temporary, metadata={"domain": json.dumps(record.model_dump(), sort_keys=True)})

    @classmethod
    def load(cls, directory: Path) -> Self | None:
        """What :meth:`save` wrote into `directory`; None where there is none, or one of other weights (with a warning).

        Raises:
            ValueError: the file is damaged or of another version; names it and says what to do.
        """
        file = directory / FILE
        if not file.is_file():
            return None
        try:
            with safe_open(file, framework="numpy") as content:
                record = _Record.model_validate_json((content.metadata() or {})["domain"])
                tensors = {name: np.asarray(content.get_tensor(name), np.float32) for name in content.keys()}  # noqa: SIM118
            if record.format != FORMAT:
                raise ValueError(f"format {record.format}, this version reads {FORMAT}")
            if record.weights != file_digest(directory / WEIGHTS):
                warnings.warn(f"{file} is of other weights than {WEIGHTS} beside it, so it is not used", stacklevel=2)
                return None
            return cls(**_read(record, tensors))
        except (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            reason = explain(error) if isinstance(error, ValidationError) else repr(error)
            raise ValueError(
                f"{file} cannot be read ({reason}): expected what training writes beside the weights; delete it to "
                "use the weights without their domain"
            ) from error


def describe(model: Any) -> str:
    """`model.domain.summary()`, or that the weights do not say what they were trained on.

    >>> describe(object())[:58]
    'These weights do not say what they were trained on, so it '
    """
    domain = getattr(model, "domain", None)
    return UNKNOWN if domain is None else domain.summary()


def _tensors(domain: Domain) -> dict[str, npt.NDArray[Any]]:
    """Every array of the domain by its place: a part's name, then those of its fields."""
    found: dict[str, npt.NDArray[Any]] = {}

    def add(prefix: str, part: object) -> None:
        for name, value in vars(part).items():
            if isinstance(value, np.ndarray):
                found[f"{prefix}.{name}"] = np.ascontiguousarray(value)
            elif isinstance(value, Neighbours):
                add(f"{prefix}.{name}", value)

    for name in ("words", "pictures", "presence"):
        if getattr(domain, name) is not None:
            add(name, getattr(domain, name))
    return found


def _read(record: _Record, tensors: Mapping[str, Float32s]) -> dict[str, Any]:
    """The arguments of :class:`Domain`."""
    tree: dict[str, Any] = {}
    for name, value in tensors.items():
        *places, last = name.split(".")
        if not np.isfinite(value).all() or value.ndim != DIMENSIONS.get(last, 1):
            raise ValueError(f"{name} is not finite, or has the shape {value.shape}")
        fields = tree
        for place in places:
            fields = fields.setdefault(place, {})
        fields[last] = value
    parts: dict[str, dict[str, Any]] = {
        part: {name: Neighbours(**value) if isinstance(value, dict) else value for name, value in fields.items()}
        for part, fields in tree.items()
    }

    followers = {word: frozenset(behind) for word, behind in record.followers.items()}
    presence = None
    if "presence" in parts:
        if record.pictures_per_person is None:
            raise ValueError("pictures_per_person is missing")
        known = parts["presence"] | {"fewest_words": record.fewest_words}
        presence = Presence(**known, pictures_per_person=record.pictures_per_person)
    return {
        "trained": record.trained,
        "held_out": record.held_out,
        "words": Words(record.words, followers, **parts["words"]),
        "pictures": Pictures(**parts["pictures"]) if "pictures" in parts else None,
        "presence": presence,
    }
