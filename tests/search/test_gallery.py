"""Galleries: what is found, from where, and what survives saving."""

from __future__ import annotations

import shutil
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tests.data.folders import nested
from tests.oracles import ranking
from tests.search.fakes import ColourModel, picture
from tireid.data import images as images_module
from tireid.data.images import ImageError
from tireid.search import Gallery, GalleryError, fingerprint


class FeatureModel:
    """The text is the feature: "1 0 2" is (1, 0, 2)."""

    fingerprint = "numbers"

    def encode_texts(self, texts, *, batch_size=64):
        return np.array([[float(x) for x in text.split()] for text in texts], np.float32)

    def encode_images(self, images, *, batch_size=64):
        return np.array([np.asarray(image, float).mean(axis=(0, 1)) for image in images], np.float32)


def gallery_of(features, **options) -> Gallery:
    names = [f"{i * 7919 % 1000:03d}.jpg" for i in range(len(features))]
    return Gallery(FeatureModel(), np.asarray(features, np.float32), [f"/g/{n}" for n in names], root="/g", **options)


grids = hnp.arrays(np.int64, st.tuples(st.integers(1, 15), st.just(3)), elements=st.integers(-2, 2)).map(
    lambda a: np.where(a.any(axis=1, keepdims=True), a, 1)
)


@settings(max_examples=60, deadline=None)
@given(grids, st.integers(1, 18))
def test_search_equals_a_sort_of_exact_cosines(features, k):
    gallery = gallery_of(features)
    query = [1.0, -2.0, 0.5]
    hits = gallery.search("1 -2 0.5", k=k)
    cosines = [ranking.cosine(query, row) for row in features.tolist()]
    # scores are of float32 rows, so unequal rows of the same direction may differ in the 8th digit
    expected = sorted(range(len(features)), key=lambda i: (-round(cosines[i], 6), gallery.names[i]))[:k]
    assert [round(h.score, 6) for h in hits] == pytest.approx([round(cosines[i], 6) for i in expected], abs=2e-6)
    assert [h.rank for h in hits] == list(range(1, min(k, len(features)) + 1))
    for hit in hits:
        assert hit.score == pytest.approx(cosines[gallery.names.index(hit.name)], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(grids, st.integers(1, 18), st.data())
def test_equal_pictures_stand_in_the_order_of_their_names(features, k, data):
    order = data.draw(st.permutations(range(len(features))))
    gallery = gallery_of(features)
    shuffled = Gallery(FeatureModel(), features[order], [gallery.paths[i] for i in order], root="/g")
    one, two = gallery.search("1 -2 0.5", k=k), shuffled.search("1 -2 0.5", k=k)
    assert [(h.name, h.score) for h in one] == [(h.name, h.score) for h in two]
    for a, b in pairwise(one):
        assert (-a.score, a.name) < (-b.score, b.name)


def test_more_ties_than_any_k():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(500, 3))
    features[100:400] = features[0]
    gallery = gallery_of(features)
    tied = sorted(gallery.names[row] for row in [0, *range(100, 400)])
    for k in (1, 7, 301):
        assert [hit.name for hit in gallery.search(" ".join(map(str, features[0])), k=k)] == tied[:k]


def test_text_picture_and_both(model, crops):
    gallery = Gallery.from_split(model, crops.split)
    path = crops.root / "cam0" / "red_0.png"
    assert [h.person_id for h in gallery.search("a man in blue", k=3)] == [12] * 3
    assert gallery.search(path, k=1)[0].path == path
    assert gallery.search(picture("red"), k=1)[0].path == path
    assert gallery.search(image=str(path), k=1)[0].path == path
    assert gallery.search(np.asarray(picture("red")), k=1)[0].path == path
    text, image = (np.asarray(f[0], float) for f in (model.encode_texts(["green"]), model.encode_images([path])))
    for weight in (0, 0.3, 1):
        vector = weight * text + (1 - weight) * image
        expected = gallery.features.astype(float) @ (vector / np.linalg.norm(vector))
        for hits in (
            gallery.search(("green", path), text_weight=weight, k=99),
            gallery.search(text="green", image=path, text_weight=weight, k=99),
        ):
            assert sorted((h.score for h in hits), reverse=True) == pytest.approx(sorted(expected)[::-1], abs=1e-6)
            assert [h.score for h in hits] == pytest.approx(
                [expected[gallery.paths.index(h.path)] for h in hits], abs=1e-6
            )


