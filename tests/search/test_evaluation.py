"""Evaluation against the oracle, in both directions, and what it writes."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.oracles import ranking
from tests.search.fakes import SIZE
from tireid.cli import main
from tireid.data import ImageCache
from tireid.data.annotations import Record
from tireid.data.dataset import Split
from tireid.data.images import ImageError, open_image
from tireid.search import Gallery, cross_evaluate, evaluate, evaluate_features
from tireid.search.evaluation import whole


def random_split(seed: int, images: int = 25, people: int = 6) -> tuple[Split, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(100, 100 + people, size=images)
    records = tuple(
        Record(
            Path(f"/data/imgs/{i % 3}/{i}.jpg"),
            int(ids[i]),
            tuple(f"caption {i} {c}" for c in range(1 + i % 3)),
            "val",
            None,
        )
        for i in range(images)
    )
    split = Split("val", records)
    return split, rng.normal(size=(images, 8)), rng.normal(size=(split.num_captions, 8))


def test_both_directions_equal_the_oracle():
    split, images, texts = random_split(0)
    score = evaluate_features(images, texts, split)
    t2i = ranking.metrics(texts, images, split.caption_person_ids, split.image_person_ids)
    i2t = ranking.metrics(images, texts, split.image_person_ids, split.caption_person_ids)
    expected = {f"t2i/{k}": v for k, v in t2i.items()} | {f"i2t/{k}": v for k, v in i2t.items()}
    assert score.metrics == pytest.approx(expected, abs=1e-9)
    assert list(score.metrics) == list(expected)
    assert score.table().index.tolist() == ["text→image", "image→text"]
    assert score.table().loc["image→text", "mAP"] == pytest.approx(i2t["mAP"], abs=1e-9)


def test_per_query_names_the_query_and_its_first_hit():
    split, images, texts = random_split(1)
    table = evaluate_features(images, texts, split).per_query
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (texts, images)]
    similarity = unit[0] @ unit[1].T
    names = [path.relative_to("/data/imgs").as_posix() for path in split.image_paths]
    assert table["direction"].tolist() == ["t2i"] * split.num_captions + ["i2t"] * split.num_images
    first = table[table["direction"] == "t2i"].reset_index()
    assert first["query"].tolist() == list(range(split.num_captions))
    assert first["text"].tolist() == split.captions
    assert first["top1"].tolist() == [names[i] for i in similarity.argmax(axis=1)]
    assert first["top1_person_id"].tolist() == split.image_person_ids[similarity.argmax(axis=1)].tolist()
    second = table[table["direction"] == "i2t"].reset_index()
    assert second["path"].tolist() == names
    assert second["top1"].tolist() == [split.captions[i] for i in similarity.argmax(axis=0)]
    for part in (first, second):
        assert ((part["first_rank"] == 1) == (part["top1_person_id"] == part["person_id"])).all()


def test_order_of_the_split_does_not_matter():
    split, images, texts = random_split(2)
    images[1::2] = images[::2][: len(images[1::2])]  # ties
    order = np.random.default_rng(0).permutation(split.num_images)
    captions = np.concatenate([np.flatnonzero(split.caption_image_index == i) for i in order])
    shuffled = Split("val", tuple(split.records[i] for i in order))
    one = evaluate_features(images, texts, split)
    two = evaluate_features(images[order], texts[captions], shuffled)
    assert one.metrics == pytest.approx(two.metrics, abs=1e-10)
    sort = ["direction", "text", "path"]
    tables = [s.per_query.drop(columns="query").sort_values(sort).reset_index(drop=True) for s in (one, two)]
    pd.testing.assert_frame_equal(*tables)


def test_evaluate_reads_encodes_in_batches_and_reports_progress(model, crops):
    steps: list[tuple[int, int]] = []
    score = evaluate(model, crops.split, batch_size=5, on_progress=lambda *step: steps.append(step))
    assert score.metrics["t2i/R@1"] > 70
    assert score.metrics["i2t/R@1"] == 100
    assert model.calls == [5, 5, 2, 5, 5, 5, 1]
    assert steps == [(5, 28), (10, 28), (12, 28), (17, 28), (22, 28), (27, 28), (28, 28)]
    assert crops.split.num_captions == 16


def test_decoded_pictures_replace_the_paths(model, crops, tmp_path):
    expected = evaluate(model, crops.split).metrics
    cache = ImageCache.build(crops.split.image_paths, SIZE, tmp_path / "cache")
    tensor = torch.as_tensor(np.asarray(cache[np.arange(len(cache))]))
    crops.split.image_paths[0].unlink()
    assert evaluate(model, crops.split, images=cache, batch_size=5).metrics == pytest.approx(expected)
    assert evaluate(model, crops.split, images=tensor, batch_size=5).metrics == pytest.approx(expected)
    with pytest.raises(ValueError, match="images has 3 pictures, split 'test' has 12"):
        evaluate(model, crops.split, images=tensor[:3])


def test_missing_pictures_are_told_before_anything_is_encoded(model, crops, tmp_path, capsys):
    gone, count = crops.split.image_paths[-4:], crops.split.num_images
    for path in gone:
        path.unlink()
    first = ", .*".join(path.name for path in gone[:3])
    says = rf"{first}: no such picture; 4 of {count} of the split .* are missing\. Fix: bring them back"
    for ask in (whole, lambda split: evaluate(model, split)):
        with pytest.raises(ImageError, match=says):
            ask(crops.split)
    assert not model.calls
    (tmp_path / "my.csv").write_text("path,caption\nnone.png,a man\n")
    assert main(["evaluate", "--dataset", str(tmp_path / "my.csv"), "--model", str(tmp_path / "none")]) == 2
    assert "none.png: no such picture; 1 of 1 of the split 'test' are missing" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["unlink", "truncate"])
def test_a_picture_that_goes_meanwhile_is_named(model, crops, harm, tmp_path):
    """And what was measured before is on disk."""
    last = crops.split.image_paths[-1]

    class Meanwhile:
        """Loses the last picture while it encodes the first ones."""

        encode_texts = staticmethod(model.encode_texts)

        @staticmethod
        def encode_images(images, **_):
            last.unlink(missing_ok=True) if harm == "unlink" else last.write_bytes(b"\x89PNG")
            return model.encode_images([open_image(path) for path in images])

    models = {"before": model, "meanwhile": Meanwhile()}
    with pytest.raises(ImageError, match=rf"{last.name}: (no such|not a readable) picture"):
        cross_evaluate(models, {"a": crops.split}, table=tmp_path / "cross.csv", batch_size=2)
    assert set(pd.read_csv(tmp_path / "cross.csv")["model"]) == {"before"}


@pytest.mark.parametrize("upright", [False, True])
def test_all_pictures_that_cannot_be_read_are_told_at_once(model, crops, upright):
    """Nothing is encoded behind the first of them."""
    paths, split = crops.split.image_paths, dataclasses.replace(crops.split, upright=upright)
    bad = [paths[row] for row in (4, 6, 9, 11)]
    for path in bad:
        path.write_bytes(b"no picture")
    first = "; .*".join(rf"{path.name}: not a readable picture \(cannot identify image file\)" for path in bad[:3])
    for encoding in (evaluate, Gallery.from_split):
        model.calls.clear()
        with pytest.raises(ImageError, match=rf"{first}; 4 of 12 pictures cannot be read\. Fix: replace them"):
            encoding(Reader(model), split, batch_size=2)
        assert model.calls == [2, 2]


class Reader:
    """A model that opens pictures as :class:`tireid.TIReID` does."""

    def __init__(self, model):
        self.encode_texts, self._model = model.encode_texts, model

    def encode_images(self, images, **_):
        return self._model.encode_images([open_image(one) if isinstance(one, Path) else one for one in images])


def test_recall_beyond_the_gallery_is_100_whatever_the_model():
    split, images, texts = random_split(3)
    worst = evaluate_features(images, -texts, split, ks=(split.num_images, 10**6)).metrics
    assert worst[f"t2i/R@{split.num_images}"] == worst["t2i/R@1000000"] == worst["i2t/R@1000000"] == 100


def test_of_one_person_nothing_is_measured(model, crops):
    split = Split("test", [replace(record, person_id=7) for record in crops.split.records[:2]])
    with pytest.warns(UserWarning, match="split 'test' shows one person: whatever stands first is right"):
        assert evaluate(model, split).metrics["t2i/R@1"] == 100


def test_save_writes_what_was_measured(tmp_path):
    split, images, texts = random_split(3)
    score = evaluate_features(images, texts, split)
    folder = score.save(tmp_path / "deep" / "out")
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == score.metrics
    assert sorted(p.name for p in folder.iterdir()) == ["metrics.json", "per_query.csv"]
    read = pd.read_csv(folder / "per_query.csv")
    pd.testing.assert_frame_equal(read, score.per_query, check_dtype=False)


def test_save_copes_with_file_names_that_are_not_utf8(tmp_path):
    split = Split("test", (Record(Path("/d/caf\udce9.jpg"), 1, ("a man",), "test", None),))
    folder = evaluate_features(np.ones((1, 2)), np.ones((1, 2)), split).save(tmp_path)
    assert pd.read_csv(folder / "per_query.csv").loc[0, "top1"] == "caf\\udce9.jpg"


def test_display_rounds_but_the_table_does_not():
    split, images, texts = random_split(4)
    score = evaluate_features(images, texts, split)
    value = score.metrics["t2i/mAP"]
    assert score.table().loc["text→image", "mAP"] == value != round(value, 2)
    assert f"{value:.2f}" in str(score)
    assert f"{value:.2f}" in score._repr_html_()
    assert str(value) not in str(score)


def test_every_model_is_scored_on_every_split(tmp_path):
    class Numbers:
        """Features of the number in a text or a file's name, turned by `seed`."""

        def __init__(self, seed: int) -> None:
            self.turn = np.random.default_rng(seed).normal(size=(8, 8))

        def encode_texts(self, texts, batch_size):
            return torch.from_numpy(np.stack([self._feature(int(text.split()[1])) for text in texts]))

        def encode_images(self, images, batch_size):
            return torch.from_numpy(np.stack([self._feature(int(path.stem)) for path in images]))

        def _feature(self, number: int) -> np.ndarray:
            return (np.random.default_rng(number).normal(size=8) @ self.turn).clip(0) + 0.01

    models = {"one": Numbers(0), "two": Numbers(1)}
    splits = {"few": random_split(2, images=9)[0], "many": random_split(3, images=30)[0]}
    table = cross_evaluate(models, splits, table=tmp_path / "cross.csv", ks=(1, 3))
    read = pd.read_csv(tmp_path / "cross.csv").set_index(["model", "data", "direction"])
    pd.testing.assert_frame_equal(read, table)
    with pytest.raises(ValueError, match="split 'none' has 0 pictures"):
        cross_evaluate(models, splits | {"none": Split("none", ())}, table=tmp_path / "some.csv")
    assert set(pd.read_csv(tmp_path / "some.csv")["data"]) == {"few", "many"}  # what was scored before is kept
    assert table.index.names == ["model", "data", "direction"]
    assert len(table) == 2 * 2 * 2
    for name, model in models.items():
        for data, split in splits.items():
            pd.testing.assert_frame_equal(
                table.loc[name, data], evaluate(model, split, ks=(1, 3)).table(), check_names=False
            )
    assert table.loc["one", "many"].loc["text→image", "mAP"] != table.loc["two", "many"].loc["text→image", "mAP"]


@pytest.mark.filterwarnings("ignore:.*no relevant item")
def test_errors(model):
    empty = Split("val", ())
    with pytest.raises(ValueError, match="split 'val' has 0 pictures"):
        evaluate(model, empty)
    split, images, texts = random_split(5)
    with pytest.raises(ValueError, match="24 features for the 25 items"):
        evaluate_features(images[:-1], texts, split)
    with pytest.raises(ValueError, match="query_ids must have the shape"):
        evaluate_features(images, texts[:-1], split)
