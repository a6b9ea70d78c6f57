"""What a saved gallery survives: damage, other writers, other layouts in memory, earlier versions."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from tests.search.fakes import ColourModel, picture
from tests.search.test_gallery import FeatureModel
from tireid.basics.files import file_digest
from tireid.search import Gallery, GalleryError, fingerprint
from tireid.search.features import unit_rows
from tireid.search.names import Packed
from tireid.search.storage import FILE


def numbered(features, tag: str = "", **options) -> Gallery:
    return Gallery(FeatureModel(), features, [f"/g/{tag}{i}.jpg" for i in range(len(features))], root="/g", **options)


@given(st.lists(st.text(st.characters(codec="utf-8")) | st.just("caf\udce9")))
def test_packed_texts_are_those_texts(texts):
    packed = Packed.of(texts)
    assert list(packed) == texts
    assert packed == texts
    assert packed[1:3] == texts[1:3]
    assert (packed == [*texts, ""]) is False
    for place in (len(texts), -len(texts) - 1):
        with pytest.raises(IndexError):
            packed[place]
    if texts:
        assert packed[-1] == texts[-1]


LAYOUTS = {
    "Fortran": np.asfortranarray,
    "transposed": lambda a: a.T.copy().T,
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1].copy()[::-1],
    "big-endian": lambda a: a.astype(">f4"),
    "double": lambda a: a.astype(np.float64),
    "tensor": torch.from_numpy,
    "transposed tensor": lambda a: torch.from_numpy(a.T.copy()).T,
    "bfloat16": lambda a: torch.from_numpy(a).bfloat16(),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_in_memory_is_saved_as_its_rows(layout, tmp_path):
    rows = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    given_rows = LAYOUTS[layout](rows)
    gallery = numbered(given_rows)
    loaded = Gallery.load(gallery.save(tmp_path), FeatureModel())
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(loaded.features, expected, atol=4e-3 if layout == "bfloat16" else 1e-6)
    np.testing.assert_array_equal(loaded.features, gallery.features)


def test_rows_of_length_one_are_neither_changed_nor_copied():
    rows = np.random.default_rng(0).normal(size=(100, 8))
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    assert np.shares_memory(unit_rows(unit).numpy(), unit)
    mixed = unit.copy()
    mixed[3] *= 2
    np.testing.assert_allclose(unit_rows(mixed), unit, atol=1e-7)
    np.testing.assert_array_equal(np.delete(unit_rows(mixed), 3, axis=0), np.delete(unit, 3, axis=0))
    assert mixed[3] @ mixed[3] == pytest.approx(4)


def test_half_precision_finds_by_the_features_that_it_holds(tmp_path):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(3000, 16))
    gallery = numbered(features)
    half = Gallery.load(gallery.half().save(tmp_path), FeatureModel())
    assert half.index.features.dtype == torch.float16
    size = (tmp_path / FILE).stat().st_size
    assert size < gallery.save(tmp_path / "whole").joinpath(FILE).stat().st_size - 1.9 * features.size
    held = half.features.astype(np.float64)
    for _ in range(20):
        query = rng.normal(size=16)
        text = " ".join(map(str, query))
        unit = np.array(text.split(), np.float32).astype(float)
        scores = held @ (unit / np.linalg.norm(unit))
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], half.names[i]))[:25]
        hits = half.search(text, k=25)
        assert [hit.row for hit in hits] == order
        assert [hit.score for hit in hits] == pytest.approx(scores[order], abs=1e-12)


def test_many_queries_are_those_queries_one_by_one():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(70_000, 3)).round(1)  # with ties, and more rows than a block
    features[~features.any(axis=1)] = 1
    people = np.arange(len(features)) % 7
    texts = [" ".join(map(str, rng.normal(size=3).round(1) + 0.01)) for _ in range(70)]
    for gallery in (numbered(features, person_ids=people), numbered(features, person_ids=people).half()):
        for filters in ({}, {"person_ids": [3]}):
            for text, hits in zip(texts[::9], gallery.search_many(texts, k=30, **filters)[::9], strict=True):
                alone = gallery.search(text, k=30, **filters)
                assert (hits.text, hits.among, hits.items) == (text, alone.among, alone.items)
    assert len(numbered(features[:2]).search_many(["1 0 0"], k=5)[0]) == 2
    with pytest.raises(ValueError, match="not empty"):
        gallery.search_many(["1 0 0", " "])


def test_damage_is_noticed(tmp_path):
    folder = numbered(np.random.default_rng(0).normal(size=(20, 4))).save(tmp_path / "index")
    file = folder / FILE
    whole = file.read_bytes()
    header = int.from_bytes(whole[:8], "little")
    for damaged in (b"", whole[:-1], whole[:50], whole + b"x", b"x" * 100, b"<html>" + whole):
        file.write_bytes(damaged)
        with pytest.raises(GalleryError, match=r"gallery\.safetensors is damaged"):
            Gallery.load(folder, FeatureModel())
    for place in (8 + header + 3, len(whole) - 3):  # one bit of a feature, one of a name or an end
        flipped = bytearray(whole)
        flipped[place] ^= 1
        file.write_bytes(flipped)
        with pytest.raises(GalleryError, match=r"not those that were written|end elsewhere"):
            Gallery.load(folder, FeatureModel())
    file.write_bytes(whole.replace(b'\\"format\\":2', b'\\"format\\":9'))
    with pytest.raises(GalleryError, match="has the format 9"):
        Gallery.load(folder, FeatureModel())
    file.unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"gallery\.safetensors is missing: .* is not a gallery; `tireid index FOLDER .*` makes one",
    ):
        Gallery.load(folder, FeatureModel())


@pytest.mark.parametrize(("name", "kind"), [("text", torch.bfloat16), ("ends", torch.float64)])
def test_names_of_another_kind_are_damage(name, kind, tmp_path):
    folder = numbered(np.eye(4)).save(tmp_path / "index")
    with safe_open(folder / FILE, framework="pt") as opened:
        tensors, notes = {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata()  # noqa: SIM118
    save_tensors(tensors | {name: tensors[name].to(kind)}, folder / FILE, notes)
    with pytest.raises(GalleryError, match=r"gallery\.safetensors is damaged \(ValueError: text and ends are"):
        Gallery.load(folder, FeatureModel())


@pytest.mark.parametrize("row", [[0, 0, 0], [float("nan"), 0, 1], [9, 0, 0]])
def test_features_of_another_length_are_refused(row, tmp_path):
    """Their pictures would be found first, or break the ranking."""
    features = np.eye(3, dtype=np.float32)[:2].copy()
    features[1] = row
    write_as_before(tmp_path / "old", FeatureModel(), features, ["a.jpg", "b.jpg"], "/g")
    try:
        told = repr(Gallery.load(tmp_path / "old", FeatureModel()))
    except GalleryError as error:
        told = str(error)
    assert "its features are not of length one" in told


def write_as_before(folder: Path, model, features, names: list[str], root: str) -> None:
    """The two files of the first format."""
    folder.mkdir()
    save_file({"features": features}, folder / "features.safetensors")
    content = {"format": 1, "model": fingerprint(model), "features": file_digest(folder / "features.safetensors")}
    content |= {"root": root, "paths": names, "person_ids": [4, 5], "cameras": [None, 2]}
    (folder / "gallery.json").write_text(json.dumps(content))


def test_galleries_of_the_first_format_are_read_and_replaced(tmp_path):
    folder = tmp_path / "old"
    write_as_before(folder, FeatureModel(), np.eye(3, dtype=np.float32)[:2], ["a.jpg", "caf\udce9.jpg"], "/g")
    old = Gallery.load(folder, FeatureModel(), root="/g")  # such a gallery does not tell who made it
    assert [(h.path, h.person_id, h.camera) for h in old.search("0 1 0.5")] == [
        (Path("/g/caf\udce9.jpg"), 5, 2),
        (Path("/g/a.jpg"), 4, None),
    ]
    old.save(folder)
    assert [path.name for path in folder.iterdir()] == [FILE]
    assert Gallery.load(folder, FeatureModel(), root="/g").table.equals(old.table)
    for file, content in (("gallery.json", "{}"), ("gallery.json", "[]"), ("features.safetensors", "x")):
        (folder / FILE).unlink(missing_ok=True)
        broken = tmp_path / f"broken {file} {content}"
        write_as_before(broken, FeatureModel(), np.eye(3, dtype=np.float32)[:2], ["a", "b"], "/g")
        (broken / file).write_text(content)
        with pytest.raises(GalleryError, match="index again"):
            Gallery.load(broken, FeatureModel())


@pytest.mark.parametrize("ids", ["[1e400, 1]", "[1.9, 1]", "[true, 1]", f"[{2**70}, 1]", '["1", 1]', "[" * 10**5])
def test_a_table_of_the_first_format_is_read_whole_or_refused(ids, tmp_path):
    folder = tmp_path / "old"
    write_as_before(folder, FeatureModel(), np.eye(3, dtype=np.float32)[:2], ["a.jpg", "b.jpg"], "/g")
    table = folder / "gallery.json"
    table.write_text(table.read_text().replace('"person_ids": [4, 5]', f'"person_ids": {ids}'))
    with pytest.raises(GalleryError, match=r"(?s)is damaged .*: index again"):
        Gallery.load(folder, FeatureModel())


def test_readers_never_see_two_saves_at_once(tmp_path):
    """Two writers save galleries whose names and features tell which one they are; readers check that they agree."""
    galleries = [numbered(np.roll(np.eye(64), i, axis=0), tag=f"{i} ") for i in range(2)]
    galleries[0].save(tmp_path)
    stop = threading.Event()

    def write(gallery: Gallery) -> None:
        while not stop.is_set():
            gallery.save(tmp_path)

    writers = [threading.Thread(target=write, args=(gallery,)) for gallery in galleries]
    for writer in writers:
        writer.start()
    seen: set[int] = set()
    reads: list[bool] = []
    until = time.monotonic() + 60
    try:
        while (seen != {0, 1} or len(reads) < 200) and time.monotonic() < until:
            loaded = Gallery.load(tmp_path, FeatureModel())
            seen.add(int(loaded.names[0][0]))
            reads.append(loaded.features[0].argmax() == galleries[int(loaded.names[0][0])].features[0].argmax())
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert all(reads)
    assert seen == {0, 1}
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


KILLED = """
import sys
from tests.search.test_storage import numbered
import numpy as np
while True:
    numbered(np.random.default_rng().normal(size=(20000, 64)), tag="new ").save(sys.argv[1])
    print("saved", flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_destroys_nothing(tmp_path):
    numbered(np.eye(64), tag="old ").save(tmp_path)
    for turn in range(10):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.02 * turn)
        process.kill()
        process.wait()
        assert Gallery.load(tmp_path, FeatureModel()).names[0] == "new 0.jpg"


