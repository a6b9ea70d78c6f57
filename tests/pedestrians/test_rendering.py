"""Pictures show what the attributes say: colours are proved by looking at pixels that a change of colour changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tireid.pedestrians import (
    PALETTE,
    Conditions,
    Item,
    Lower,
    Person,
    Upper,
    contact_sheet,
    hidden_parts,
    render,
    sample_conditions,
    sample_person,
    visible,
)
from tireid.pedestrians.people import VIEWS

NEUTRAL = {
    "light": 1.0, "side_light": 0.0, "contrast": 1.0, "cast": (1.0, 1.0, 1.0), "resolution": 1.0, "blur": 0.0,
    "motion": 0, "noise": 0.0, "occluder": None, "clutter": False,
}  # fmt: skip


def studio(view: str, seed: int = 0) -> Conditions:
    """Conditions of the studio that change no colour."""
    return replace(sample_conditions(np.random.default_rng(seed), "studio", 1), view=view, **NEUTRAL)


def pixels(person: Person, conditions: Conditions) -> np.ndarray:
    return np.asarray(render(person, conditions), dtype=np.int64)


def changed(one: Person, other: Person, conditions: Conditions, threshold: int = 24) -> np.ndarray:
    """Mask of the pixels in which two people differ."""
    return np.abs(pixels(one, conditions) - pixels(other, conditions)).max(axis=2) > threshold


def nearest_name(colour: np.ndarray) -> str:
    """The palette's name nearest to an RGB colour (plain loop)."""
    best, name = 1e9, ""
    for candidate, value in PALETTE.items():
        distance = sum((float(a) - float(b)) ** 2 for a, b in zip(colour, value, strict=True))
        if distance < best:
            best, name = distance, candidate
    return name


def other_colour(colour: str) -> str:
    """A colour far from `colour`."""
    return max(PALETTE, key=lambda name: sum((a - b) ** 2 for a, b in zip(PALETTE[name], PALETTE[colour], strict=True)))


def plain_person(**parts: object) -> Person:
    person = Person(
        "man", "adult", "average", 1, Item("short", "brown"), False, None, Upper("t-shirt", "white", sleeve="short"),
        Lower("trousers", "black"), Item("sneakers", "red"), None,
    )  # fmt: skip
    return replace(person, **parts)


def garment_colour(person: Person, recoloured: Person, conditions: Conditions) -> np.ndarray:
    """Median colour of the pixels that belong to what was recoloured."""
    where = changed(person, recoloured, conditions)
    assert where.sum() > 40
    return np.median(pixels(person, conditions)[where], axis=0)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("colour", list(PALETTE))
def test_garments_have_the_colour_of_their_name(colour: str, view: str) -> None:
    other = other_colour(colour)
    pairs = [
        (plain_person(upper=Upper("sweater", colour)), plain_person(upper=Upper("sweater", other))),
        (plain_person(lower=Lower("trousers", colour)), plain_person(lower=Lower("trousers", other))),
        (plain_person(bag=Item("tote bag", colour)), plain_person(bag=Item("tote bag", other))),
        (plain_person(shoes=Item("boots", colour)), plain_person(shoes=Item("boots", other))),
    ]
    for person, recoloured in pairs:
        assert nearest_name(garment_colour(person, recoloured, studio(view))) == colour


def recolour(person: Person, key: str) -> Person:
    """The person with the colour `key` ("upper.inner", "scarf.colour", ...) changed to a very different one."""
    part, _, field = key.partition(".")
    if part in ("upper", "lower", "shoes", "bag", "headwear"):
        item = getattr(person, part)
        return replace(person, **{part: replace(item, **{field: other_colour(getattr(item, field))})})
    items = tuple(replace(i, colour=other_colour(i.colour)) if i.type == part else i for i in person.accessories)
    return replace(person, accessories=items)


def coloured_keys(person: Person) -> list[str]:
    keys = ["upper.colour", "shoes.colour"]
    keys += ["upper.second"] if person.upper.second else []
    keys += ["upper.inner"] if person.upper.inner else []
    keys += ["lower.colour"] if person.lower else []
    keys += ["bag.colour"] if person.bag else []
    keys += ["headwear.colour"] if person.headwear else []
    black = ("glasses", "sunglasses", "phone")
    return keys + [f"{item.type}.colour" for item in person.accessories if item.type not in black]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_called_visible_changes_pixels_and_nothing_else_does(seed: int) -> None:
    person = sample_person(np.random.default_rng(seed))
    for view in VIEWS:
        conditions = studio(view, seed)
        for key in coloured_keys(person):
            count = int(changed(person, recolour(person, key), conditions).sum())
            assert (count >= 8) == (key in visible(person, [view])), (key, view, count)


@pytest.mark.parametrize(
    "kind", ["face mask", "glasses", "sunglasses", "phone", "headphones", "umbrella", "tie", "cup"]
)
def test_accessories_are_drawn_where_visible_says(kind: str) -> None:
    bare = plain_person(upper=Upper("shirt", "white"))
    if kind in ("phone", "cup"):  # the raised arm alone already changes the picture: compare with another held thing
        bare = replace(bare, accessories=(Item({"phone": "cup", "cup": "phone"}[kind], "black"),))
    person = replace(bare, accessories=(Item(kind, "black"),))
    for view in VIEWS:
        drawn = changed(bare, person, studio(view)).sum() >= 8
        assert drawn == (f"{kind}.type" in visible(person, [view])), (kind, view)


