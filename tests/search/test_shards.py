"""Galleries in shards find what one gallery finds, and each shard can be made by itself."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.search.fakes import ColourModel, picture
from tests.search.test_gallery import FeatureModel, grids
from tireid.search import Gallery, GalleryError
from tireid.search.folder import UnreadableError
from tireid.search.pictures import find_pictures
from tireid.search.shards import index_shard, merge, shards_of
from tireid.search.storage import FILE, MANIFEST, settle, shard_name


def in_shards(whole: Gallery, shard_of_row: list[int], directory: Path) -> Gallery:
    """The rows of `whole` as a gallery in shards."""
    shards, of = np.unique(shard_of_row), max(shard_of_row) + 1
    for shard in shards:
        rows = np.flatnonzero(np.asarray(shard_of_row) == shard)
        people = None if whole.person_ids is None else whole.person_ids[rows]
        part = Gallery(whole.model, whole.features[rows], [whole.paths[row] for row in rows], people, root=whole.root)
        part.save(directory / shard_name(int(shard), of))
    settle(directory, tuple(shard_name(int(shard), of) for shard in shards), [])
    return Gallery.load(directory, whole.model)


def told(hits) -> list[tuple[object, ...]]:
    return [(hit.rank, hit.name, hit.score, hit.person_id, hit.path) for hit in hits]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grids, st.integers(1, 18), st.booleans(), st.data())
def test_shards_find_what_one_gallery_finds(tmp_path_factory, features, k, half, data):
    number = len(features)
    names = data.draw(st.permutations([f"{i:02d}.jpg" for i in range(number)]))
    people = np.arange(number) % 3
    whole = Gallery(FeatureModel(), features.astype(np.float32), [f"/g/{n}" for n in names], people, root="/g")
    parts = in_shards(
        whole, data.draw(st.lists(st.integers(0, 3), min_size=number, max_size=number)), tmp_path_factory.mktemp("s")
    )
    assert sorted(parts.names) == sorted(whole.names)
    np.testing.assert_array_equal(parts.index.rows(np.arange(number)[::-1]), parts.features[::-1])
    if half:
        whole, parts = whole.half(), parts.half()
    texts = ["1 -2 0.5", "0 1 1"]
    for filters in ({}, {"exclude": [names[0]]} if number > 1 else {}, {"person_ids": [0]}):
        one, many = whole.search(texts[0], k=k, person_id=0, **filters), whole.search_many(texts, k=k, **filters)
        other = parts.search(texts[0], k=k, person_id=0, **filters)
        assert told(other) == told(one)
        assert (other.among, other.first_right) == (one.among, one.first_right)
        assert [told(hits) for hits in parts.search_many(texts, k=k, **filters)] == [told(hits) for hits in many]
        assert [parts.names[hit.row] for hit in other] == [hit.name for hit in other]


def test_more_pictures_than_a_block_in_each_shard(tmp_path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(150_000, 3)).round(1).astype(np.float32) + np.float32(0.01)
    whole = Gallery(FeatureModel(), features, [f"/g/{i}.jpg" for i in range(len(features))], root="/g")
    parts = in_shards(whole, [0] * 5 + [1] * 70_000 + [2] * 79_995, tmp_path)
    texts = [" ".join(map(str, rng.normal(size=3).round(2))) for _ in range(5)]
    assert [told(hits) for hits in parts.search_many(texts, k=20)] == [told(parts.search(t, k=20)) for t in texts]
    assert [told(hits) for hits in parts.search_many(texts, k=20)] == [told(whole.search(t, k=20)) for t in texts]


def colours(folder: Path, count: int = 12) -> Path:
    folder.mkdir()
    for i in range(count):
        picture(("red", "green", "blue")[i % 3], 5 * i).save(folder / f"{i}.png")
    return folder


def make(model, folder: Path, directory: Path, of: int) -> Gallery:
    made = [i for i in range(of) if index_shard(model, folder, directory, (i, of)) is not None]
    return merge(folder, directory, made, of)


def test_each_picture_has_one_share_whatever_else_is_there(tmp_path):
    folder = colours(tmp_path / "crops")
    shares = [set(find_pictures(folder, share=(i, 3))) for i in range(3)]
    assert set.union(*shares) == set(find_pictures(folder))
    assert sum(map(len, shares)) == 12
    (folder / "0.png").unlink()
    assert [set(find_pictures(folder, share=(i, 3))) for i in range(3)] == [s - {folder / "0.png"} for s in shares]


def test_a_folder_in_shards_is_the_folder(tmp_path):
    folder, model = colours(tmp_path / "crops"), ColourModel()
    whole, directory = Gallery.from_folder(model, folder), tmp_path / "index"
    whole.save(directory)  # is replaced
    assert shards_of(directory) == 0
    make(model, folder, directory, 3)
    parts = Gallery.load(directory, model)
    assert shards_of(directory) == 3
    assert told(parts.search("someone red", k=12)) == told(whole.search("someone red", k=12))
    assert {path.name for path in directory.iterdir()} == {MANIFEST, *(shard_name(i, 3) for i in range(3))}
    again = Gallery.load(parts.save(tmp_path / "copy"), model)
    assert told(again.search("someone red", k=12)) == told(whole.search("someone red", k=12))
    assert shards_of(tmp_path / "copy") == 3
    Gallery.load(whole.save(directory), model)
    assert {path.name for path in directory.iterdir()} == {FILE}


def test_only_the_shard_of_what_changed_is_encoded(tmp_path):
    folder, model = colours(tmp_path / "crops"), ColourModel()
    make(model, folder, tmp_path / "index", 3)
    model.calls.clear()
    picture("yellow").save(folder / "new.png")
    (folder / "3.png").unlink()
    parts = make(model, folder, tmp_path / "index", 3)
    assert model.calls == [1]
    assert sorted(parts.names) == sorted(Gallery.from_folder(model, folder).names)
    assert parts.root == folder


def test_shares_may_be_empty_or_unreadable(tmp_path):
    folder, model = colours(tmp_path / "crops", 2), ColourModel()
    (folder / "bad.png").write_bytes(b"no picture")
    parts = make(model, folder, tmp_path / "index", 40)
    assert sorted(parts.names) == ["0.png", "1.png"]
    assert shards_of(tmp_path / "index") == 40
    for path in folder.glob("[01].png"):
        path.write_bytes(b"not any more")
    with pytest.raises(UnreadableError, match="none of the 3 pictures"):
        make(model, folder, tmp_path / "index", 40)
    assert len(Gallery.load(tmp_path / "index", model)) == 2, "the earlier gallery stays"
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="no pictures"):
        make(model, folder, tmp_path / "index", 40)


def test_damage_is_noticed(tmp_path):
    folder, model, directory = colours(tmp_path / "crops"), ColourModel(), tmp_path / "index"
    make(model, folder, directory, 2)
    manifest = directory / MANIFEST
    whole = json.loads(manifest.read_text())
    for wrong in ({}, {**whole, "format": 9}, {**whole, "shards": []}, {**whole, "shards": ["../crops"]}, [], "x"):
        manifest.write_text(json.dumps(wrong))
        with pytest.raises(GalleryError, match=r"shards\.json is damaged"):
            Gallery.load(directory)
    manifest.write_text(json.dumps({**whole, "shards": ["shard-0-of-2", "shard-7-of-8"]}))
    with pytest.raises(GalleryError, match=r"names a shard that is not there.*shard-7-of-8"):
        Gallery.load(directory)
    manifest.write_text(json.dumps(whole))
    index_shard(ColourModel(2.0), folder, directory, (1, 2))
    with pytest.raises(GalleryError, match="shard-1-of-2 is of another model or folder than shard-0-of-2"):
        Gallery.load(directory)


def test_graphs_of_shards_are_walked_together(tmp_path):
    pytest.importorskip("usearch")
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(60, 16))
    features = np.repeat(centres, 20, axis=0) + 0.4 * rng.normal(size=(1200, 16))
    whole = Gallery(FeatureModel(), features, [f"/g/{i}.jpg" for i in range(1200)], root="/g")
    in_shards(whole, [i % 3 for i in range(1200)], tmp_path).build_graph().save(tmp_path)
    assert len(list(tmp_path.glob("shard-*/graph-*.usearch"))) == 3
    loaded, found = Gallery.load(tmp_path, FeatureModel()), 0
    for row in range(0, 1200, 60):
        text = " ".join(map(str, features[row].round(4)))
        exact, near = whole.search(text, k=10), loaded.search(text, k=10, approximate=True)
        scores = {hit.name: hit.score for hit in whole.search(text, k=1200)}
        assert all(hit.score == scores[hit.name] for hit in near)
        found += len({hit.name for hit in exact} & {hit.name for hit in near})
    assert found >= 190


def test_folders_that_are_not_searched_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = tmp_path / "crops", tmp_path / "other"
    for place in (folder / "a", folder / "b", other):
        place.mkdir(parents=True)
        (place / "x.png").touch()
    (folder / "link").symlink_to(other)
    (folder / ".hidden").symlink_to(other)
    with pytest.warns(UserWarning, match=r"1 of the folders are not searched, .* the first is .*crops/link: "):
        assert find_pictures(folder) == [folder / "a/x.png", folder / "b/x.png"]
    scan = os.scandir

    def forbidden(path: str) -> object:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.warns(UserWarning, match=r"2 of the folders are not searched, .* the first is .*crops/b: "):
        assert find_pictures(folder) == [folder / "a/x.png"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_pictures(folder / "a") == [folder / "a/x.png"]
        with pytest.raises(FileNotFoundError, match="no pictures in"):
            find_pictures(folder, recursive=False)
