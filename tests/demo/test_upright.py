"""What shows a picture turns it as it was encoded: one's own upright, those of the published data sets not at all."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.demo.test_demo import Painted
from tests.search.fakes import ColourModel
from tireid.data.dataset import Record, Split
from tireid.demo.closer import large
from tireid.demo.source import Place
from tireid.explain.where import hiding_heat
from tireid.interactive import RetrievalDemo
from tireid.model import TIReID
from tireid.search import Gallery, GalleryError
from tireid.search.storage import FILE, KEY, MANIFEST

STORED, TURNED = (32, 96), (96, 32)
"""Width and height of the pictures of :func:`split` as their files hold them, and turned as EXIF says."""
SIZES = pytest.mark.parametrize(("upright", "size"), [(False, STORED), (True, TURNED)], ids=["published", "own"])


def split(folder: Path, upright: bool) -> Split:
    """Two people, whose pictures say that they are to be turned a quarter."""
    turned, records = Image.Exif(), []
    turned[0x0112] = 6
    for person, colour in enumerate(("red", "blue")):
        Image.new("RGB", STORED, colour).save(folder / f"{colour}.jpg", exif=turned)
        caption = ("a man in blue", "a man in red")[person]  # wrong ones: both are failures
        records.append(Record(folder / f"{colour}.jpg", person, (caption,), "test"))
    return Split("test", tuple(records), upright)


def sizes(html: str, kind: str = "jpeg") -> set[tuple[int, int]]:
    """(width, height) of the pictures that a page holds."""
    found = re.findall(rf"data:image/{kind};base64,([\w+/=]+)", html)
    return {Image.open(io.BytesIO(base64.b64decode(address))).size for address in found}


@pytest.fixture
def gallery(tmp_path: Path, upright: bool) -> Gallery:
    return Gallery.from_split(ColourModel(), split(tmp_path, upright))


@SIZES
def test_hits_show_what_was_encoded(gallery: Gallery, size: tuple[int, int], tmp_path: Path) -> None:
    for one in (gallery, gallery.half(), Gallery.load(gallery.save(tmp_path / "saved"), ColourModel())):
        hits = one.search("a man in red")
        assert sizes(hits.show().html) == {size}
        assert sizes(hits.save_html(tmp_path / "hits.html").read_text(encoding="utf-8")) == {size}
        assert {axes.images[0].get_array().shape[1::-1] for axes in hits.figure().axes if axes.images} == {size}


@SIZES
def test_a_database_shows_what_was_encoded(gallery: Gallery, size: tuple[int, int], tmp_path: Path) -> None:
    pytest.importorskip("lancedb")
    from tireid.search.database import Database

    Database.export(gallery, tmp_path / "base")
    found = Database.open(tmp_path / "base", ColourModel(), root=tmp_path).search("a man in red")
    assert sizes(found.show().html) == {size}


@SIZES
def test_an_upload_stands_upright_beside_any_gallery(gallery: Gallery, size: tuple[int, int], tmp_path: Path) -> None:
    hits = gallery.search(image=tmp_path / "red.jpg")
    asked, _, found = hits.show().html.partition('role="list"')
    assert (sizes(asked), sizes(found)) == ({TURNED}, {size})


@SIZES
def test_the_demo_shows_what_was_encoded(
    gallery: Gallery, upright: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    demo = RetrievalDemo(gallery, split=split(tmp_path, upright), state={"text": "a man in red"})
    assert sizes("".join(demo.grid.complete())) == {size}
    assert sizes(demo.preview()) == {size}
    demo._store.ask(basket=["red.jpg"])
    assert sizes("".join(demo.basket._cards())) == {size}
    *_, page = demo.basket.save(tmp_path / "kept")
    assert sizes(page.read_text(encoding="utf-8")) == {size}
    address, name = demo.map._look(0)
    assert (sizes(str(address)), name) == ({size}, "red.jpg")
    assert sizes(demo.failures._picture("red.jpg", "")) == {size}
    assert sizes(large(Place(gallery, 0), "red.jpg")) == {size}
    demo._store.ask(picture="red.jpg", find="image→image")
    assert sizes(demo.bar.queried.value) == {size}


@SIZES
def test_an_upload_stands_upright_in_the_demo(gallery: Gallery, size: tuple[int, int], tmp_path: Path) -> None:
    demo, content = RetrievalDemo(gallery, state={"text": "a man in red"}), (tmp_path / "red.jpg").read_bytes()
    demo.bar.photograph._handle_custom_msg({"name": "own.jpg", "others": []}, [memoryview(content)])
    assert sizes(demo.bar.queried.value) == {TURNED}
    assert sizes("".join(demo.grid.complete())) == {size}


class Seen(Painted):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels: list[torch.Tensor] = []

    def _encode(self, pixels: torch.Tensor) -> Any:
        self.pixels.append(pixels[0])
        return super()._encode(pixels)


@SIZES
def test_regions_are_computed_on_the_picture_that_was_encoded(
    upright: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    """And drawn on it: half a picture is red, the upper half as it is stored."""
    path, turned = tmp_path / "man.png", Image.Exif()
    turned[0x0112] = 6
    pixels = np.zeros((96, 32, 3), np.uint8)
    pixels[:48, :, 0] = 255
    Image.fromarray(pixels).save(path, exif=turned)
    model = Seen()
    demo = RetrievalDemo(Gallery(model, np.eye(2, dtype=np.float32)[:1], [path], upright=upright))
    demo._store.ask(text="a man in red")
    demo.grid.buttons[0].click()
    demo.why.closer.finish()
    red = model.pixels[-1][0] > 0
    assert red.float().mean() == pytest.approx(0.5, abs=0.05)
    # Turned a quarter clockwise, what was above is on the right.
    assert bool(red[:40].all()) is not upright
    assert bool(red[:, 20:].all()) is upright
    (width, height) = next(iter(sizes(demo.why.closer.pictures.value, "png")))
    assert (width > height) is (size == TURNED)


@SIZES
def test_an_older_gallery_is_shown_as_it_was(gallery: Gallery, size: tuple[int, int], tmp_path: Path) -> None:
    """Its file says nothing of orientations; every picture was shown upright."""
    file = gallery.save(tmp_path / "saved") / FILE
    rewrite(file, lambda header: header.pop("upright"))
    assert sizes(Gallery.load(tmp_path / "saved", ColourModel(), root=tmp_path).search("a man").show().html) == {TURNED}


def rewrite(file: Path, change: Any) -> None:
    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()[KEY])
    change(header)
    save_file(load_file(file), file, metadata={KEY: json.dumps(header)})


def test_shards_are_turned_alike(tmp_path: Path) -> None:
    places = ["shard-0-of-2", "shard-1-of-2"]
    for place, upright in zip(places, (True, False), strict=True):
        Gallery.from_split(ColourModel(), split(tmp_path, upright)).save(tmp_path / "saved" / place)
    (tmp_path / "saved" / MANIFEST).write_text(json.dumps({"format": 2, "shards": places}))
    with pytest.raises(GalleryError, match="turned otherwise"):
        Gallery.load(tmp_path / "saved")


@SIZES
def test_decoded_pictures_are_turned_as_their_split_says(upright: bool, size: tuple[int, int], tmp_path: Path) -> None:
    part = split(tmp_path, upright)
    gallery = Gallery.from_split(ColourModel(), part, images=[Image.new("RGB", (32, 96))] * 2)
    assert sizes(gallery.search("a man").show().html) == {size}
    assert Gallery.from_split(ColourModel(), replace(part, upright=not upright)).upright is not upright


def test_a_folder_is_one_s_own(tmp_path: Path) -> None:
    split(tmp_path, upright=False)
    gallery = Gallery.from_folder(ColourModel(), tmp_path)
    assert sizes(gallery.update().search("a man").show().html) == {TURNED}


def test_galleries_turned_otherwise_are_not_compared(tmp_path: Path) -> None:
    stored, turned = (Gallery.from_split(ColourModel(), split(tmp_path, upright)) for upright in (False, True))
    for gallery, other, words in (
        (stored, turned, "compare was encoded with pictures turned .*, the gallery with pictures as they are stored"),
        (turned, stored, "the gallery was encoded with pictures turned .*, compare with pictures as they are stored"),
    ):
        with pytest.raises(ValueError, match=words):
            RetrievalDemo(gallery, compare=other)
    assert RetrievalDemo(turned, compare=turned)


def test_a_map_is_of_the_picture_turned_as_asked(tmp_path: Path) -> None:
    path, exif = tmp_path / "man.png", Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 256, (96, 32, 3), np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)
    model = TIReID.from_pretrained("tiny")
    stored, turned = (hiding_heat(model, path, "a man in red", 3, upright=upright) for upright in (False, True))
    np.testing.assert_array_equal(stored, hiding_heat(model, pixels, "a man in red", 3))
    np.testing.assert_array_equal(turned, hiding_heat(model, np.rot90(pixels, -1).copy(), "a man in red", 3))
    assert not np.allclose(stored, turned)
