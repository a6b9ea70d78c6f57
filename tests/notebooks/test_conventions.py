"""Every notebook keeps every convention."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.notebooks.lints import LINTS, Lint
from tireid.runner.notebook import read_notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_convention(path: Path, lint: Lint) -> None:
    assert not lint(read_notebook(path), path)


def test_ci_profile_names_notebooks_that_exist() -> None:
    profile = yaml.safe_load((FOLDER / "profiles" / "ci.yaml").read_text(encoding="utf-8"))
    assert set(profile) <= {path.stem for path in NOTEBOOKS}
