"""A missing package is answered with the extra that brings it."""

from __future__ import annotations

import json.decoder
import subprocess
import sys

import pytest

from tests import house
from tireid.basics.extras import MissingExtraError, extra, require
from tireid.cli import main


def test_what_is_there_is_imported() -> None:
    assert require("json.decoder", "train") is json.decoder


def test_what_is_missing_names_package_and_extra() -> None:
    with (
        pytest.raises(MissingExtraError, match=r"nothing_here is not installed.*pip install 'tireid\[train\]'") as got,
        extra("train"),
    ):
        import nothing_here.below  # type: ignore[import-not-found]  # noqa: F401
    assert got.value.name == "nothing_here"


def test_a_mistake_of_our_own_stays_what_it_is() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'tireid\.gone'"), extra("train"):
        import tireid.gone  # type: ignore[import-not-found]  # noqa: F401


def test_a_command_says_it_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def needy(*_: object) -> None:
        with extra("train"):
            import nothing_here  # noqa: F401

    monkeypatch.setattr("tireid.data.load_dataset", needy)
    assert main(["check-data", "--dataset", "synthetic"]) == 2
    assert capsys.readouterr().err.startswith("error: nothing_here is not installed; what is used here needs the extra")


LOAD_EVERYTHING = """
import importlib, pkgutil, tireid

for module in pkgutil.walk_packages(tireid.__path__, "tireid."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        if "pip install 'tireid[" not in str(error):
            raise
        print(module.name)
"""
ROOMS_WITH_EXTRAS = {"train", "demo", "runner", "studies", "experiments", "interactive"}


def test_each_module_loads_with_the_core_or_names_its_extra() -> None:
    """In a process that finds only what the core brings."""
    command = [sys.executable, "-c", house.only_the_core() + LOAD_EVERYTHING]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {name.split(".")[1] for name in done.stdout.split()} <= ROOMS_WITH_EXTRAS


def test_what_only_an_extra_brings_is_imported_behind_the_guard_that_names_it() -> None:
    assert not house.unguarded_imports()
