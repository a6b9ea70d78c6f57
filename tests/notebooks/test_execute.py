"""Every notebook runs from start to end with the CI profile, through papermill's real injection."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.notebooks.test_conventions import NOTEBOOKS
from tireid.experiments import run

RUN_SECONDS = 480


def numbers(tree: Mapping[str, Any]) -> Iterator[float]:
    for value in tree.values():
        if isinstance(value, Mapping):
            yield from numbers(value)
        elif isinstance(value, int | float):
            yield value


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_measures_something(path: Path, tmp_path: Path) -> None:
    result = run(path, profile="ci", output_dir=tmp_path, timeout=RUN_SECONDS, log=False)
    assert (tmp_path / "DONE").exists()
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    values = list(numbers(metrics))
    assert values
    assert all(map(math.isfinite, values))
    assert result.html is not None
