"""The study notebooks with a small study that really trains: what CI's profile only reads is also run."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.notebooks.test_conventions import FOLDER
from tireid.experiments import Study, run
from tireid.runner.parameters import load_profile

SMALL = ("10_ablation", "11_peers")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_study_notebooks_train_what_is_missing_and_report_it(tmp_path: Path) -> None:
    folders = {"results": str(tmp_path / "results"), "runs": str(tmp_path / "runs")}
    for name in SMALL:
        done = run(FOLDER / f"{name}.ipynb", folders, profile="small", output_dir=tmp_path / name, log=False)
        differences = [value for key, row in done.metrics.items() if "," in key for value in row.values()]
        assert differences
        assert all(map(math.isfinite, differences))
    studies = [Study.read(FOLDER / "studies" / name) for name in ("small.yaml", "small_noise.yaml")]
    for task in (task for study in studies for task in study.tasks):
        metrics = json.loads((tmp_path / "results" / task.key / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["steps"] > 0


@pytest.mark.parametrize("name", SMALL)
def test_small_profile_names_what_the_notebook_has(name: str) -> None:
    values = load_profile("small", FOLDER / f"{name}.ipynb")
    for key in {"converged", "study", "scale", "options", "recovery", "in_paper", "noise"} & values.keys():
        assert Study.read(FOLDER / values[key]).tasks
