"""Garments lie where their colour is seen, and not where something covers them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pedestrians.test_rendering import studio
from tests.pedestrians.test_writer import digest
from tireid.pedestrians import (
    GARMENTS,
    PALETTE,
    Item,
    Lower,
    Person,
    Upper,
    garment_map,
    read_garment_map,
    render,
    write_dataset,
)
from tireid.pedestrians.people import VIEWS

WORN = {"headwear": "teal", "upper": "orange", "lower": "green", "shoes": "purple", "bag": "yellow"}
PERSON = Person(
    "woman", "adult", "average", 2, Item("short", "black"), False, Item("cap", WORN["headwear"]),
    Upper("sweater", WORN["upper"]), Lower("trousers", WORN["lower"]), Item("boots", WORN["shoes"]),
    Item("backpack", WORN["bag"]),
)  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_a_garment_is_where_its_colour_is_seen(view: str) -> None:
    conditions = studio(view)
    picture, found = np.asarray(render(PERSON, conditions), float), garment_map(PERSON, conditions)
    assert (found.shape, found.dtype) == ((192, 64), np.uint8)
    for number, part in enumerate(GARMENTS, 1):
        seen = np.abs(picture - PALETTE[WORN[part]]).max(axis=2) < 24
        mask = found == number
        assert seen.sum() > 30
        assert (seen & mask).sum() > 0.97 * seen.sum(), part  # no garment outside its mask
        assert (seen & mask).sum() > 0.5 * mask.sum(), part  # outlines and shades take the rest


def test_what_covers_a_garment_is_not_the_garment() -> None:
    clear = replace(studio("front"), shift=(0.0, 0.0), scale=0.9)
    blocked = replace(clear, occluder="car", occluder_at=0.0, occluder_size=0.45)
    found, left = garment_map(PERSON, clear), garment_map(PERSON, blocked)
    covered = np.abs(np.subtract(render(PERSON, clear), render(PERSON, blocked), dtype=int)).max(axis=2) > 8
    assert (covered & (found > 0)).sum() > 100
    assert (left[covered] > 0).mean() < 0.02
    np.testing.assert_array_equal(left[~covered], found[~covered])


def test_a_dress_has_no_lower_garment_and_nobody_wears_what_they_do_not() -> None:
    bare = replace(PERSON, upper=Upper("dress", "red", "striped", "white"), lower=None, headwear=None, bag=None)
    assert set(np.unique(garment_map(bare, studio("front")))) == {0, 2, 4}


def test_masks_are_written_beside_the_same_pictures(tmp_path: Path) -> None:
    options = {"people": (1, 1, 1), "images_per_person": 2}
    without, folder = (write_dataset(tmp_path / str(len(masks)), masks=masks, **options) for masks in ([], ["test"]))
    files, more = digest(without), digest(folder)
    assert {name: more[name] for name in files if name != "generator.json"} == {
        name: value for name, value in files.items() if name != "generator.json"
    }
    records = json.loads((folder / "reid_raw.json").read_text(encoding="utf-8"))
    pictures = [folder / "imgs" / record["file_path"] for record in records if record["split"] == "test"]
    assert len(pictures) == len(list((folder / "masks").rglob("*.png"))) == 2
    for picture in pictures:
        assert 2 in read_garment_map(picture)
    next((folder / "masks").rglob("*.png")).unlink()
    assert digest(write_dataset(folder.parent, masks=["test"], **options)) == more
    with pytest.raises(FileNotFoundError, match="masks="):
        read_garment_map(next((without / "imgs").rglob("*.jpg")))
    with pytest.raises(FileNotFoundError, match="not of a generated data set"):
        read_garment_map("elsewhere.jpg")
    with pytest.raises(ValueError, match="masks must name"):
        write_dataset(tmp_path / "bad", masks=["exam"], **options)
