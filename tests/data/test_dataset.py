"""Splits as arrays, the checker, and `load_dataset`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tireid.pedestrians
from tests.data.folders import rows, truncate, write_annotation, write_folder
from tireid.data import AnnotationError, Dataset, load_dataset


@pytest.fixture
def content(tmp_path: Path) -> list[dict[str, Any]]:
    return write_folder(tmp_path)


def test_split_arrays_follow_the_records(tmp_path: Path) -> None:
    content = rows(people=3)
    for row, raw in zip(content[:6], (90, 90, 70, 70, 81, 81), strict=True):
        row["id"] = raw
    content[1]["captions"] = ["one", "two", "three", "four"]
    content[2]["captions"] = ["single"]
    write_annotation(tmp_path, content)
    train = load_dataset("CUHK-PEDES", tmp_path).train
    captions, owners, ids = [], [], []
    for index, row in enumerate(content[:6]):
        for caption in row["captions"]:
            captions.append(caption)
            owners.append(index)
            ids.append(row["id"])
    assert train.captions == captions
    assert train.caption_image_index.tolist() == owners
    assert train.caption_person_ids.tolist() == ids
    assert train.image_person_ids.tolist() == [90, 90, 70, 70, 81, 81]
    assert train.label_of == {70: 0, 81: 1, 90: 2}
    assert train.labels.tolist() == [train.label_of[raw] for raw in ids]
    assert [path.name for path in train.image_paths] == [row["file_path"].split("/")[1] for row in content[:6]]
    assert (train.num_people, train.num_images, train.num_captions) == (3, 6, len(captions))
    for array in (train.caption_image_index, train.caption_person_ids, train.image_person_ids, train.labels):
        assert array.dtype == np.int64
    assert repr(train) == f"Split('train': 3 people, 6 images, {len(captions)} captions)"


def test_evaluation_keeps_raw_ids_and_icfg_has_no_val(tmp_path: Path) -> None:
    write_folder(tmp_path, "ICFG-PEDES", captions=1)
    data = load_dataset("ICFG-PEDES", tmp_path)
    assert data.val is None
    assert [split.name for split in data.splits] == ["train", "test"]
    assert set(data.test.caption_person_ids.tolist()) == {2, 3}


def test_good_folder_is_ok_but_unlike_the_published_set(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    data = load_dataset("CUHK-PEDES", tmp_path)
    report = data.check(published=False)
    assert report.ok
    assert report.problems == []
    assert "complete" in str(report)
    assert report.table.loc["val"].to_dict() == {
        "people": 2, "images": 4, "captions": 8, "missing": 0, "unreadable": 0,
    }  # fmt: skip
    compared = data.check()
    assert not compared.ok
    assert compared.table.loc["train", "people published"] == 11003
    assert any("2 people instead of 11003" in problem and "Fix: request it" in problem for problem in compared.problems)


def test_missing_and_unreadable_pictures_are_named_up_to_the_limit(tmp_path: Path) -> None:
    content = write_folder(tmp_path, people=5)
    images = tmp_path / "CUHK-PEDES" / "imgs"
    for row in content[:6]:
        (images / row["file_path"]).unlink()
    for row in content[6:9]:
        truncate(images / row["file_path"])
    (images / content[9]["file_path"]).write_text("not a picture")
    report = load_dataset("CUHK-PEDES", tmp_path).check(limit=2, published=False)
    assert report.table.loc["train", ["missing", "unreadable"]].tolist() == [6, 4]
    named = [problem for problem in report.problems if problem.startswith("missing picture:")]
    assert named == [f"missing picture: {images / row['file_path']}" for row in content[:2]]
    assert any("and 4 more missing pictures. Fix: unpack" in problem for problem in report.problems)
    broken = [problem for problem in report.problems if problem.startswith("unreadable picture:")]
    assert [str(images / row["file_path"]) in problem for row, problem in zip(content[6:8], broken, strict=True)] == [
        True
    ] * 2
    assert "truncated" in broken[0].lower()
    assert any("and 2 more unreadable pictures. Fix: replace" in problem for problem in report.problems)


def test_missing_folder_is_one_sentence(tmp_path: Path, content: list[dict[str, Any]]) -> None:
    shutil.rmtree(tmp_path / "CUHK-PEDES" / "imgs" / "cam_a")
    report = load_dataset("CUHK-PEDES", tmp_path).check(limit=0, published=False)
    assert report.problems[0].startswith("the folder imgs/cam_a is missing, with 12 pictures. Fix: unpack it")
    assert len(report.problems) == 2


def test_flat_folder_without_pictures(tmp_path: Path) -> None:
    write_annotation(tmp_path, rows("RSTPReid"), "RSTPReid")
    report = load_dataset("RSTPReid", tmp_path).check(published=False)
    assert report.table["missing"].tolist() == [4, 4, 4]
    assert not any("the folder" in problem for problem in report.problems)


def test_oddities_are_notes(tmp_path: Path) -> None:
    content = rows()
    content[0]["captions"] = [f"caption {number}" for number in range(10)]
    content[1]["id"] = 77
    write_annotation(tmp_path, content)
    notes = load_dataset("CUHK-PEDES", tmp_path).check(published=False).notes
    assert "train: 1 images have more than two captions (at most 10)" in notes
    assert "train: 2 people have a single image" in notes


def test_report_escapes_names_from_disk(tmp_path: Path) -> None:
    content = rows()
    content[0]["file_path"] = "cam_a/<script>alert(1)<"
    write_annotation(tmp_path, content)
    page = load_dataset("CUHK-PEDES", tmp_path).check()._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_every_picture_is_read_once(
    tmp_path: Path, content: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tireid.data.checks as checks

    opened: list[Path] = []
    original = checks.verify_image
    monkeypatch.setattr(checks, "verify_image", lambda path: (opened.append(path), original(path))[1])
    seen: list[tuple[int, int]] = []
    load_dataset("CUHK-PEDES", tmp_path).check(published=False, on_progress=lambda *at: seen.append(at))
    assert sorted(path.name for path in opened) == sorted(row["file_path"].split("/")[1] for row in content)
    assert seen[-1] == (12, 12)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("Market",), "known: CUHK-PEDES, ICFG-PEDES, RSTPReid, synthetic"),
        (("CUHK-PEDES",), "needs root, the folder that holds CUHK-PEDES/imgs"),
    ],
)
def test_load_dataset_explains_itself(arguments: tuple[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_dataset(*arguments)


def test_options_are_for_the_synthetic_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\['seed'\] are for 'synthetic' only"):
        load_dataset("CUHK-PEDES", tmp_path, seed=1)
    with pytest.raises(ValueError, match="always written as CUHK-PEDES"):
        load_dataset("synthetic", tmp_path, layout="RSTPReid")


def test_annotation_errors_pass_through(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError):
        load_dataset("RSTPReid", tmp_path)


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, dict[str, Any]]]:
    """`write_dataset` replaced by one that writes a small folder and notes its calls."""
    calls: list[tuple[Path, dict[str, Any]]] = []

    def write_dataset(root: str | Path, **options: Any) -> Path:
        calls.append((Path(root), options))
        write_folder(Path(root), options["layout"])
        (Path(root) / options["layout"] / "generator.json").write_text(json.dumps({}))
        return Path(root)

    monkeypatch.setattr(tireid.pedestrians, "write_dataset", write_dataset)
    return calls


def test_synthetic_set_lives_in_the_cache_under_its_options(
    tmp_path: Path, writer: list[tuple[Path, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("TIREID_CACHE", raising=False)
    data = load_dataset("synthetic", people=(2, 2, 2), seed=3)
    again = load_dataset("synthetic", seed=3, people=(2, 2, 2), processes=2)
    other = load_dataset("synthetic", seed=4, people=(2, 2, 2))
    assert isinstance(data, Dataset)
    assert data.name == "synthetic"
    assert data.root == again.root != other.root
    assert data.root.parent == tmp_path / "xdg" / "tireid"
    assert writer[1][1] == {"layout": "CUHK-PEDES", "people": (2, 2, 2), "seed": 3, "processes": 2}
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "own"))
    assert load_dataset("synthetic").root.parent == tmp_path / "own"
    monkeypatch.setattr(tireid.pedestrians, "GENERATOR_VERSION", "another")
    assert load_dataset("synthetic", people=(2, 2, 2), seed=3).root.name != data.root.name


def test_generated_sets_are_not_compared_with_published_counts(
    tmp_path: Path, writer: list[tuple[Path, dict[str, Any]]]
) -> None:
    assert load_dataset("synthetic", tmp_path).check().ok
    assert load_dataset("CUHK-PEDES", tmp_path).check().ok  # the same folder by its layout's name


@pytest.mark.parametrize("layout", ["CUHK-PEDES", "ICFG-PEDES", "RSTPReid"])
def test_drawn_pedestrians_are_read_back_in_every_layout(tmp_path: Path, layout: Any) -> None:
    from tireid.pedestrians import write_dataset

    write_dataset(tmp_path, layout=layout, people=(2, 1, 1), images_per_person=2, processes=1)
    data = load_dataset(layout, tmp_path)
    assert [split.num_people for split in data.splits] == ([2, 1] if layout == "ICFG-PEDES" else [2, 1, 1])
    assert data.train.num_captions == data.train.num_images * (1 if layout == "ICFG-PEDES" else 2)
    assert min(data.train.label_of) == (1 if layout == "CUHK-PEDES" else 0)
    assert all((record.camera is not None) == (layout == "RSTPReid") for record in data.train.records)
    assert data.check().ok


def test_shuffled_captions_are_a_permutation_that_moves_the_share_asked_for(tmp_path: Path) -> None:
    data = load_dataset("synthetic", tmp_path, people=(20, 1, 2))
    before = data.train
    for share in (0.0, 0.2, 1.0):
        noisy = data.with_shuffled_captions(share, seed=3)
        after = noisy.train
        assert sorted(after.captions) == sorted(before.captions)
        assert after.image_paths == before.image_paths
        assert np.array_equal(after.caption_image_index, before.caption_image_index)
        moved = sum(a != b for a, b in zip(after.captions, before.captions, strict=True))
        assert moved == round(share * before.num_captions)  # no two captions of this set are equal
        assert noisy.test is data.test
    assert data.with_shuffled_captions(0.5, 1).train.captions == data.with_shuffled_captions(0.5, 1).train.captions
    assert data.with_shuffled_captions(0.5, 1).train.captions != data.with_shuffled_captions(0.5, 2).train.captions
    with pytest.raises(ValueError, match=r"share must be between 0 and 1, got 1.5"):
        data.with_shuffled_captions(1.5, 1)


def test_the_fingerprint_is_that_of_the_annotations_wherever_they_lie(tmp_path: Path) -> None:
    options = {"people": (3, 1, 2), "images_per_person": 2}
    here, there = (load_dataset("synthetic", tmp_path / name, **options) for name in ("here", "there"))
    assert here.fingerprint == there.fingerprint
    assert here.fingerprint != load_dataset("synthetic", tmp_path / "other", seed=1, **options).fingerprint
    assert here.fingerprint != here.with_shuffled_captions(1.0, 0).fingerprint
