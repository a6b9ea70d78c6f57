"""What is refused before a kernel starts or a file is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.books import book, code, parameters, save
from tireid.cli import main
from tireid.experiments import ParameterError, run


def command(*arguments: str) -> int:
    return main(["run", *arguments])


def test_bad_parameters_write_nothing(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    for params, profile in [({"epoch": 1}, None), ({"epochs": "1"}, None), ({}, "ci")]:
        with pytest.raises(ParameterError):
            run(path, params, profile=profile, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_profile_is_checked_like_params(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    (tmp_path / "p.yaml").write_text("book: {rate: fast}\n")
    with pytest.raises(ParameterError, match="'rate': expected float, got str 'fast'"):
        run(path, profile=tmp_path / "p.yaml", output_dir=tmp_path / "out")


def test_the_notebook_itself_is_never_overwritten(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    with pytest.raises(ValueError, match="must not be the notebook's own"):
        run(path, output_dir=path.parent)


def test_command_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(save(book(parameters()), tmp_path))
    assert command(path, "-p", "epoch", "1") == 2
    assert "error: unknown parameter 'epoch'; did you mean 'epochs'?" in capsys.readouterr().err
    assert command(path, "-p", "flip", "maybe") == 2
    assert command(path, "-p", "epochs", "1", "-p", "epochs", "2") == 2
    assert command(path, "--profile", "ci") == 2
    assert command(str(tmp_path / "none.ipynb")) == 2
    assert command(str(save(book(code("1")), tmp_path, "bare"))) == 2
    (tmp_path / "text.ipynb").write_text("not JSON")
    assert command(str(tmp_path / "text.ipynb")) == 2
    assert "text.ipynb is not a notebook" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_command_lists_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(str(save(book(parameters()), tmp_path)), "--list") == 0
    assert capsys.readouterr().out.splitlines()[0] == "epochs: int = 60  # passes over the pairs"
