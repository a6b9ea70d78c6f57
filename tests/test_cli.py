"""The command line, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tireid.cli import main
from tireid.pedestrians import write_dataset


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_dataset(root, people=(8, 3, 4), images_per_person=2, captions_per_image=1, processes=1)
    return root


def test_check_data_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path, people=(3, 1, 1), images_per_person=2, captions_per_image=1, processes=1)
    check = ["check-data", "--dataset", "CUHK-PEDES", "--root", str(tmp_path)]
    assert main(check) == 0
    gone = sorted(folder.glob("imgs/**/*.jpg"))[0]
    gone.unlink()
    capsys.readouterr()
    assert main(check) == 1
    assert gone.name in capsys.readouterr().out


def test_a_wrong_root_is_an_error_with_a_name_and_a_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", "--dataset", "RSTPReid", "--root", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "RSTPReid" in message
    assert "Traceback" not in message


def test_train_evaluate_index_search(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--dataset", "CUHK-PEDES", "--root", str(root)]
    smoke = ["--backbone", "tiny", "--epochs", "1", "--set", "sampler.batch_size=4"]
    assert main(["train", "--preset", "clip", *data, *smoke, "--output-dir", str(tmp_path / "run")]) == 0
    assert "test/best/t2i/R@1" in capsys.readouterr().out
    best = str(tmp_path / "run" / "best")

    assert main(["evaluate", "--model", best, *data, "--output-dir", str(tmp_path / "score")]) == 0
    assert "R@1" in capsys.readouterr().out
    assert json.loads((tmp_path / "score" / "metrics.json").read_text(encoding="utf-8"))

    assert main(["index", str(root / "CUHK-PEDES" / "imgs"), str(tmp_path / "gallery"), "--model", best]) == 0
    assert "30 pictures indexed" in capsys.readouterr().out
    page = tmp_path / "result.html"
    search = ["search", str(tmp_path / "gallery"), "a man in a <b>red</b> coat", "--model", best, "-k", "3"]
    assert main([*search, "--html", str(page)]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) >= 4
    html = page.read_text(encoding="utf-8")
    assert html.count("<img") == 3
    assert "<b>red</b>" not in html


def test_mistyped_option_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--set", "loss.gama=3", "--output-dir", str(tmp_path / "run")]) == 2
    assert "did you mean 'loss.gamma'" in capsys.readouterr().err


def test_generate_writes_the_layout_that_was_asked_for(tmp_path: Path) -> None:
    people = ["--people", "2", "0", "1"]
    assert main(["generate", str(tmp_path), "--layout", "ICFG-PEDES", "--style", "studio", *people]) == 0
    assert (tmp_path / "ICFG-PEDES" / "ICFG-PEDES.json").is_file()
