"""The examples in the package's docstrings are right."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.house import PACKAGE, ROOT

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_right(name: str) -> None:
    assert not doctest.testmod(importlib.import_module(name)).failed
