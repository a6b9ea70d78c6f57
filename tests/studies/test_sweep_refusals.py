"""What a sweep and a report refuse, say, and keep from a page, without a kernel."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.books import book, code, parameters, save
from tests.studies.studies import made_up
from tireid.basics.parts import UntrustedPartError
from tireid.experiments import sweep
from tireid.studies.launcher import Outcome
from tireid.studies.report import write_report
from tireid.studies.store import Store
from tireid.studies.study import Study, Task
from tireid.studies.sweep import Sweep, _Run


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"jobs": 0}, "jobs: expected 1 to"),
        ({"jobs": 9999}, "jobs: expected 1 to .* processors, got 9999"),
        ({"threads": 0}, "threads: expected 1 or more"),
        ({"timeout": 0.0}, "timeout must be a number of seconds above 0"),
        ({"timeout": -5.0}, "timeout must be a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout must be a number of seconds above 0"),
        ({"cluster": "slurm", "runs": "a/100%test"}, "runs: Slurm takes a % in a path"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_runs(tmp_path: Path, how: dict[str, Any], message: str) -> None:
    study = Study.from_dict({"notebook": "book.ipynb"}, save(book(parameters("a: int = 1")), tmp_path))
    with pytest.raises(ValueError, match=message):
        sweep(study, **{"runs": tmp_path / "runs", **how})
    assert not (tmp_path / "runs").exists()


def test_code_that_is_not_trusted_is_told_before_anything_runs(tmp_path: Path) -> None:
    path = save(book(parameters("overrides: list = []\nseed: int = 0")), tmp_path)
    (tmp_path / "notebooks/strange_losses.py").write_text("raise SystemExit('this was run')")
    arms = {"circle": {}, "own": {"overrides": ["loss.alignment=strange_losses:Own"]}}
    tree = {"notebook": "book.ipynb", "arms": arms, "seeds": [1, 2]}
    study = Study.from_dict(tree, path)
    with pytest.raises(UntrustedPartError, match=r"study .*, own, seed 1 names 'strange_losses:Own'.*--trust"):
        sweep(study, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["100%test", "%j", "{} {seed}"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    study = Study.from_dict({"notebook": "book.ipynb"}, save(book(parameters("a: int = 1"), code("1")), tmp_path))
    done = sweep(study, runs=tmp_path / name)
    assert done.ok, done
    assert (tmp_path / name / study.tasks[0].key / "DONE").is_file()
    (logs,) = (tmp_path / name / "logs").iterdir()
    assert list(logs.glob("*_log.out"))
    assert all(path.is_file() for path in logs.iterdir()), "submitit's placeholders became folders"


@pytest.mark.slow
def test_a_killed_job_does_not_get_what_an_earlier_process_of_its_number_found(tmp_path: Path) -> None:
    kill = code("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)")
    study = Study.from_dict({"notebook": "book.ipynb"}, save(book(parameters("a: int = 1"), kill), tmp_path))
    found = pickle.dumps(("success", Outcome(study.tasks[0], "done")))
    for number in range(os.getpid(), os.getpid() + 3000):
        for folder in (tmp_path / f"runs/logs/{number}", tmp_path / "runs/logs"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}_0_result.pkl").write_bytes(found)
    (outcome,) = sweep(study, runs=tmp_path / "runs").outcomes
    assert outcome.status == "failed", outcome


@pytest.mark.slow
def test_a_notebook_that_was_edited_or_has_the_same_name_elsewhere_runs_again(tmp_path: Path) -> None:
    tree = {"notebook": "book.ipynb"}
    for number, source in enumerate(["1", "2"]):
        path = save(book(parameters("a: int = 1"), code(source)), tmp_path / "same")
        done = sweep(Study.from_dict(tree, path), runs=tmp_path / "runs")
        assert [outcome.status for outcome in done.outcomes] == ["done"], number
    again = sweep(Study.from_dict(tree, path), runs=tmp_path / "runs")
    assert [outcome.status for outcome in again.outcomes] == ["skipped"]


def test_a_line_of_progress_cannot_steer_the_terminal() -> None:
    task = Task("arm\x1b[2J\nx", 1, Path("a.ipynb"), {})
    outcome = Outcome(task, "failed", 1.0, "a\x1b]0;title\x07")
    shown = str(Sweep(Study("s", Path("a.ipynb"), (task,)), Path(), Path(), (outcome,)))
    assert shown.splitlines()[1:] == [r"failed: arm\x1b[2J x, seed 1 (1 s): a\x1b]0;title\x07"]


HOSTILE = "<img src=x onerror=alert(1)> `a` [l](javascript:x) | b"


def test_names_are_text_in_a_report(tmp_path: Path) -> None:
    found = made_up(arms=(HOSTILE, "other"), missing=[Task(HOSTILE, 9, Path("x.ipynb"), {})])
    study = replace(found.study, name=HOSTILE, notebook=Path("`<b>x</b>`.ipynb"))
    provenance = found.provenance.assign(**{"machine/cpu": HOSTILE})
    page = write_report(replace(found, study=study, provenance=provenance), tmp_path).read_text(encoding="utf-8")
    assert "<img" not in page
    assert "<b>" not in page
    assert "](javascript" not in page
    assert page.count("onerror=alert(1)") > 4


def test_a_baseline_without_runs_is_not_replaced_silently(tmp_path: Path) -> None:
    found = made_up(arms=("second", "third"))
    tasks = tuple(Task(arm, 1, Path("06_train.ipynb"), {}) for arm in ("first", "second", "third"))
    whole = replace(found, study=replace(found.study, tasks=tasks), missing=tasks[:1])
    page = write_report(whole, tmp_path).read_text(encoding="utf-8")
    assert "**The baseline first has no finished run: the arms are compared with second.**" in page
    with pytest.raises(ValueError, match="there is no finished run of the arm 'first'"):
        write_report(whole, tmp_path, "first")
    assert "no finished run" not in write_report(found, tmp_path).read_text(encoding="utf-8")


def test_a_notebook_that_was_edited_meanwhile_is_not_kept_as_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # which a run sets
        monkeypatch.setenv(name, "1")
    path = save(book(parameters("a: int = 1"), code("1")), tmp_path)
    (task,) = Study.from_dict({"notebook": "book.ipynb"}, path).tasks
    save(book(parameters("a: int = 1"), code("2")), tmp_path)
    outcome = _Run(task, tmp_path / "runs", tmp_path / "results", 1, None)()
    assert (outcome.status, outcome.message) == ("failed", "book.ipynb changed since the study was read")
    assert task not in Store(tmp_path / "results")
