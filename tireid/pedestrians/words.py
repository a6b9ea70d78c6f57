"""The vocabulary of captions, `words.yaml`: for every attribute the plain words of the studio and the loose ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tireid.basics.yaml import read_yaml

Words = Sequence[str]
Columns = tuple[Words, Words]
"""Words of the studio, and of the street."""

_FILE: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))


def _columns(table: Mapping[str, Any]) -> dict[str, Columns]:
    return {key: (studio, street) for key, (studio, street) in table.items()}


COLOURS = _columns(_FILE["colours"])
HAIR_COLOURS = _columns(_FILE["hair colours"])
HAIR_STYLES = _columns(_FILE["hair styles"])
TYPES = _columns(_FILE["types"])
PATTERNS = _columns(_FILE["patterns"])
BUILDS = _columns(_FILE["builds"])
SUBJECTS = {age: _columns(genders) for age, genders in _FILE["subjects"].items()}
VAGUE_COLOURS: dict[str, Words] = _FILE["vague colours"]
VAGUE_OF: dict[str, str] = _FILE["vague of"]
NEIGHBOURS: dict[str, Words] = _FILE["neighbours"]
VAGUE_TYPES: dict[str, Words] = _FILE["vague types"]
TYPE_NEIGHBOURS: dict[str, Words] = _FILE["type neighbours"]
VIEW_PHRASES: dict[str, Words] = _FILE["views"]
NEUTRAL_SUBJECTS: Words = _FILE["neutral subjects"]
CHILD_SUBJECTS: Words = _FILE["child subjects"]
GRAPHICS: Words = _FILE["graphics"]
WORN: Words = _FILE["worn"]
"""Parts in the order in which plain captions tell them."""
PLURAL = frozenset(_FILE["plural"])
OUTER = frozenset(_FILE["outer"])