def test_who_has_a_gallery_open_keeps_it(tmp_path):
    numbered(np.eye(8), tag="old ").save(tmp_path)
    loaded = Gallery.load(tmp_path, FeatureModel())
    numbered(np.eye(8)[::-1].copy(), tag="new ").save(tmp_path)
    assert loaded.search("1 0 0 0 0 0 0 0", k=1)[0].name == "old 0.jpg"
    loaded.save(tmp_path)
    assert Gallery.load(tmp_path, FeatureModel()).names[0] == "old 0.jpg"


def test_a_changed_folder_is_encoded_where_it_changed(tmp_path):
    crops, model = tmp_path / "crops", ColourModel()
    crops.mkdir()
    for name in ("a", "b", "c"):
        picture("red").save(crops / f"{name}.png")
    gallery = Gallery.load(Gallery.from_folder(model, crops).save(tmp_path / "index"), model)
    model.calls.clear()
    assert gallery.update().names == ["a.png", "b.png", "c.png"]
    assert model.calls == []
    (crops / "a.png").unlink()
    picture("blue", 40).save(crops / "b.png")
    picture("green").save(crops / "bb.png")
    newer = gallery.update()
    assert model.calls == [2], "one is new, one has changed"
    assert newer.names == ["b.png", "bb.png", "c.png"]
    np.testing.assert_array_equal(newer.features, Gallery.from_folder(model, crops).features)
    assert gallery.names == ["a.png", "b.png", "c.png"]
    for path in crops.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError):
        newer.update()
    with pytest.raises(ValueError, match="another model"):
        Gallery.from_folder(ColourModel(2.0), tmp_path / "crops", previous=gallery) if picture("red").save(
            crops / "x.png"
        ) is None else None
    with pytest.raises(ValueError, match="knows its folder"):
        numbered(np.eye(3)).update()


