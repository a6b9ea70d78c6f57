"""A folder belongs to one configuration and to one set of data: figures of another are never given back."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tireid.cli import main
from tireid.data import Dataset, Split, load_dataset
from tireid.options import Config
from tireid.train import TrainingError, train

PEOPLE = {"people": (6, 2, 3), "images_per_person": 2, "captions_per_image": 1, "processes": 1}


def config(**options: object) -> Config:
    return Config.preset("clip", epochs=2, **options).override(["sampler.batch_size=4", "sampler.kind=random"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return load_dataset("synthetic", tmp_path_factory.mktemp("people"), **PEOPLE)


def interrupted(output: Path, **options: object) -> None:
    def stop(row: dict[str, float]) -> None:
        if row["epoch"] > 1:  # the first epoch is kept
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config().override(["training.log_every=1"]), output, on_log=stop, **options)  # type: ignore[arg-type]


def test_other_data_neither_resume_nor_read_back(data: Dataset, tmp_path: Path) -> None:
    other = data.with_shuffled_captions(1.0, seed=0)
    interrupted(tmp_path / "resumed", data=data)
    with pytest.raises(TrainingError, match=r"holds a run on other data \(synthetic, fingerprint"):
        train(config().override(["training.log_every=1"]), tmp_path / "resumed", data=other)
    run = train(config(), tmp_path / "finished", data=data)
    with pytest.raises(TrainingError, match="holds a run on other data"):
        train(config(), tmp_path / "finished", data=other)
    assert train(config(), tmp_path / "finished", data=data).metrics == run.metrics


def repair(folder: Path) -> None:
    file = folder / "CUHK-PEDES" / "reid_raw.json"
    rows = json.loads(file.read_text())
    rows[0]["captions"] = ["another description"]
    file.write_text(json.dumps(rows))


def retouch(folder: Path) -> None:
    picture = next((folder / "CUHK-PEDES").glob("imgs/**/*.jpg"))
    picture.write_bytes(picture.read_bytes() + b"\n")


@pytest.mark.parametrize("change", [repair, retouch])
def test_what_changed_on_disk_is_other_data_and_what_moved_is_not(
    data: Dataset, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    shutil.copytree(data.root, tmp_path / "data")
    options = config(dataset="CUHK-PEDES", root=str(tmp_path / "data"), backbone="tiny")
    run = train(options, tmp_path / "run")
    (tmp_path / "data").rename(tmp_path / "gone")
    assert train(options, tmp_path / "run").metrics == run.metrics  # finished figures can be read without the data
    (tmp_path / "gone").rename(tmp_path / "data")
    assert load_dataset("CUHK-PEDES", tmp_path / "data").fingerprint == data.fingerprint
    change(tmp_path / "data")
    with pytest.raises(TrainingError, match="captions, people, splits or pictures are not the same"):
        train(options, tmp_path / "run")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_split_is_said_before_anything_is_computed(data: Dataset, tmp_path: Path, split: str) -> None:
    without = replace(data, **{split: Split(split, ())})
    report = without.check()
    assert not report.ok
    assert any(f"no picture belongs to the {split} split" in problem for problem in report.problems)
    with pytest.raises(ValueError, match=f"synthetic has no {split} split with captions"):
        train(config(), tmp_path / "run", data=without)
    assert not list((tmp_path / "run").glob("state-*"))


def own_table(data: Dataset, folder: Path) -> Path:
    """The pictures under names that are no UTF-8, and a table of them."""
    rows = [["path", "caption", "person", "split"]]
    for split in data.splits:
        for number, record in enumerate(split.records):
            name = os.fsdecode(b"caf\xe9-" + f"{split.name}-{number}.jpg".encode())
            shutil.copy(record.image, folder / name)
            rows += [[name, caption, f"p{record.person_id}", split.name] for caption in record.captions]
    with (folder / "my.csv").open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder / "my.csv"


def test_own_data_go_through_every_command(
    data: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "cache"))
    table, run = str(own_table(data, tmp_path)), str(tmp_path / "run")
    assert main(["check-data", "--dataset", table]) == 0
    assert "people are numbered by their names" in capsys.readouterr().out
    smoke = ["--epochs", "1", "--set", "sampler.batch_size=4"]
    assert (
        main(["train", "--preset", "clip", "--backbone", "tiny", "--dataset", table, *smoke, "--output-dir", run]) == 0
    )
    assert json.loads((tmp_path / "run" / "config.json").read_text())["dataset"] == table
    model = ["--model", f"{run}/best", "--dataset", table, "--output-dir", str(tmp_path / "score")]
    assert main(["evaluate", *model]) == 0
    assert len((tmp_path / "score" / "per_query.csv").read_bytes().splitlines()) == 1 + 2 * data.test.num_captions
    assert main(["evaluate", "--dataset", str(tmp_path / "none.csv")]) == 2
    assert "no such file or folder. Fix: pass the path" in capsys.readouterr().err


def test_a_dry_run_takes_the_first_people_of_each_split(data: Dataset, tmp_path: Path) -> None:
    some = data.head(2)
    assert [split.num_people for split in some.splits] == [2, 2, 2]
    assert some.train.records == data.train.records[:4]
    assert some.fingerprint != data.fingerprint
    assert "only the first 2 people of each split" in some.check().notes
    assert train(config(), tmp_path / "run", data=some).metrics["steps"] == 2
    with pytest.raises(ValueError, match="people must be a positive integer, got 0"):
        data.head(0)
