"""Code and preset files from outside are part of what a run is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.runner.books import book, code, parameters, save
from tireid.basics.parts import PartError
from tireid.basics.section import ConfigError
from tireid.cli import main
from tireid.runner import run
from tireid.runner.identity import fingerprints
from tireid.studies import Study, StudyError

SOURCE = 'raise SystemExit("executed")\n'
DECLARED = 'preset: str = "paper"\ndataset: str = "synthetic"\noverrides: list = []'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook, and beside it a module with parts and presets that name one."""
    notebooks = save(book(parameters(DECLARED), code("print(preset, dataset, overrides)")), tmp_path).parent
    (notebooks / "outside_i.py").write_text(SOURCE)
    (notebooks / "mine.yaml").write_text("options: {loss: {alignment: 'outside_i:Loss'}}\n")
    (notebooks / "child.yaml").write_text("extends: mine.yaml\n")
    return notebooks


@pytest.mark.parametrize(
    "asked",
    [
        {"overrides": ["loss.alignment=outside_i:Loss", "epochs=3"]},
        {"overrides": ["uncertainty.fusion = outside_i:fuse"]},
        {"overrides": ["training.metrics=[outside_i:rank, 'outside_i:other']"]},
        {"dataset": "outside_i:read"},
        {"preset": "mine.yaml"},
        {"preset": "child.yaml"},
    ],
)
def test_a_changed_source_changes_what_is_known_of_a_run(asked: dict[str, object], folder: Path) -> None:
    before = fingerprints(asked, folder)
    assert any(name.startswith("outside_i:") for name in before)
    assert fingerprints(asked, folder) == before
    (folder / "outside_i.py").write_text(SOURCE + "#\n")
    after = fingerprints(asked, folder)
    assert {name for name in after if after[name] != before[name]} == {n for n in after if n.startswith("outside_i:")}
    assert "outside_i" not in sys.modules


def test_a_changed_preset_changes_it_too(folder: Path) -> None:
    before = fingerprints({"preset": "child.yaml"}, folder)
    assert set(before) == {"child.yaml", "mine.yaml", "outside_i:Loss"}
    (folder / "mine.yaml").write_text("options: {epochs: 3}\n")
    after = fingerprints({"preset": "child.yaml"}, folder)
    assert after["child.yaml"] == before["child.yaml"]
    assert after["mine.yaml"] != before["mine.yaml"]


def test_a_source_may_lie_where_the_command_is_given(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outside_j.py").write_text(SOURCE)
    beside = fingerprints({"overrides": ["loss.alignment=outside_i:Loss"]}, folder)
    assert [*fingerprints({"dataset": "outside_j:read"}, folder).values()] == [*beside.values()]
    Path("outside_i.py").write_text(SOURCE + "#\n")  # that beside the notebook is the one which its kernel imports
    assert fingerprints({"overrides": ["loss.alignment=outside_i:Loss"]}, folder) == beside


def test_what_names_nothing_from_outside_has_none(folder: Path) -> None:
    asked = {"preset": "irra", "dataset": "CUHK-PEDES", "overrides": ["loss.gamma=3"], "note": "outside_i:Loss"}
    assert fingerprints(asked, folder) == {}


def test_a_source_that_is_not_there_is_an_error_that_names_it(folder: Path) -> None:
    with pytest.raises(PartError, match=r"outside_none:Loss.*no source file"):
        fingerprints({"overrides": ["loss.alignment=outside_none:Loss"]}, folder)
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read"):
        fingerprints({"preset": "none.yaml"}, folder)
    with pytest.raises(StudyError, match=r"outside_none:Loss.*no source file"):
        Study.from_dict({"notebook": "book.ipynb", "arms": {"a": {"dataset": "outside_none:Loss"}}}, folder / "s.yaml")


def test_the_source_is_part_of_a_tasks_key_and_of_no_other(folder: Path) -> None:
    arms = {"plain": {}, "own": {"loss.alignment": "outside_i:Loss"}}

    def keys() -> dict[str, str]:
        study = Study.from_dict({"notebook": "book.ipynb", "arms": arms}, folder / "study.yaml")
        return {task.arm: task.key for task in study.tasks}

    before = keys()
    assert keys() == before
    (folder / "outside_i.py").write_text(SOURCE + "#\n")
    assert keys()["plain"] == before["plain"]
    assert keys()["own"] != before["own"]


def test_a_finished_run_is_not_read_back_for_another_source(folder: Path, tmp_path: Path) -> None:
    asked = {"overrides": ["loss.alignment=outside_i:Loss"]}

    def again() -> bool:
        result = run(folder / "book.ipynb", asked, output_dir=tmp_path / "run", html=False, log=False, skip_done=True)
        return result.skipped

    assert [again(), again()] == [False, True]
    (folder / "outside_i.py").write_text(SOURCE + "#\n")
    assert [again(), again()] == [False, True]


def test_the_command_line_trusts_what_it_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIREID_TRUST", "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "study.yaml").write_text("notebook: book.ipynb\n")
    monkeypatch.chdir(folder)
    assert main(["sweep", "study.yaml", "--list", "--trust", "outside_i", "--trust", "outside_j"]) == 0
    assert os.environ["TIREID_TRUST"].split(",")[:2] == ["outside_i", "outside_j"]
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(folder.resolve())