def test_a_gallery_names_its_model(tmp_path, monkeypatch):
    from tireid import TIReID

    for colour in ("red", "blue"):
        picture(colour).save(tmp_path / f"{colour}.png")
    model = TIReID.from_pretrained("tiny")
    folder = Gallery.from_folder(model, tmp_path).save(tmp_path / "index")
    loaded = Gallery.load(folder)
    monkeypatch.setattr(TIReID, "from_pretrained", lambda source: pytest.fail("not before a query needs it"))
    assert loaded.names == ["blue.png", "red.png"]
    loaded.save(tmp_path / "again")
    monkeypatch.undo()
    again = Gallery.load(tmp_path / "again")
    assert again.search("a man in red").items == Gallery.load(folder, model).search("a man in red").items
    street = TIReID.from_pretrained("tiny-street")
    street.source = "tiny"
    with pytest.raises(GalleryError, match="another model"):
        Gallery.load(Gallery.from_folder(street, tmp_path).save(tmp_path / "wrong")).search("a man")
    street.source = "somebody/model"
    with pytest.raises(GalleryError, match="'somebody/model' is not here"):
        Gallery.load(Gallery.from_folder(street, tmp_path).save(tmp_path / "hub")).search("a man")
    with pytest.raises(GalleryError, match="does not say where its model is"):
        Gallery.load(numbered(np.eye(3)).save(tmp_path / "fake")).search("1 0 0")


