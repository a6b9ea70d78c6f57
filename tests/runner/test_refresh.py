from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.runner.execution import NotebookError
from tireid.runner.refresh import clean, main, refresh, without_pictures, workspace


def test_clean_drops_a_widget_reference_only_beside_another_form() -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "a"}}
    cell = code("1")
    cell.outputs = [
        v4.new_output("display_data", data=view | {"text/plain": "a list"}),
        v4.new_output("display_data", data=dict(view)),
    ]
    assert [output.data for output in clean(book(cell)).cells[0].outputs] == [{"text/plain": "a list"}, view]


def test_a_copy_without_pictures_keeps_what_stands_for_them() -> None:
    cell = code("1")
    page = '<p>one <img alt="a person" src="data:image/png;base64,AAAA+/=="></p>'
    cell.outputs = [
        v4.new_output("display_data", data={"image/png": "AAAA", "text/plain": "a person", "text/html": page})
    ]
    nb = book(cell)
    (output,) = without_pictures(nb).cells[0].outputs
    assert output.data == {"text/plain": "a person", "text/html": '<p>one <img alt="a person" src="PICTURE"></p>'}
    assert "image/png" in nb.cells[0].outputs[0].data


@pytest.mark.slow
def test_a_profile_goes_into_the_copy_that_nbval_compares_and_the_defaults_into_the_notebook(tmp_path: Path) -> None:
    path = save(book(parameters(), code("print(epochs)")), tmp_path)
    (path.parent / "profiles").mkdir()
    (path.parent / "profiles/ci.yaml").write_text("book: {epochs: 1}")
    (path.parent / "profiles/full.yaml").write_text("book: {}")
    short = save(book(), tmp_path / "short")
    places = ["--folder", str(path.parent), "--short", str(short.parent)]
    assert main(["book", *places]) == main(["book", *places, "--profile", "full"]) == 0
    assert [nbformat.read(each, as_version=4).cells[1].outputs[0].text for each in (short, path)] == ["1\n", "60\n"]


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
