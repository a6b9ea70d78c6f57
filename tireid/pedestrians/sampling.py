"""Random people: how likely each attribute is, as the tables of `sampling.yaml` have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tireid.basics.yaml import read_yaml
from tireid.pedestrians.people import PALETTE, SKIN_TONES, Item, Lower, Person, Upper

TABLES: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yaml"))
GARMENT_COLOURS: dict[str, float] = TABLES["colour"]["garment"]
WOMENS = frozenset({"dress", "skirt", "long skirt", "leggings", "high heels", "flats", "handbag", "headscarf"})
OPEN_GARMENTS = frozenset({"jacket", "blazer", "coat", "cardigan"})


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """A key, with probability proportional to its weight."""
    point = float(rng.random()) * sum(weights.values())
    for key, weight in weights.items():
        point -= weight
        if point < 0:
            return key
    return key


def _chance(rng: np.random.Generator, probability: float) -> bool:
    return bool(rng.random() < probability)


def _for(gender: str, weights: Mapping[str, float]) -> dict[str, float]:
    return {key: weight for key, weight in weights.items() if gender == "woman" or key not in WOMENS}


def sample_person(rng: np.random.Generator) -> Person:
    """A random person.

    >>> person = sample_person(np.random.default_rng(0))
    >>> person == sample_person(np.random.default_rng(0))
    True
    """
    gender = pick(rng, TABLES["gender"])
    age = pick(rng, TABLES["age"])
    season = pick(rng, TABLES["season"])
    hair, beard = _sample_hair(rng, gender, age)
    upper = _sample_upper(rng, gender, season)
    lower = None if upper.type == "dress" else _sample_lower(rng, gender, season)
    shoes = _sample_shoes(rng, gender, age, season)
    bag = _optional(rng, _for(gender, TABLES["bag"]["child" if age == "child" else "adult"]))
    return Person(
        gender=gender,
        age=age,
        build=pick(rng, TABLES["build"]),
        skin=int(rng.integers(len(SKIN_TONES))),
        hair=hair,
        beard=beard,
        headwear=_optional(rng, _for(gender, TABLES["headwear"][season])),
        upper=upper,
        lower=lower,
        shoes=shoes,
        bag=bag,
        accessories=_sample_accessories(rng, season, upper, lower, bag),
    )


def _sample_hair(rng: np.random.Generator, gender: str, age: str) -> tuple[Item, bool]:
    style = pick(rng, TABLES["hair"]["woman" if gender == "woman" else age])
    colours = TABLES["hair colour"]["elderly" if age == "elderly" else "young"]
    beard = gender == "man" and age != "child" and _chance(rng, 0.22)
    return Item(style, pick(rng, colours)), beard


def _sample_upper(rng: np.random.Generator, gender: str, season: str) -> Upper:
    kind = pick(rng, _for(gender, TABLES["upper"][season]))
    colour = pick(rng, GARMENT_COLOURS)
    pattern = pick(rng, TABLES["pattern"][kind])
    second = None if pattern == "plain" else _contrasting(rng, colour)
    if kind == "tank top":
        sleeve = "none"
    elif kind in ("t-shirt", "polo shirt"):
        sleeve = "long" if kind == "t-shirt" and season == "mild" else "short"
    elif kind == "dress":
        sleeve = pick(rng, TABLES["sleeve"]["summer dress" if season == "summer" else "dress"])
    elif kind == "shirt":
        sleeve = pick(rng, TABLES["sleeve"]["summer shirt"]) if season == "summer" else "long"
    else:
        sleeve = "long"
    inner = None
    if kind == "vest" or (kind in OPEN_GARMENTS and _chance(rng, 0.6)):
        inner = _contrasting(rng, colour)
    return Upper(kind, colour, pattern, second, sleeve, inner)


def _contrasting(rng: np.random.Generator, colour: str) -> str:
    return pick(rng, {key: weight for key, weight in GARMENT_COLOURS.items() if _contrast(key, colour)})


def _contrast(one: str, other: str) -> bool:
    difference = np.abs(np.subtract(PALETTE[one], PALETTE[other])).sum()
    return bool(difference > 170)


def _sample_lower(rng: np.random.Generator, gender: str, season: str) -> Lower:
    kind = pick(rng, _for(gender, TABLES["lower"][season]))
    denim = kind == "jeans" or (kind == "shorts" and _chance(rng, 0.3))
    colour = pick(rng, TABLES["colour"]["denim" if denim else "lower"])
    pattern, second = "plain", None
    if kind == "sweatpants" and _chance(rng, 0.5):
        pattern, second = "side stripe", "white" if _contrast("white", colour) else "black"
    elif kind in ("skirt", "trousers", "long skirt") and _chance(rng, 0.14):
        pattern, second = "checked", _contrasting(rng, colour)
    return Lower(kind, colour, pattern, second)


def _sample_shoes(rng: np.random.Generator, gender: str, age: str, season: str) -> Item:
    kinds = _for(gender, TABLES["shoes"][season])
    if age == "child":
        kinds = {key: weight for key, weight in kinds.items() if key not in ("high heels", "leather shoes")}
    kind = pick(rng, kinds)
    plain = kind in ("boots", "leather shoes", "sandals")
    return Item(kind, pick(rng, TABLES["colour"]["leather" if plain else "shoes"]))


def _optional(rng: np.random.Generator, kinds: Mapping[str, float]) -> Item | None:
    """A thing of one of these kinds, of which "none" is one."""
    kind = pick(rng, kinds)
    return None if kind == "none" else _coloured(rng, kind)


def _coloured(rng: np.random.Generator, kind: str) -> Item:
    """A thing of this kind, in a colour of its own table or of garments."""
    return Item(kind, pick(rng, TABLES["colour"].get(kind, GARMENT_COLOURS)))


def _sample_accessories(
    rng: np.random.Generator, season: str, upper: Upper, lower: Lower | None, bag: Item | None
) -> tuple[Item, ...]:
    found: list[Item] = []
    if _chance(rng, TABLES["scarf"][season]):
        found.append(_coloured(rng, "scarf"))
    eyes = pick(rng, TABLES["eyes"]["summer" if season == "summer" else "other"])
    if eyes != "none":
        found.append(Item(eyes, "black"))
    found += [_coloured(rng, kind) for kind in ("face mask", "headphones") if _chance(rng, 0.08)]
    if upper.type in ("shirt", "blazer") and not found and _chance(rng, 0.25):
        found.append(_coloured(rng, "tie"))
    if lower and upper.type in ("shirt", "t-shirt", "polo shirt") and "skirt" not in lower.type and _chance(rng, 0.25):
        found.append(_coloured(rng, "belt"))
    held = _optional(rng, TABLES["held"])
    return (*found, held) if held else tuple(found)
