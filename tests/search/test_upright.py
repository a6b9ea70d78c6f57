"""Pictures of one's own are turned upright wherever they are encoded; those of the published data sets nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tireid import TIReID, evaluate, load_dataset
from tireid.data import Dataset, ImageCache
from tireid.data.images import load_image
from tireid.search import Gallery
from tireid.train.__main__ import _data
from tireid.train.launching import _plain


def written(folder: Path, orientations=range(1, 9)) -> Dataset:
    """A picture for each EXIF orientation, all different, as data of one's own."""
    rng, lines = np.random.default_rng(0), ["path,caption,split"]
    for number, orientation in enumerate(orientations):
        exif = Image.Exif()
        exif[0x0112] = orientation
        coarse = rng.integers(0, 256, (6, 3, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((48, 96), Image.Resampling.NEAREST)
        picture.save(folder / f"{number}.png", exif=exif)
        lines.append(f"{number}.png,a man number {number},test")
    (folder / "mine.csv").write_text("\n".join(lines), encoding="utf-8")
    return load_dataset(folder / "mine.csv")


@pytest.fixture(scope="module")
def model() -> TIReID:
    return TIReID.from_pretrained("tiny")


def test_a_picture_finds_itself_whichever_way_it_is_stored(model, tmp_path):
    test = written(tmp_path).test
    for gallery in (Gallery.from_split(model, test), Gallery.from_folder(model, tmp_path)):
        for path in test.image_paths:
            first = gallery.search(path, k=1)[0]
            assert (first.path, first.score) == (path, pytest.approx(1, abs=1e-5))


def test_a_gallery_of_encoded_files_is_shown_as_they_were_encoded(model, tmp_path):
    """The picture that a hit shows has the features that it was found by."""
    paths, size = written(tmp_path).test.image_paths, model.backbone.image_size
    for gallery in (Gallery(model, model.encode_images(paths), paths), Gallery.from_folder(model, tmp_path)):
        hits = gallery.search("a man", k=len(paths))
        shown = torch.stack([load_image(hit.path, size, upright=hit.upright) for hit in hits])
        rows = [gallery.paths.index(hit.path) for hit in hits]
        np.testing.assert_allclose(model.encode_images(shown), gallery.features[rows], atol=1e-6)
        assert Gallery.load(gallery.save(tmp_path / "saved"), model).upright is gallery.upright


def test_cache_evaluation_and_gallery_see_the_same(model, tmp_path):
    test, size = written(tmp_path).test, model.backbone.image_size
    assert test.upright
    assert test.head(3).upright
    expected = torch.stack([load_image(path, size, upright=True) for path in test.image_paths])
    for upright in (False, True, False, True):  # one does not open the other's file
        cache = ImageCache.build(test.image_paths, size, tmp_path / "cache", upright=upright)
        same = [torch.equal(one, other) for one, other in zip(cache[range(8)], expected, strict=True)]
        assert same == [upright or orientation == 1 for orientation in range(1, 9)]
    assert torch.equal(test.pictures(model)[np.arange(8)], expected)
    assert evaluate(model, test).metrics == evaluate(model, test, images=expected).metrics
    features = Gallery.from_split(model, test).features
    np.testing.assert_allclose(features, model.encode_images(expected), atol=1e-6)


def test_what_stands_upright_keeps_its_cache(model, tmp_path):
    paths = written(tmp_path, [1, 1]).test.image_paths
    files = {ImageCache.build(paths, (32, 16), tmp_path / "c", upright=upright).file for upright in (False, True)}
    assert len(files) == 1


def test_the_fingerprint_tells_a_turn_where_it_counts(tmp_path):
    prints = []
    for number, turn in enumerate((1, 6)):
        (folder := tmp_path / str(number)).mkdir()
        data = written(folder, [turn, 1])
        as_stored = replace(data, test=replace(data.test, upright=False))
        prints.append((data.fingerprint, as_stored.fingerprint))
    (plain, plain_stored), (turned, turned_stored) = prints
    assert plain == plain_stored == turned_stored != turned


def test_published_data_is_read_as_it_is_stored(tmp_path):
    data = load_dataset("synthetic", tmp_path, people=(1, 1, 1))
    assert not any(split.upright for split in data.splits)
    assert data.test.pictures(object()) == data.test.image_paths


def test_training_processes_are_told(tmp_path):
    for upright in (True, False):
        data = written(tmp_path)
        data = Dataset.of("mine", data.root, data.test.records, upright=upright)
        assert all(split.upright is upright for split in _data(**_plain(data)).splits)
