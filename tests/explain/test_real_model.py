"""The whole way with the real parts: drawn pedestrians on disk, an untrained model, a gallery, a page."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tireid.data import Dataset, ImageCache, load_dataset
from tireid.model import TIReID
from tireid.options import Config
from tireid.search import Gallery, GalleryError, evaluate, evaluate_features, fingerprint

OPTIONS = {"people": (2, 1, 6), "images_per_person": 2, "processes": 1}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    return load_dataset("synthetic", tmp_path_factory.mktemp("pedestrians"), **OPTIONS)


def untrained(data: Dataset, seed: int) -> TIReID:
    torch.manual_seed(seed)
    config = Config.preset("clip", dataset="synthetic", backbone="tiny-untrained")
    return TIReID.build(config, train_captions=data.train.captions)


@pytest.fixture(scope="module")
def real_model(data) -> TIReID:
    return untrained(data, 0)


def test_evaluation_from_paths_cache_and_features_agree(real_model, data, tmp_path):
    score = evaluate(real_model, data.test, batch_size=5)
    images, texts = real_model.encode_images(data.test.image_paths), real_model.encode_texts(data.test.captions)
    assert score.metrics == pytest.approx(evaluate_features(images, texts, data.test).metrics)
    cache = ImageCache.build(data.test.image_paths, real_model.backbone.image_size, tmp_path)
    assert score.metrics == pytest.approx(evaluate(real_model, data.test, images=cache, batch_size=7).metrics)
    assert len(score.per_query) == data.test.num_captions + data.test.num_images


def test_galleries_from_split_folder_and_file_agree(real_model, data, tmp_path):
    split = Gallery.from_split(real_model, data.test)
    folder = Gallery.from_folder(real_model, data.folder / "imgs", batch_size=5)
    assert len(folder) == sum(s.num_images for s in data.splits)
    rows = [folder.paths.index(path) for path in split.paths]
    np.testing.assert_allclose(folder.features[rows], split.features, atol=1e-6)
    split.save(tmp_path / "index")
    real_model.save_pretrained(tmp_path / "model")
    again = TIReID.from_pretrained(tmp_path / "model")
    assert fingerprint(again) == fingerprint(real_model)
    loaded = Gallery.load(tmp_path / "index", again)
    text = data.test.captions[0]
    assert [h.path for h in loaded.search(text)] == [h.path for h in split.search(text)]
    path = data.test.image_paths[3]
    assert loaded.search(path, k=1)[0].path == path
    with pytest.raises(GalleryError, match="another model"):
        Gallery.load(tmp_path / "index", untrained(data, 1))
