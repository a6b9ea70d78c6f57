"""The comparison of stored outputs with those of a run, as it is used here, can fail."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode, v4

from tests.notebooks.nbval import differences, run_copy
from tireid.runner.notebook import read_notebook, write_notebook
from tireid.runner.refresh import refresh

pytestmark = pytest.mark.slow
LIBRARY = "def root(number):\n    return number**0.5\n"


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook about a square root, with production defaults and the outputs of its CI profile."""
    folder = tmp_path_factory.mktemp("repository") / "notebooks"
    (folder / "profiles").mkdir(parents=True)
    (folder / "profiles/ci.yaml").write_text("root: {number: 2.0}\n")
    (folder / "roots.py").write_text(LIBRARY)
    cells = [
        v4.new_markdown_cell("# A root"),
        v4.new_code_cell("number: float = 1000000.0  # under the root", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("import time\nfrom roots import root\nfrom tireid.experiments import show_metrics"),
        v4.new_code_cell("print(f'{root(number):.3f}')"),
        v4.new_code_cell("show_metrics({'root': root(number)})"),
        v4.new_code_cell("print(f'{time.perf_counter() % 100:.3f} seconds')"),
        v4.new_code_cell("from tireid.basics.progress import Progress\nProgress(1, 'never compared').update()"),
    ]
    path = folder / "root.ipynb"
    write_notebook(v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": ""}}), path)
    assert refresh(path)
    return path


@pytest.fixture(scope="module")
def executed(refreshed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_copy(refreshed, tmp_path_factory.mktemp("executed")).notebook


def test_refresh_keeps_production_defaults_beside_outputs_of_the_profile(refreshed: Path) -> None:
    cells = read_notebook(refreshed).cells
    assert cells[1].source == "number: float = 1000000.0  # under the root"
    assert cells[3].outputs[0].text == "1.414\n"
    assert [cell.execution_count for cell in cells[1:]] == [1, 2, 3, 4, 5, 6]


def test_an_unaltered_notebook_passes(refreshed: Path, executed: Path, request: pytest.FixtureRequest) -> None:
    assert differences(refreshed, executed, request.session) == []


def one_digit(nb: NotebookNode) -> None:
    nb.cells[3].outputs[0].text = "1.415\n"


def one_output_more(nb: NotebookNode) -> None:
    nb.cells[2].outputs.append(nb.cells[3].outputs[0])


def one_output_less(nb: NotebookNode) -> None:
    nb.cells[4].outputs.clear()


def never_run(nb: NotebookNode) -> None:
    nb.cells[5].execution_count = None


@pytest.mark.parametrize(
    ("alter", "cell"), [(one_digit, 2), (one_output_more, 1), (one_output_less, 3), (never_run, 4)]
)
def test_one_alteration_fails(
    alter: Callable[[NotebookNode], None],
    cell: int,
    refreshed: Path,
    executed: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    nb = read_notebook(refreshed)
    alter(nb)
    write_notebook(nb, tmp_path / "root.ipynb")
    (found,) = differences(tmp_path / "root.ipynb", executed, request.session)
    assert found.startswith(f"cell {cell}: ")


def test_a_broken_library_fails(refreshed: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    broken = shutil.copytree(refreshed.parent, tmp_path / "notebooks")
    (broken / "roots.py").write_text(LIBRARY.replace("return ", "return -"))
    done = run_copy(broken / "root.ipynb", tmp_path / "run").notebook
    found = differences(refreshed, done, request.session)
    assert [text.partition(":")[0] for text in found] == ["cell 2", "cell 3"]
    assert "-1.414" in found[0]
