"""A missing package is answered with the extra that brings it; a broken one with its own error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tireid.basics.extras import MissingExtraError, require
from tireid.cli import main


def test_what_is_there_is_returned() -> None:
    assert require("json", "train") is json


def test_what_is_missing_names_package_and_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"nothing_here is not installed.*pip install 'tireid\[train\]'") as got:
        require("nothing_here.below", "train")
    assert got.value.name == "nothing_here"


def test_a_package_that_misses_one_of_its_own_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'not_there'") as got:
        require("half_installed", "train")
    assert not isinstance(got.value, MissingExtraError)


def test_a_command_says_it_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def needy(*_: object) -> None:
        require("nothing_here", "train")

    monkeypatch.setattr("tireid.data.load_dataset", needy)
    assert main(["check-data", "--dataset", "synthetic"]) == 2
    assert capsys.readouterr().err.startswith("error: nothing_here is not installed; it comes with the extra 'train'")
