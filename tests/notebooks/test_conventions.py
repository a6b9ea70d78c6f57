"""Every notebook keeps every convention."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.notebooks.lints import LINTS, Lint
from tests.notebooks.nbval import SHORT
from tireid.runner.notebook import read_notebook

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("lint", LINTS, ids=lambda lint: lint.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_convention(path: Path, lint: Lint) -> None:
    assert not lint(read_notebook(path), path)


def profile(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "profiles" / name).read_text(encoding="utf-8"))
    return found


def test_ci_profile_names_notebooks_that_exist() -> None:
    assert set(profile("ci.yaml")) <= {path.stem for path in NOTEBOOKS}


def test_notebooks_with_outputs_of_their_defaults_have_a_copy_for_nbval() -> None:
    assert profile("full.yaml") == {path.stem: {} for path in SHORT.glob("*.ipynb")}


@pytest.mark.parametrize("path", sorted(SHORT.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_copy_for_nbval_has_the_cells_of_its_notebook(path: Path) -> None:
    """After an edit: `python -m tireid.runner.refresh NAME`."""
    copied, cells = (
        [cell for cell in read_notebook(each).cells if cell.cell_type == "code"] for each in (path, FOLDER / path.name)
    )
    assert [(cell.id, cell.source) for cell in copied] == [(cell.id, cell.source) for cell in cells]
    assert copied != cells, "the outputs of the notebook are those of its defaults"
