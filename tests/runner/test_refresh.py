from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.runner.execution import NotebookError
from tireid.runner.refresh import clean, main, refresh, workspace


def test_clean_drops_a_widget_reference_only_beside_another_form() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    cell = code("1")
    cell.outputs = [
        v4.new_output("display_data", data=view | {"text/plain": "a list"}),
        v4.new_output("display_data", data=dict(view)),
    ]
    assert [output.data for output in clean(book(cell)).cells[0].outputs] == [{"text/plain": "a list"}, view]


def test_workspace_keeps_the_surroundings(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    save(book(code("1")), tmp_path, "other")
    copy = workspace(path, {"epochs": 1}, tmp_path / "work")
    assert copy == tmp_path / "work/notebooks/book.ipynb"
    assert (copy.parent / "other.ipynb").exists()
    assert "epochs: int = 1 " in nbformat.read(copy, as_version=4).cells[0].source
    assert "epochs: int = 60 " in nbformat.read(path, as_version=4).cells[0].source


@pytest.mark.slow
def test_a_failing_notebook_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = save(book(parameters(), code("print(epochs)"), code("1 / 0")), tmp_path)
    (path.parent / "profiles").mkdir()
    (path.parent / "profiles/ci.yaml").write_text("{}")
    before = path.read_bytes()
    with pytest.raises(NotebookError, match=r"cell 3 \('1 / 0'\)"):
        refresh(path)
    assert main(["book", "--folder", str(path.parent)]) == 1
    assert "failed, left as it was" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert not (tmp_path / "runs").exists()
