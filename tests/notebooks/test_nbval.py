"""The stored outputs of every notebook are what it computes today; and nbval, as it is run here, can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from tests.notebooks.nbval import validate
from tests.notebooks.test_conventions import NOTEBOOKS
from tireid.runner.notebook import read_notebook, write_notebook
from tireid.runner.parameters import load_profile
from tireid.runner.refresh import refresh

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_up_to_date(path: Path, tmp_path: Path) -> None:
    done = validate(path, load_profile("ci", path), tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook about a square root, with production defaults and the outputs of its CI profile."""
    folder = tmp_path_factory.mktemp("repository") / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles/ci.yaml").write_text("root: {number: 2.0}\n")
    cells = [
        v4.new_markdown_cell("# A root"),
        v4.new_code_cell("number: float = 1000000.0  # under the root", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("import cmath, time\nfrom tireid.experiments import show_metrics"),
        v4.new_code_cell("print(f'{cmath.sqrt(number).real:.3f}')"),
        v4.new_code_cell("show_metrics({'root': cmath.sqrt(number).real})"),
        v4.new_code_cell("print(f'{time.perf_counter() % 100:.3f} seconds')"),
    ]
    path = folder / "root.ipynb"
    write_notebook(v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": ""}}), path)
    assert refresh(path)
    return path


def alter(path: Path, change: Callable[[NotebookNode], None]) -> None:
    nb = read_notebook(path)
    change(nb)
    write_notebook(nb, path)


def test_refresh_keeps_production_defaults_beside_outputs_of_the_profile(refreshed: Path) -> None:
    cells = read_notebook(refreshed).cells
    assert cells[1].source == "number: float = 1000000.0  # under the root"
    assert cells[3].outputs[0].text == "1.414\n"
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, 3, 4, 5]


def test_an_unaltered_notebook_passes(refreshed: Path, tmp_path: Path) -> None:
    done = validate(refreshed, {"number": 2.0}, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "5 passed" in done.stdout


def test_one_altered_digit_fails(refreshed: Path, tmp_path: Path) -> None:
    (tmp_path / "altered").mkdir()
    copy = tmp_path / "altered/root.ipynb"
    write_notebook(read_notebook(refreshed), copy)
    alter(copy, lambda nb: nb.cells[3].outputs[0].update(text="1.415\n"))
    done = validate(copy, {"number": 2.0}, tmp_path / "work")
    assert done.returncode == 1
    assert "1 failed, 4 passed" in done.stdout


def test_a_broken_library_fails(refreshed: Path, tmp_path: Path) -> None:
    done = validate(refreshed, {"number": 2.0}, tmp_path, sabotage="import cmath; cmath.sqrt = lambda x: -(x**0.5)")
    assert done.returncode == 1
    assert "2 failed, 3 passed" in done.stdout
