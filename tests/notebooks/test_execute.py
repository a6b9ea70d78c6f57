"""Every notebook runs from start to end with the CI profile, and computes what is stored in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.notebooks.nbval import compared, differences, run_copy
from tests.notebooks.test_conventions import NOTEBOOKS
from tireid.experiments import RunResult

TRAINS_A_STUDY = "12_report_template"
"""Run by `test_studies`, whose other notebooks go on with what it trained."""
OTHERS = [path for path in NOTEBOOKS if path.stem != TRAINS_A_STUDY]


@pytest.fixture(scope="module", params=OTHERS, ids=lambda path: path.stem)
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run_copy(request.param, tmp_path_factory.mktemp(request.param.stem))


def numbers(tree: Mapping[str, Any]) -> Iterator[float]:
    for value in tree.values():
        if isinstance(value, Mapping):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield value


@pytest.mark.slow
def test_notebook_runs_and_measures_something(finished: RunResult) -> None:
    assert (finished.output_dir / "DONE").exists()
    metrics = json.loads((finished.output_dir / "metrics.json").read_text(encoding="utf-8"))
    values = list(numbers(metrics))
    assert values
    assert all(map(math.isfinite, values))
    assert finished.html is not None


@pytest.mark.slow
def test_outputs_are_up_to_date(finished: RunResult, request: pytest.FixtureRequest) -> None:
    found = differences(compared(finished.notebook.name), finished.notebook, request.session)
    assert not found, "\n".join(found)
