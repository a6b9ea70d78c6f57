"""The study notebooks with a small study that really trains: what CI's profile only reads is also run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.notebooks.nbval import run_copy
from tests.notebooks.test_conventions import FOLDER
from tests.notebooks.test_execute import TRAINS_A_STUDY as REPORT
from tests.notebooks.test_execute import test_notebook_runs_and_measures_something, test_outputs_are_up_to_date
from tireid.experiments import RunResult, Study, run
from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import load_profile, read_parameters

__all__ = ["test_notebook_runs_and_measures_something", "test_outputs_are_up_to_date"]  # of `finished` below
SMALL = ("10_ablation", "11_peers")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The report's run, which trains the small study; the other notebooks find these trainings and keep the results."""
    return run_copy(FOLDER / f"{REPORT}.ipynb", tmp_path_factory.mktemp(REPORT))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_study_notebooks_train_what_is_missing_and_report_it(finished: RunResult, tmp_path: Path) -> None:
    copy, runs = finished.output_dir.parent / FOLDER.name, finished.output_dir.parent / "runs/studies"
    folders = {"results": str(tmp_path / "results"), "runs": str(runs)}
    trained = {path: path.read_bytes() for path in runs.glob("*/provenance.json")}
    for name in SMALL:
        done = run(copy / f"{name}.ipynb", folders, profile="small", output_dir=tmp_path / name, log=False)
        differences = [value for key, row in done.metrics.items() if "," in key for value in row.values()]
        assert differences
        assert all(map(math.isfinite, differences))
    studies = [Study.read(FOLDER / "studies" / name) for name in ("small.yaml", "small_noise.yaml")]
    for task in (task for study in studies for task in study.tasks):
        metrics = json.loads((tmp_path / "results" / task.key / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["steps"] > 0
    assert len(trained) == len(studies[0].tasks)
    assert all(path.read_bytes() == content for path, content in trained.items()), "what is there is not trained again"


@pytest.mark.parametrize("name", SMALL)
def test_small_profile_replaces_every_study_of_the_notebook(name: str) -> None:
    """What it left out would be trained whole: hours."""
    declared = read_parameters(read_notebook(FOLDER / f"{name}.ipynb"))
    named = {key: _studies(parameter.default) for key, parameter in declared.items() if _studies(parameter.default)}
    values = {key: parameter.default for key, parameter in declared.items()}
    values |= load_profile("small", FOLDER / f"{name}.ipynb")
    assert len(named) >= 3
    for key in named:
        assert set(_studies(values[key])) <= {"studies/small.yaml", "studies/small_noise.yaml"}, key


def _studies(value: object) -> list[str]:
    if isinstance(value, list):
        return [study for item in value for study in _studies(item)]
    return [value] if isinstance(value, str) and value.endswith(".yaml") else []