def test_filters(model, crops):
    gallery = Gallery.from_split(model, crops.split)
    path = gallery.search("red", k=1)[0].path
    for excluded in (path, str(path), [path], ["cam0/red_0.png"], ["cam0/red_0.png", "not/there.png"]):
        hits = gallery.search("red", k=99, exclude=excluded)
        assert path not in [h.path for h in hits]
        assert len(hits) == 11
    assert {h.person_id for h in gallery.search("red", k=99, person_ids={11, 13})} == {11, 13}
    assert {h.camera for h in gallery.search("red", k=99, cameras=[1])} == {1}
    hits = gallery.search("red", k=99, person_ids=np.array([10]), cameras=[0, 2], exclude=path)
    assert [h.name for h in hits] == ["cam2/red_2.png"]
    with pytest.raises(ValueError, match="no picture is left"):
        gallery.search("red", person_ids=[999])
    bare = Gallery(model, gallery.features, gallery.paths)
    for word in ("person_ids", "cameras"):
        with pytest.raises(ValueError, match=f"this gallery has no {word}"):
            bare.search("red", **{word: [1]})


def test_hits_are_marked_only_where_the_person_is_known(model, crops):
    gallery = Gallery.from_split(model, crops.split)
    marks = [(h.person_id, h.correct, h.mark) for h in gallery.search("red", k=4, person_id=10)]
    assert marks[:3] == [(10, True, "✓")] * 3
    assert marks[3][1:] == (False, "✗")
    assert {h.correct for h in gallery.search("red")} == {None}
    bare = Gallery(model, gallery.features, gallery.paths)
    assert [(h.correct, h.person_id, h.camera) for h in bare.search("red", k=1, person_id=10)] == [(None, None, None)]


def test_a_gallery_of_one(model, tmp_path):
    picture("red").save(tmp_path / "a.jpg")
    gallery = Gallery.from_folder(model, tmp_path)
    hits = gallery.search("blue", k=10)
    assert [h.name for h in hits] == ["a.jpg"]
    assert len(gallery.table) == 1
    assert "1 pictures" in repr(gallery)


