"""A stranger's gallery is searched, but opens no picture outside the folder that the user names."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from tests.search.fakes import ColourModel, picture
from tireid.demo.collection import find, open_demo
from tireid.search import Gallery
from tireid.search.database import Database
from tireid.search.names import Packed
from tireid.search.seal import FILE, NOTE, WITHHELD, is_sealed, seal
from tireid.search.shards import keep, merge


@pytest.fixture
def model() -> ColourModel:
    return ColourModel()


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A picture of the user's that nobody should see, beside what the stranger sent."""
    path = tmp_path / "private" / "red.png"
    path.parent.mkdir()
    picture("red").save(path)
    return path


@pytest.fixture
def their(tmp_path: Path) -> Path:
    folder = tmp_path / "their"
    folder.mkdir()
    picture("blue").save(folder / "blue.png")
    return folder


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Save as a stranger does, with a key of his own."""

    def save(save_, *args):
        with monkeypatch.context() as his:
            his.setenv("TIREID_CACHE", str(tmp_path / "his cache"))
            return save_(*args)

    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "my cache"))
    return save


def named(model: ColourModel, folder: Path, *names: str) -> Gallery:
    """With features as they are saved, whatever the names lead to."""
    gallery = Gallery(model, model.encode_texts(["red"] * len(names)), [folder / "x.png"] * len(names), root=folder)
    gallery._hold(model, gallery.index.features, [Packed.of(names)], None, None)
    return gallery


def drawn(hits, tmp_path: Path) -> int:
    """How many pictures the page of the hits holds, and each of the other faces too."""
    page = hits.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    count = page.count("<img")
    assert hits.show()._repr_mimebundle_()["text/html"].count("<img") == count
    assert sum(bool(axis.images) for axis in hits.figure().axes) == count
    return count


def test_a_stranger_s_names_open_nothing(model, private, their, elsewhere, tmp_path):
    """Absolute; through the root of the header; through `..`; by a link to a file, and to a folder."""
    (their / "link.png").symlink_to(private)
    (their / "door").symlink_to(private.parent)
    ways = [str(private), "../private/red.png", "link.png", "door/red.png", "./../private/red.png", "blue.png"]
    elsewhere(named(model, their, *ways).save, their)
    for root in (None, their):
        hits = Gallery.load(their, model, root=root).search("red", k=10)
        assert [hit.name for hit in hits] == sorted(ways)
        assert hits.notes[-1] == NOTE
        opened = [hit.path for hit in hits if WITHHELD not in str(hit.path)]
        assert opened == ([] if root is None else [their / "blue.png"])
        assert drawn(hits, tmp_path) == len(opened)
    assert NOTE in str(hits)


def test_the_header_s_root_is_not_followed(model, private, elsewhere, tmp_path):
    elsewhere(named(model, private.parent, "red.png").save, tmp_path / "gallery")
    gallery = Gallery.load(tmp_path / "gallery", model)
    assert gallery.root is None
    hits = gallery.search("red")
    assert (drawn(hits, tmp_path), hits.notes, hits[0].score > 0.9) == (0, (NOTE,), True)
    moved = Gallery.load(tmp_path / "gallery", model, root=private.parent)  # the user says so
    assert (drawn(moved.search("red"), tmp_path), moved.search("red").notes) == (1, ())
    again = Gallery.load(moved.save(tmp_path / "again"), model)  # saving it does not make it the user's
    assert drawn(again.search("red"), tmp_path) == 0


def test_a_gallery_of_one_s_own_names_what_it_likes(model, private, their, elsewhere, tmp_path):
    (their / "link.png").symlink_to(private)
    ways = [str(private), "../private/red.png", "link.png", "blue.png"]
    hits = Gallery.load(named(model, their, *ways).save(their), model).search("red")
    assert (drawn(hits, tmp_path), hits.notes) == (4, ())
    assert stat.S_IMODE((tmp_path / "my cache" / FILE).stat().st_mode) == 0o600


def test_names_or_root_of_a_sealed_file_cannot_be_changed(elsewhere):
    names, other = Packed.of(["a.jpg", "b.jpg"]), Packed.of(["a.jpgb", ".jpg"])
    mark = seal("/mine", names)
    assert is_sealed(mark, "/mine", names)
    for told, root, own in (
        (mark, "/yours", names),
        (mark, None, names),
        (mark, "/mine", other),
        (None, "/mine", names),
    ):
        assert not is_sealed(told, root, own)
    assert elsewhere(seal, "/mine", names) != mark


def test_without_a_key_nothing_is_one_s_own(elsewhere, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "file" / "below"))
    assert seal("/mine", None) is None
    assert not is_sealed(None, "/mine", None)


def test_one_stranger_s_shard_makes_the_gallery_his(model, private, their, elsewhere, tmp_path):
    keep(named(model, their, "blue.png"), tmp_path / "g/shard-0-of-2", half=False, graph=False)
    theirs = named(model, their, "../private/red.png")
    elsewhere(lambda: keep(theirs, tmp_path / "g/shard-1-of-2", half=False, graph=False))
    loaded = merge(their, tmp_path / "g", [0, 1], 2)
    loaded._model = model
    assert drawn(loaded.search("red"), tmp_path) == 0
    mine = Gallery.load(tmp_path / "g", model, root=their)
    assert drawn(mine.search("red"), tmp_path) == 1


def test_a_database_opens_what_lies_in_its_folder(model, private, their, elsewhere, tmp_path):
    pytest.importorskip("lancedb")
    gallery = named(model, their, str(private), "../private/red.png", "blue.png")
    elsewhere(Database.export, gallery, tmp_path / "his")
    Database.export(gallery, tmp_path / "mine")
    for uri, root, count in (("his", None, 0), ("his", their, 1), ("mine", None, 1)):
        hits = Database.open(tmp_path / uri, model, root=root).search("red")
        assert drawn(hits, tmp_path) == count
        assert hits.notes[-1] == NOTE


def test_the_demo_shows_boxes_and_no_page_of_a_stranger(private, elsewhere, tmp_path):
    from tireid import TIReID

    model = TIReID.from_pretrained("tiny")
    folder = tmp_path / "gallery"
    elsewhere(Gallery(model, np.eye(1, 128), [private]).save, folder)
    (folder / "first.html").write_text("<script>alert(1)</script>", encoding="utf-8")
    found = find(folder, "tiny")
    assert "alert" not in found.preview
    here = Path.cwd()
    for root, count in ((None, 0), (private.parent, 1)):
        found = find(folder, "tiny", root)
        demo = open_demo(str(found.gallery), "tiny", False, str(here), found.root and str(found.root))
        page = demo.save_html(tmp_path / "demo.html").read_text(encoding="utf-8")
        assert page.count("<img") == count
        assert (NOTE in page) == (NOTE in demo.bar.status.value) == (count == 0)
    with pytest.raises(ValueError, match="--root is the folder of a saved gallery"):
        find(private.parent, "tiny", private.parent)
