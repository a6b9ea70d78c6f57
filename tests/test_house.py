"""The house keeps its measures: short functions, few parameters, declared packages, explained public names."""

from __future__ import annotations

import ast
import re
import statistics

import yaml
from packaging.utils import canonicalize_name

from tests import house

MADE_UP = {"nothing_here"}
"""Packages that tests only pretend to import."""


def test_files_are_short() -> None:
    assert not house.long_files()


def test_functions_and_classes_are_short() -> None:
    assert not house.long_definitions()


def test_functions_take_few_parameters() -> None:
    assert not house.long_signatures()


def test_most_functions_are_very_short() -> None:
    assert statistics.median(house.lines(node) for _, node in house.functions()) < 10


def test_public_names_explain_themselves() -> None:
    faults = {name: found for name, thing in house.public_names() if (found := house.docstring_faults(thing))}
    assert not faults


def test_every_import_of_the_package_is_declared() -> None:
    found = set().union(*(house.imports(tree) for _, tree in house.trees()))
    assert {"torch", "kornia", "yaml"} <= found
    assert not house.undeclared(found, house.declared(*(house.extras().keys() - {"", "dev", "docs"})))


def test_every_import_of_notebooks_and_tests_is_declared() -> None:
    tests = [ast.parse(path.read_text(encoding="utf-8")) for path in (house.ROOT / "tests").rglob("*.py")]
    found = set().union(house.notebook_imports(), *map(house.imports, tests))
    assert not house.undeclared(found - MADE_UP, house.declared("*"))


def test_what_is_declared_is_pinned_and_pinned_alike() -> None:
    pins = house.pins()
    for requirement in house.requirements("*"):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"constraints.txt has no {requirement.name}"
        assert requirement.specifier.contains(version), f"{requirement} does not allow {requirement.name}=={version}"


def test_conda_and_make_install_the_same() -> None:
    conda = yaml.safe_load((house.ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    (pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    make = (house.ROOT / "Makefile").read_text(encoding="utf-8")
    (extras,) = re.findall(r"--editable '\.(\[[\w,]+\])'", make)
    assert set(extras[1:-1].split(",")) <= set(house.extras())
    assert pip == ["--constraint constraints.txt", f"torch=={house.pins()['torch']}", f"--editable .{extras}"]