def test_backpack_shows_its_body_from_behind_and_its_straps_from_the_front() -> None:
    person, recoloured = (plain_person(bag=Item("backpack", colour)) for colour in ("red", "blue"))
    area = {view: int(changed(person, recoloured, studio(view)).sum()) for view in VIEWS}
    assert area["back"] > 2.5 * area["front"] > 0
    assert area["left"] > area["front"]


def test_a_t_shirt_bares_the_arms_and_a_coat_reaches_lower_than_a_jacket() -> None:
    skin = [changed(plain_person(upper=u), plain_person(upper=u, skin=5), studio("front")).sum()
            for u in (Upper("t-shirt", "white", sleeve="short"), Upper("sweater", "white"))]  # fmt: skip
    assert skin[0] > 1.4 * skin[1]
    lowest = []
    for kind in ("jacket", "coat"):
        one, other = (plain_person(upper=Upper(kind, colour)) for colour in ("red", "blue"))
        lowest.append(np.flatnonzero(changed(one, other, studio("front")).any(axis=1)).max())
    assert lowest[1] > lowest[0] + 15


def test_street_pictures_keep_enough_of_the_colour() -> None:
    """Looser than the studio: a garment's colour stays nearer to its name's than to one far from it."""
    rng = np.random.default_rng(0)
    hits = []
    for i in range(60):
        person = sample_person(rng)
        conditions = replace(sample_conditions(rng, "street", 1 + i % 8), occluder=None)
        colour, far = person.upper.colour, other_colour(person.upper.colour)
        where = changed(person, replace(person, upper=replace(person.upper, colour=far)), conditions, 40)
        if where.sum() < 40:
            continue
        median = np.median(pixels(person, conditions)[where], axis=0)
        own, other = (np.square(median - PALETTE[name]).sum() for name in (colour, far))
        hits.append(own < other)
    assert len(hits) > 40
    assert np.mean(hits) > 0.9


def test_hidden_parts_match_the_pixels_that_an_occluder_takes() -> None:
    """Recolouring a part that is said to be hidden changes under half of the pixels it changes without the occluder."""
    rng = np.random.default_rng(4)
    checked = agreed = 0
    for i in range(40):
        person = sample_person(rng)
        sampled = sample_conditions(rng, "street", 1 + i % 8)
        clear = replace(sampled, **NEUTRAL, shift=(0.0, 0.0), scale=0.9)
        blocked = replace(clear, occluder=("car", "bush", "border", "pole")[i % 4])
        for key in ("shoes.colour", "upper.colour", "lower.colour"):
            if key == "lower.colour" and person.lower is None:
                continue
            full = changed(person, recolour(person, key), clear).sum()
            share = changed(person, recolour(person, key), blocked).sum() / max(full, 1)
            hidden = key.split(".")[0] in hidden_parts(person, blocked)
            checked += 1
            agreed += hidden == (share < 0.5)
    assert checked > 100
    assert agreed / checked > 0.93


def test_rendering_is_a_pure_function_of_person_and_conditions() -> None:
    rng = np.random.default_rng(1)
    person, conditions = sample_person(rng), sample_conditions(rng, "street", 3)
    picture = render(person, conditions)
    assert picture.tobytes() == render(person, conditions).tobytes()
    assert (picture.size, picture.mode) == ((64, 192), "RGB")
    assert picture.tobytes() != render(person, replace(conditions, seed=conditions.seed + 1)).tobytes()
    assert render(person, conditions, size=(384, 128)).size == (128, 384)


def test_left_is_right_mirrored() -> None:
    person = plain_person(bag=Item("backpack", "red"))
    conditions = replace(studio("right"), shift=(0.0, 0.0), lean=0.0)
    right, left = (pixels(person, replace(conditions, view=view)) for view in ("right", "left"))
    different = np.abs(right - left[:, ::-1]).max(axis=2) > 60
    assert different.mean() < 0.02
    assert (np.abs(right - left).max(axis=2) > 60).mean() > 0.05


def test_contact_sheet_places_every_picture() -> None:
    colours = [["red", "blue"], ["green"]]
    rows = [[Image.new("RGB", (64, 192), PALETTE[name]) for name in row] for row in colours]
    page = np.asarray(contact_sheet(rows, labels=["one", "two"]))
    for i, row in enumerate(colours):
        for j, name in enumerate(row):
            inside = page[4 + i * (192 + 18) + 14 : 4 + i * (192 + 18) + 14 + 192, 4 + j * 68 : 4 + j * 68 + 64]
            assert (inside == PALETTE[name]).all()
    with pytest.raises(ValueError, match="at least one row"):
        contact_sheet([])
    with pytest.raises(ValueError, match="2 rows but 1 labels"):
        contact_sheet(rows, labels=["one"])