@pytest.mark.skipif(sys.platform != "linux", reason="there are no named pipes elsewhere")
def test_only_regular_files_are_opened(tmp_path):
    import os

    picture("red").save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    with pytest.warns(UserWarning, match=r"b\.png: not a re"):
        assert Gallery.from_folder(ColourModel(), tmp_path).names == ["a.png"]


def test_the_graph_finds_nearly_all_with_exact_scores(tmp_path):
    pytest.importorskip("usearch")
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(200, 32))
    features = np.repeat(centres, 20, axis=0) + 0.4 * rng.normal(size=(4000, 32))
    gallery = numbered(features)
    with pytest.raises(ValueError, match=r"no graph yet: `tireid index --graph`, or build_graph\(\)"):
        gallery.search("1 " * 32, approximate=True)
    folder = gallery.build_graph().save(tmp_path)
    loaded = Gallery.load(folder, FeatureModel())
    found = 0
    for row in range(0, 4000, 100):
        text = " ".join(map(str, (features[row] + 0.4 * rng.normal(size=32)).round(4)))
        exact, near = loaded.search(text, k=10), loaded.search(text, k=10, approximate=True)
        scores = {hit.name: hit.score for hit in loaded.search(text, k=4000)}
        assert all(hit.score == scores[hit.name] for hit in near)
        assert [hit.rank for hit in near] == list(range(1, 11))
        assert sorted(near, key=lambda hit: (-hit.score, hit.name)) == list(near)
        found += len({hit.name for hit in exact} & {hit.name for hit in near})
    assert found >= 0.95 * 400
    assert loaded.search(text, approximate=True, exclude=[near[0].name])[0].name != near[0].name
    graphs = list(folder.glob("graph-*"))
    assert len(graphs) == 1
    numbered(features[::-1]).save(folder)
    assert not list(folder.glob("graph-*")), "a graph of other features is of no use"
