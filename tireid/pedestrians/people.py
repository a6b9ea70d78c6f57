"""Who is drawn: the attributes of a person as plain data, and which of them can be seen from where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tireid.basics.yaml import read_yaml

RGB = tuple[int, int, int]

_COLOURS: dict[str, Any] = read_yaml(Path(__file__).with_name("colours.yaml"))
PALETTE: dict[str, RGB] = {name: tuple(rgb) for name, rgb in _COLOURS["palette"].items()}
HAIR_COLOURS: dict[str, RGB] = {name: tuple(rgb) for name, rgb in _COLOURS["hair"].items()}
SKIN_TONES: list[RGB] = [tuple(rgb) for rgb in _COLOURS["skin"]]
SCENERY: dict[str, list[RGB]] = {name: [tuple(rgb) for rgb in row] for name, row in _COLOURS["scenery"].items()}

VIEWS = ("front", "back", "left", "right")
HELD = ("umbrella", "phone", "cup")
"""Accessories that take the raised hand."""


@dataclass(frozen=True)
class Item:
    """A thing with a type and a colour, such as ``Item("backpack", "black")``.

    >>> Item("backpack", "black").colour
    'black'
    """

    type: str
    colour: str


@dataclass(frozen=True)
class Garment(Item):
    """A garment; `second` is the colour of its pattern: of checks, a graphic, or the side stripe of sweatpants."""

    pattern: str = "plain"
    second: str | None = None


@dataclass(frozen=True)
class Upper(Garment):
    """Upper garment; a dress is one whose :attr:`Person.lower` is None.

    `inner` is the colour of the shirt that shows under an open garment.

    >>> Upper("coat", "red", inner="white").sleeve
    'long'
    """

    sleeve: str = "long"
    inner: str | None = None


@dataclass(frozen=True)
class Lower(Garment):
    """Lower garment.

    >>> Lower("jeans", "blue").pattern
    'plain'
    """


@dataclass(frozen=True)
class Person:
    """Everything that stays the same in all pictures of a person.

    >>> import numpy as np
    >>> from tireid.pedestrians import sample_person
    >>> person = sample_person(np.random.default_rng(0))
    >>> person.gender, person.shoes
    ('woman', Item(type='leather shoes', colour='black'))
    """

    gender: str
    age: str
    build: str
    skin: int
    hair: Item
    beard: bool
    headwear: Item | None
    upper: Upper
    lower: Lower | None
    shoes: Item
    bag: Item | None
    accessories: tuple[Item, ...] = ()

    @property
    def hand_raised(self) -> bool:
        """Whether one hand holds something up."""
        return any(item.type in HELD for item in self.accessories)

    def accessory(self, kind: str) -> Item | None:
        """The accessory of this type, or None."""
        return next((item for item in self.accessories if item.type == kind), None)


def attributes(person: Person) -> dict[str, str]:
    """The person as flat ``{"upper.colour": "red", ...}``; things the person does not have are left out.

    >>> from numpy.random import default_rng
    >>> from tireid.pedestrians import sample_person
    >>> sorted(attributes(sample_person(default_rng(0))))[:3]
    ['age', 'bag.colour', 'bag.type']
    """
    found = {"gender": person.gender, "age": person.age, "build": person.build, "skin": str(person.skin)}
    found["hair.style"] = person.hair.type
    if person.hair.type != "bald":
        found["hair.colour"] = person.hair.colour
    if person.beard:
        found["beard.type"] = "beard"
    parts = {name: getattr(person, name) for name in ("headwear", "upper", "lower", "shoes", "bag")}
    parts |= {item.type: item for item in person.accessories}
    for part, item in parts.items():
        if item is not None:
            found |= {f"{part}.{key}": value for key, value in vars(item).items() if value is not None}
    return found


_NOT_BACK = ("glasses", "sunglasses", "face mask", "beard", "phone", "cup")


def visible(person: Person, views: Sequence[str], hidden_parts: Iterable[str] = ()) -> tuple[str, ...]:
    """Names of the :func:`attributes` that can be seen from at least one of `views`, in order.

    `hidden_parts` are whole parts ("shoes", "hair", ...) that an occluder or the crop takes away.

    Raises:
        ValueError: a view is unknown.

    >>> from numpy.random import default_rng
    >>> from tireid.pedestrians import sample_person
    >>> person = sample_person(default_rng(0))
    >>> "hair.colour" in visible(person, ["back"]), "hair.colour" in visible(person, ["back"], ["hair"])
    (True, False)
    """
    unknown = [view for view in views if view not in VIEWS]
    if unknown or not views:
        raise ValueError(f"views must be some of {VIEWS}, got {tuple(views)}")
    gone = set(hidden_parts)
    return tuple(
        key
        for key in attributes(person)
        if key != "skin" and key.split(".")[0] not in gone and any(_seen(person, key, view) for view in views)
    )


_COVERS: dict[str, tuple[str, ...]] = {
    "cap": ("bald", "bun"),
    "hat": ("bald", "bun"),
    "beanie": ("bald", "bun", "short"),
    "helmet": ("bald", "bun", "short"),
}
"""Hair styles that disappear under headwear."""


def _seen(person: Person, key: str, view: str) -> bool:
    headwear = person.headwear.type if person.headwear else None
    if key.startswith("hair."):
        return headwear is None or (headwear != "headscarf" and person.hair.type not in _COVERS[headwear])
    if key == "upper.inner":
        return view == "front" or person.upper.type == "vest"
    if key.startswith("tie."):
        return view == "front"
    if key.split(".")[0] in _NOT_BACK:
        return view != "back"
    if key in ("upper.pattern", "upper.second") and person.upper.pattern == "graphic":
        return view == "front"
    if key.startswith("scarf.") and view == "back":
        return person.hair.type != "long" and headwear != "headscarf"
    return True
