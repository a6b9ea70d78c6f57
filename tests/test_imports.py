"""The order of the rooms, read from their imports, those for type checking too; the contracts are in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import grimp
import pytest
from importlinter import cli

ROOT = Path(__file__).parents[1]
# Imports of a package by a module inside it: circles too. Only what is still to be mended.
STILL_INTO_THE_OWN_PACKAGE: set[tuple[str, str]] = set()


def test_rooms_import_downwards_and_no_circle_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_module_imports_the_package_that_it_lies_in() -> None:
    graph = grimp.build_graph("tireid", cache_dir=None)
    upwards = {
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        if importer.startswith(f"{imported}.")
    }
    assert upwards == STILL_INTO_THE_OWN_PACKAGE
