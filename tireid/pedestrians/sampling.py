"""Random people: how likely each attribute is.

Garments go with the season and, loosely, with each other, so that people look plausible, and common things (black
trousers, white shirts) are common, so that they get confused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tireid.pedestrians.people import PALETTE, SKIN_TONES, Item, Lower, Person, Upper

GARMENT_COLOURS: dict[str, float] = {
    "black": 15, "white": 11, "grey": 10, "blue": 8, "navy": 8, "red": 8, "beige": 6, "brown": 5, "green": 5,
    "pink": 5, "yellow": 4, "light blue": 5, "orange": 4, "purple": 4, "maroon": 4, "olive": 4, "teal": 4,
}  # fmt: skip
LOWER_COLOURS: dict[str, float] = {
    "black": 24, "navy": 12, "grey": 12, "blue": 8, "beige": 9, "brown": 7, "white": 6, "olive": 6, "red": 3,
    "green": 3, "maroon": 3, "pink": 2, "light blue": 3, "purple": 2,
}  # fmt: skip
DENIM_COLOURS: dict[str, float] = {"blue": 9, "light blue": 5, "navy": 5, "black": 4, "grey": 2, "white": 1}
SHOE_COLOURS: dict[str, float] = {
    "black": 10, "white": 9, "brown": 5, "grey": 4, "red": 2, "blue": 2, "navy": 2, "beige": 2, "pink": 1, "green": 1,
    "yellow": 1, "orange": 1,
}  # fmt: skip
LEATHER_COLOURS: dict[str, float] = {"black": 6, "brown": 5, "beige": 2, "red": 1, "grey": 1, "maroon": 1}

UPPERS: dict[str, dict[str, float]] = {
    "summer": {"t-shirt": 9, "tank top": 3, "polo shirt": 3, "shirt": 4, "dress": 4},
    "mild": {"shirt": 4, "sweater": 4, "hoodie": 4, "jacket": 5, "blazer": 3, "cardigan": 3, "t-shirt": 3, "dress": 2,
             "vest": 2},
    "winter": {"coat": 6, "puffer jacket": 6, "jacket": 3, "sweater": 3, "hoodie": 2, "vest": 2},
}  # fmt: skip
LOWERS: dict[str, dict[str, float]] = {
    "summer": {"shorts": 7, "jeans": 4, "trousers": 3, "skirt": 4, "long skirt": 2, "leggings": 1},
    "mild": {"jeans": 7, "trousers": 6, "sweatpants": 3, "skirt": 3, "long skirt": 1.5, "leggings": 2, "shorts": 1},
    "winter": {"jeans": 7, "trousers": 6, "sweatpants": 3, "leggings": 2, "long skirt": 1},
}
SHOES: dict[str, dict[str, float]] = {
    "summer": {"sneakers": 8, "sandals": 5, "leather shoes": 1, "high heels": 1.5, "flats": 1.5},
    "mild": {"sneakers": 8, "leather shoes": 4, "boots": 2, "high heels": 2, "flats": 2},
    "winter": {"sneakers": 5, "boots": 7, "leather shoes": 3},
}
WOMENS = frozenset({"dress", "skirt", "long skirt", "leggings", "high heels", "flats", "handbag", "headscarf"})
OPEN_GARMENTS = frozenset({"jacket", "blazer", "coat", "cardigan"})
PATTERNS: dict[str, dict[str, float]] = {
    "t-shirt": {"plain": 7, "graphic": 5, "striped": 4, "colour-block": 1, "dotted": 1},
    "tank top": {"plain": 6, "graphic": 1, "striped": 2},
    "polo shirt": {"plain": 6, "striped": 3, "colour-block": 2},
    "shirt": {"plain": 7, "checked": 6, "striped": 2, "dotted": 1},
    "sweater": {"plain": 7, "striped": 4, "colour-block": 2, "dotted": 1},
    "hoodie": {"plain": 7, "graphic": 4, "colour-block": 2},
    "jacket": {"plain": 8, "colour-block": 2, "checked": 1},
    "blazer": {"plain": 8, "checked": 1},
    "puffer jacket": {"plain": 8, "colour-block": 2},
    "coat": {"plain": 9, "checked": 1},
    "vest": {"plain": 1},
    "cardigan": {"plain": 6, "striped": 1},
    "dress": {"plain": 5, "dotted": 3, "striped": 2, "checked": 1},
}


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
    gender = pick(rng, {"man": 1, "woman": 1})
    age = pick(rng, {"child": 1.2, "adult": 10, "elderly": 1.6})
    season = pick(rng, {"summer": 4, "mild": 4, "winter": 3})
    hair, beard = _sample_hair(rng, gender, age)
    upper = _sample_upper(rng, gender, season)
    lower = None if upper.type == "dress" else _sample_lower(rng, gender, season)
    shoes = _sample_shoes(rng, gender, age, season)
    bag = _sample_bag(rng, gender, age)
    return Person(
        gender=gender,
        age=age,
        build=pick(rng, {"slim": 2, "average": 4, "heavy": 1.6}),
        skin=int(rng.integers(len(SKIN_TONES))),
        hair=hair,
        beard=beard,
        headwear=_sample_headwear(rng, gender, season),
        upper=upper,
        lower=lower,
        shoes=shoes,
        bag=bag,
        accessories=_sample_accessories(rng, season, upper, lower, bag),
    )


def _sample_hair(rng: np.random.Generator, gender: str, age: str) -> tuple[Item, bool]:
    if gender == "woman":
        style = pick(rng, {"long": 6, "ponytail": 4, "bob": 3, "bun": 2, "short": 1, "curly": 2})
    else:
        bald = {"child": 0.0, "adult": 1.2, "elderly": 3}[age]
        style = pick(rng, {"short": 8, "curly": 1.5, "bald": bald, "long": 0.5, "bun": 0.2})
    young: dict[str, float] = {"black": 6, "brown": 5, "blonde": 3, "red": 1}
    colours: dict[str, float] = {"grey": 1, "white": 1} if age == "elderly" else young
    beard = gender == "man" and age != "child" and _chance(rng, 0.22)
    return Item(style, pick(rng, colours)), beard


def _sample_upper(rng: np.random.Generator, gender: str, season: str) -> Upper:
    kind = pick(rng, _for(gender, UPPERS[season]))
    colour = pick(rng, GARMENT_COLOURS)
    pattern = pick(rng, PATTERNS[kind])
    second = None
    if pattern != "plain":
        second = pick(rng, {key: weight for key, weight in GARMENT_COLOURS.items() if _contrast(key, colour)})
    if kind == "tank top":
        sleeve = "none"
    elif kind in ("t-shirt", "polo shirt"):
        sleeve = "long" if kind == "t-shirt" and season == "mild" else "short"
    elif kind == "dress":
        sleeve = pick(rng, {"short": 3, "none": 2, "long": 2} if season == "summer" else {"long": 3, "short": 1})
    elif kind == "shirt":
        sleeve = pick(rng, {"short": 2, "long": 1}) if season == "summer" else "long"
    else:
        sleeve = "long"
    inner = None
    if kind == "vest" or (kind in OPEN_GARMENTS and _chance(rng, 0.6)):
        inner = pick(rng, {key: weight for key, weight in GARMENT_COLOURS.items() if _contrast(key, colour)})
    return Upper(kind, colour, pattern, second, sleeve, inner)


def _contrast(one: str, other: str) -> bool:
    difference = np.abs(np.subtract(PALETTE[one], PALETTE[other])).sum()
    return bool(difference > 170)


def _sample_lower(rng: np.random.Generator, gender: str, season: str) -> Lower:
    kind = pick(rng, _for(gender, LOWERS[season]))
    denim = kind == "jeans" or (kind == "shorts" and _chance(rng, 0.3))
    colour = pick(rng, DENIM_COLOURS if denim else LOWER_COLOURS)
    pattern, second = "plain", None
    if kind == "sweatpants" and _chance(rng, 0.5):
        pattern, second = "side stripe", "white" if _contrast("white", colour) else "black"
    elif kind in ("skirt", "trousers", "long skirt") and _chance(rng, 0.14):
        pattern = "checked"
        second = pick(rng, {key: weight for key, weight in GARMENT_COLOURS.items() if _contrast(key, colour)})
    return Lower(kind, colour, pattern, second)


def _sample_shoes(rng: np.random.Generator, gender: str, age: str, season: str) -> Item:
    kinds = _for(gender, SHOES[season])
    if age == "child":
        kinds = {key: weight for key, weight in kinds.items() if key not in ("high heels", "leather shoes")}
    kind = pick(rng, kinds)
    plain = kind in ("boots", "leather shoes", "sandals")
    return Item(kind, pick(rng, LEATHER_COLOURS if plain else SHOE_COLOURS))


def _sample_bag(rng: np.random.Generator, gender: str, age: str) -> Item | None:
    kinds = {"none": 8, "backpack": 5, "shoulder bag": 4, "handbag": 3, "tote bag": 2, "suitcase": 1, "shopping bag": 1}
    if age == "child":
        kinds = {"none": 6, "backpack": 6}
    kind = pick(rng, _for(gender, kinds))
    if kind == "none":
        return None
    colours = {"white": 4, "beige": 2, "red": 1, "yellow": 1, "green": 1} if kind == "shopping bag" else GARMENT_COLOURS
    return Item(kind, pick(rng, colours))


def _sample_headwear(rng: np.random.Generator, gender: str, season: str) -> Item | None:
    kinds = {
        "summer": {"none": 14, "cap": 4, "hat": 2, "headscarf": 0.6},
        "mild": {"none": 15, "cap": 3, "hat": 1, "helmet": 0.7, "headscarf": 0.7},
        "winter": {"none": 9, "beanie": 5, "cap": 1, "headscarf": 0.6},
    }[season]
    kind = pick(rng, _for(gender, kinds))
    return None if kind == "none" else Item(kind, pick(rng, GARMENT_COLOURS))


def _sample_accessories(
    rng: np.random.Generator, season: str, upper: Upper, lower: Lower | None, bag: Item | None
) -> tuple[Item, ...]:
    found: list[Item] = []
    if _chance(rng, {"summer": 0.02, "mild": 0.12, "winter": 0.4}[season]):
        found.append(Item("scarf", pick(rng, GARMENT_COLOURS)))
    eyes = pick(rng, {"none": 8, "glasses": 2, "sunglasses": 2 if season == "summer" else 0.7})
    if eyes != "none":
        found.append(Item(eyes, "black"))
    if _chance(rng, 0.08):
        found.append(Item("face mask", pick(rng, {"white": 3, "light blue": 3, "black": 3})))
    if _chance(rng, 0.08):
        found.append(Item("headphones", pick(rng, {"black": 3, "white": 2, "red": 1})))
    if upper.type in ("shirt", "blazer") and not found and _chance(rng, 0.25):
        found.append(Item("tie", pick(rng, {"red": 3, "blue": 3, "black": 2, "green": 1, "yellow": 1})))
    if lower and upper.type in ("shirt", "t-shirt", "polo shirt") and "skirt" not in lower.type and _chance(rng, 0.25):
        found.append(Item("belt", pick(rng, {"black": 3, "brown": 3, "white": 1})))
    held = pick(rng, {"none": 12, "umbrella": 1.2, "phone": 2.2, "cup": 1.5})
    if held != "none":
        colours: dict[str, dict[str, float]] = {
            "umbrella": GARMENT_COLOURS,
            "phone": {"black": 1},
            "cup": {"white": 3, "brown": 1, "green": 1},
        }
        found.append(Item(held, pick(rng, colours[held])))
    return tuple(found)