def test_folder_with_everything_that_people_have(model, tmp_path):
    names = [
        "ü ß 人.jpg",
        "UPPER.JPG",
        "x.y.jpeg",
        "deep/er/#1 & <b>.png",
        'deep/it\'s "it".webp',
        "100%.bmp",
        "$x$.tif",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture("red").save(tmp_path / name)
    for name in (".hidden.jpg", "__MACOSX/._a.jpg", "__MACOSX/b.jpg", ".git/c.jpg", "notes.txt", "Thumbs.db", "jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "folder.jpg").mkdir()
    gallery = Gallery.from_folder(model, tmp_path, batch_size=3)
    assert gallery.names == sorted(names)
    assert gallery.skipped == []
    assert Gallery.from_folder(model, tmp_path, recursive=False).names == sorted(n for n in names if "/" not in n)
    assert Gallery.from_folder(model, tmp_path, patterns="deep/*").names == sorted(n for n in names if "/" in n)
    assert Gallery.from_folder(model, tmp_path, patterns=["*.JPG", "*.png"]).names == [
        "UPPER.JPG",
        "deep/er/#1 & <b>.png",
    ]
    loaded = Gallery.load(gallery.save(tmp_path / "index"), model)
    assert loaded.paths == gallery.paths


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file names")
def test_a_file_name_that_is_not_utf8(model, tmp_path):
    path = tmp_path / "caf\udce9.png"
    picture("red").save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(path)
    gallery = Gallery.from_folder(model, tmp_path)
    loaded = Gallery.load(gallery.save(tmp_path / "index"), model)
    hits = loaded.search("red")
    assert [h.path for h in hits] == [path]
    assert r"caf\udce9.png" in str(hits)
    hits.save_html(tmp_path / "page.html")


def test_unreadable_pictures_are_skipped_and_told(model, tmp_path):
    for name in ("a.jpg", "c.jpg"):
        picture("red").save(tmp_path / name)
    (tmp_path / "b.jpg").write_bytes(b"not a picture")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "d.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "e.png").write_bytes(b"")
    steps = []
    with pytest.warns(UserWarning, match=r"3 of 5 pictures cannot be read .*b\.jpg: .*d\.jpg: .*e\.png: ") as told:
        gallery = Gallery.from_folder(model, tmp_path, batch_size=2, on_progress=lambda *s: steps.append(s))
    assert "more" not in str(told[0].message)
    assert gallery.names == ["a.jpg", "c.jpg"]
    assert [path.name for path, _ in gallery.skipped] == ["b.jpg", "d.jpg", "e.png"]
    assert all(reason and str(tmp_path) not in reason[:20] for _, reason in gallery.skipped)
    assert steps == [(2, 5), (4, 5), (5, 5)]
    for name in ("f.jpg", "g.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.warns(UserWarning, match=r"5 of 7 pictures cannot be read .*e\.png: .*; and 2 more$"):
        Gallery.from_folder(model, tmp_path)
    with pytest.raises(ImageError, match=r"b\.jpg"):
        Gallery.from_folder(model, tmp_path, strict=True)
    with pytest.raises(ValueError, match=r"none of the 1 pictures in .*b\.jpg"):
        Gallery.from_folder(model, tmp_path, patterns="b.jpg")


def test_pictures_of_other_kinds_are_counted(model, tmp_path):
    for name in ("a.jpg", "b.gif", "c.jp2", "d.JFIF"):
        picture("red").save(tmp_path / name, format="JPEG" if name == "d.JFIF" else None)
    for name in ("e.heic", "f.tga", "g.TGA", "h.txt"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.warns(
        UserWarning, match=r"3 pictures .* not read \(1 \.heic, 2 \.tga\) and are left out: save them as"
    ):
        gallery = Gallery.from_folder(model, tmp_path)
    assert gallery.names == ["a.jpg", "b.gif", "c.jp2", "d.JFIF"]
    assert gallery.skipped == []


@pytest.mark.skipif(sys.platform == "win32", reason="no such paths there")
def test_a_picture_in_folders_that_lie_deep(model, tmp_path):
    picture("red").save(tmp_path / "b.png")
    with nested(tmp_path, 1500):
        assert Gallery.from_folder(model, tmp_path).names == [1500 * "a/" + "deep.png", "b.png"]
    with nested(tmp_path, 2200), pytest.warns(UserWarning, match="1 of the folders are not searched, since they are"):
        assert Gallery.from_folder(model, tmp_path).names == ["b.png"]


def test_no_pictures(model, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no pictures in .* accepted are .*\.jpg"):
        Gallery.from_folder(model, tmp_path)
    for name in ("nowhere", 300 * "x"):
        with pytest.raises(NotADirectoryError, match=f"{name} is not a folder; name the folder that holds"):
            Gallery.from_folder(model, tmp_path / name)


def test_save_and_load(model, crops, tmp_path):
    gallery = Gallery.from_split(model, crops.split)
    folder = gallery.save(tmp_path / "index")
    assert [p.name for p in folder.iterdir()] == ["gallery.safetensors"]
    loaded = Gallery.load(folder, ColourModel())
    assert np.array_equal(loaded.features, gallery.features)
    assert loaded.table.equals(gallery.table)
    assert loaded.search("green", person_id=11).items == gallery.search("green", person_id=11).items
    assert not any(Path(name).is_absolute() for name in loaded.names)
    gallery.save(folder)


def test_pictures_may_move(model, crops, tmp_path):
    folder = Gallery.from_split(model, crops.split).save(tmp_path / "index")
    shutil.move(crops.root, tmp_path / "moved")
    with pytest.warns(UserWarning, match=f"not there: {crops.root}. .* --root FOLDER"):
        gone = Gallery.load(folder, model).search("red", k=1)
    assert gone[0].path == crops.root / "cam0" / "red_0.png"
    assert "picture missing" in gone.show().html
    with warnings.catch_warnings(action="error"):
        found = Gallery.load(folder, model, root=tmp_path / "moved").search("red", k=1)
    assert found[0].path == tmp_path / "moved" / "cam0" / "red_0.png"
    assert "picture missing" not in found.show().html


def test_a_relative_folder_is_found_from_elsewhere(model, crops, tmp_path, monkeypatch):
    monkeypatch.chdir(crops.root)
    Gallery.from_folder(model, "cam0").save(tmp_path / "index")
    monkeypatch.chdir("/")
    assert Gallery.load(tmp_path / "index", model).search("red", k=1)[0].path.is_file()


def test_gallery_of_another_model_is_refused(model, crops, tmp_path):
    folder = Gallery.from_split(model, crops.split).save(tmp_path / "index")
    with pytest.raises(GalleryError, match=r"indexed with another model.*index again with Gallery\.from_folder"):
        Gallery.load(folder, ColourModel(turn=1.001))


def test_photographs_are_turned_upright_and_large_ones_are_not_decoded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Looker(ColourModel):
        image_size = (96, 32)

        def encode_images(self, images, *, batch_size: int = 64) -> torch.Tensor:
            shapes.extend(tuple(image.shape) for image in images)
            return super().encode_images(images)

    seen: list[tuple[int, int]] = []
    shapes: list[tuple[int, ...]] = []
    resize = images_module.resize
    monkeypatch.setattr(images_module, "resize", lambda image, size: seen.append(image.size) or resize(image, size))
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the camera turned a quarter
    Image.new("RGB", (2400, 1600), "red").save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGB", (30, 20), "red").save(tmp_path / "b.jpg", exif=exif)
    Gallery.from_folder(Looker(), tmp_path)
    assert sorted(seen, reverse=True) == [(200, 300), (20, 30)]  # (width, height): an eighth, and the whole crop
    assert shapes == [(3, 96, 32)] * 2


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        ([1.0, float("nan")], "must be integers"),
        ([1.9, 2.0], "must be integers"),
        ([None, 3], "must be integers"),
        ([[1], [2]], r"the shape \(2,\)"),
        (["1", "2"], "must be integers"),
        ([True, False], "must be integers"),
        (np.array([1, 2**63], np.uint64), "must be integers below"),
        ([1, 2, 3], "person_ids has 3 entries for 2 paths"),
    ],
)
def test_ids_that_name_nobody_are_refused(ids: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Gallery(ColourModel(), np.eye(2), ["a.png", "b.png"], person_ids=ids)
    assert Gallery(ColourModel(), np.eye(2), ["a.png", "b.png"], person_ids=np.uint8([3, 1])).person_ids.tolist() == [
        3,
        1,
    ]


def test_fingerprint_knows_weights_names_and_dtypes():
    one = ColourModel()
    assert fingerprint(one) == fingerprint(ColourModel())
    assert len(fingerprint(one)) == 32
    others = [
        ColourModel(turn=2.0),
        ColourModel().double(),
        ColourModel().bfloat16(),
        torch.nn.Sequential(ColourModel()),
    ]
    assert len({fingerprint(m) for m in [one, *others]}) == 5
    named = [torch.nn.ParameterDict({name: torch.ones(2)}) for name in ("a", "b")]
    assert fingerprint(named[0]) != fingerprint(named[1])
    assert fingerprint(FeatureModel()) == "numbers"
    with pytest.raises(TypeError, match="neither `fingerprint` nor `state_dict`"):
        fingerprint(object())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to search for"),
        ({"query": ""}, "description must be text that is not empty"),
        ({"query": "  \n"}, "description must be text that is not empty"),
        ({"query": "red", "text": "blue"}, "not both"),
        ({"query": ("red",)}, "two parts"),
        ({"query": "red", "k": 0}, "k must be a positive integer"),
        ({"query": "red", "k": 2.5}, "k must be a positive integer"),
        ({"query": "red", "text_weight": 1.5}, "text_weight must be between 0 and 1"),
        ({"query": Path("nowhere.jpg")}, "nowhere.jpg: no such picture"),
    ],
)
def test_query_errors(model, crops, arguments, message):
    with pytest.raises(ValueError, match=message):
        Gallery.from_split(model, crops.split).search(**arguments)


def test_a_path_given_as_text_is_noticed(model, crops):
    gallery = Gallery.from_split(model, crops.split)
    with pytest.raises(ValueError, match=r"is a picture's file, not a description"):
        gallery.search(str(crops.root / "cam0" / "red_0.png"))
    assert len(gallery.search("someone in red.jpg")) == 10


@pytest.mark.parametrize(
    ("features", "paths", "options", "message"),
    [
        (np.ones((0, 3)), [], {}, "gallery is empty"),
        (np.eye(3), ["a"], {}, "features has 3 entries for 1 paths"),
        (np.eye(3), list("abc"), {"person_ids": [1]}, "person_ids has 1 entries for 3"),
        (np.eye(3), list("abc"), {"cameras": [1]}, "cameras has 1 entries for 3"),
        (np.diag([1, 0, 1]), list("abc"), {}, "features: row 1 has the length 0"),
        (np.diag([1, 1, np.nan]), list("abc"), {}, "features: row 2 holds NaN"),
    ],
)
def test_construction_errors(features, paths, options, message):
    with pytest.raises(ValueError, match=message):
        Gallery(FeatureModel(), features, paths, **options)


def test_a_gallery_of_another_dimension_is_noticed_at_the_search():
    with pytest.raises(ValueError, match="2 dimensions, the gallery's 3"):
        gallery_of(np.eye(3)).search("1 2")


@pytest.mark.parametrize("ids", [[1, np.nan, 2], [1.9, 1, 2], ["a", "b", "c"], [True, False, True], [2**63, 1, 2]])
def test_who_is_not_an_integer_is_nobody(model, ids) -> None:
    with pytest.raises(ValueError, match=r"person_ids must be integers below 2\*\*63 \(for a gallery of unknown"):
        Gallery(model, model.encode_texts(["red", "blue", "pink"]), list("abc"), person_ids=ids)


@pytest.mark.parametrize("query", [np.zeros((9, 5, 3)), np.full((9, 5, 3), 300), np.zeros((9, 5), np.uint8), b"a man"])
def test_a_picture_to_search_with_is_no_other_array(model, query) -> None:
    gallery = Gallery(model, model.encode_texts(["red"]), ["a"])
    with pytest.raises(TypeError, match="a picture is a path, a PIL image or a uint8 array"):
        gallery.search(query)
