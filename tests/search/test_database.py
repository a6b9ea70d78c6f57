"""A gallery in LanceDB answers as the gallery does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.search.test_gallery import FeatureModel
from tireid.basics.extras import MissingExtraError
from tireid.search import Gallery, GalleryError
from tireid.search.database import Database


def pictures(number: int, width: int = 8, seed: int = 0) -> Gallery:
    rng = np.random.default_rng(seed)
    features = np.repeat(rng.normal(size=(number // 4, width)).round(1), 4, axis=0)  # four equal pictures each
    names = [f"/g/caf\udce9 {i * 7919 % number:04d}'.jpg" for i in range(number)]
    cameras = [None if i % 5 == 0 else i % 3 for i in range(number)]
    return Gallery(FeatureModel(), features, names, np.arange(number) // 4, cameras, root="/g")


def told(hits) -> list[tuple[object, ...]]:
    return [(h.rank, h.name, h.path, h.score, h.person_id, h.camera, h.correct) for h in hits]


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"tireid\[database\]"):
        Database.export(pictures(8), tmp_path)


def test_every_vector_read_it_finds_what_the_gallery_finds(tmp_path):
    pytest.importorskip("lancedb")
    gallery = pictures(200)
    Database.export(pictures(40, seed=1), tmp_path)  # is replaced
    Database.export(gallery, tmp_path)
    base = Database.open(tmp_path, FeatureModel())
    assert len(base) == 200
    rng = np.random.default_rng(2)
    first = gallery.names[0]
    for filters in (
        {},
        {"person_ids": [3, 7]},
        {"cameras": [1]},
        {"person_ids": range(40), "cameras": [0, 2]},
        {"exclude": [first, gallery.paths[5]]},
    ):
        for _ in range(5):
            text = " ".join(map(str, rng.normal(size=8).round(2)))
            for k in (1, 7, 300):
                expected = gallery.search(text, k=k, person_id=3, **filters)
                found = base.search(text, k=k, person_id=3, approximate=False, **filters)
                assert told(found) == told(expected)
                assert "exclude" in filters or found.among == expected.among


def test_the_graph_finds_nearly_all_with_the_gallery_s_scores(tmp_path):
    pytest.importorskip("lancedb")
    rng = np.random.default_rng(3)
    features = np.repeat(rng.normal(size=(100, 16)), 20, axis=0) + 0.4 * rng.normal(size=(2000, 16))
    gallery = Gallery(FeatureModel(), features, [f"/g/{i}.jpg" for i in range(2000)], root="/g")
    base, found = Database.export(gallery, tmp_path).build_index(), 0
    for row in range(0, 2000, 100):
        text = " ".join(map(str, features[row].round(4)))
        scores = {hit.name: hit.score for hit in gallery.search(text, k=2000)}
        exact, near = gallery.search(text, k=10), base.search(text, k=10)
        assert all(hit.score == scores[hit.name] for hit in near)
        assert sorted(near, key=lambda hit: (-hit.score, hit.name)) == list(near)
        found += len({hit.name for hit in exact} & {hit.name for hit in near})
    assert found >= 190


def test_what_cannot_be_answered_is_said(tmp_path: Path):
    lancedb = pytest.importorskip("lancedb")
    with pytest.raises(FileNotFoundError, match="holds no table 'pictures'"):
        Database.open(tmp_path)
    base = Database.export(Gallery(FeatureModel(), np.eye(4), ["a", "b", "c", "d"]), tmp_path)
    with pytest.raises(ValueError, match="no person_ids"):
        base.search("1 0 0 0", person_ids=[1])
    with pytest.raises(ValueError, match="no picture is left"):
        base.search("1 0 0 0", exclude=["a", "b", "c", "d"])
    with pytest.raises(ValueError, match="3 dimensions, the gallery's 4"):
        base.search("1 0 0")
    with pytest.raises(ValueError, match="k must be"):
        base.search("1 0 0 0", k=0)
    other = FeatureModel()
    other.fingerprint = "another"
    with pytest.raises(GalleryError, match="another model"):
        Database.open(tmp_path, other)
    with pytest.raises(GalleryError, match="does not say where its model is"):
        Database.open(tmp_path).search("1 0 0 0")
    lancedb.connect(tmp_path / "else").create_table("pictures", data=[{"vector": [1.0, 2.0]}])
    with pytest.raises(GalleryError, match=r"was not written by Database\.export"):
        Database.open(tmp_path / "else")
