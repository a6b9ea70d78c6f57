"""The suite fails for wrong programs: each mutation breaks a copy of the package, and its test must notice."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tireid"
SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

slow = pytest.mark.slow
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks one child per mutant")
by_name = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)


class Server:
    """Asks :mod:`tests.mutant_server` for outcomes."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "tests" / "mutant_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **SINGLE_THREADED},
        )

    def run(self, folder: Path, tests: list[str]) -> dict[str, Any]:
        """Outcome of `tests` on the copy in `folder`, checked to be of that copy and of nothing else."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"folder": str(folder), "tests": tests}), file=self.process.stdin, flush=True)
        outcome: dict[str, Any] = json.loads(self.process.stdout.readline() or '{"code": -1}')
        assert outcome.get("package") == str(folder / "tireid" / "__init__.py"), (outcome, log(folder))
        return outcome


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.process.communicate()


def copy_to(folder: Path) -> Path:
    """The package and its tests, compiled files included; the bundled models as a link."""
    shutil.copytree(PACKAGE, folder / "tireid", ignore=shutil.ignore_patterns("assets"))
    (folder / "tireid" / "assets").symlink_to(PACKAGE / "assets", target_is_directory=True)
    shutil.copytree(ROOT / "tests", folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def mutate(mutation: Mutation, folder: Path) -> None:
    file = folder / "tireid" / mutation.file
    file.write_text(mutated(mutation), encoding="utf-8")
    Path(importlib.util.cache_from_source(file)).unlink(missing_ok=True)


def mutated(mutation: Mutation) -> str:
    return (PACKAGE / mutation.file).read_text(encoding="utf-8").replace(mutation.old, mutation.new)


def log(folder: Path) -> str:
    file = folder / "log.txt"
    return file.read_text(encoding="utf-8")[-3000:] if file.is_file() else "no log"


@by_name
def test_the_mutation_still_applies(mutation: Mutation) -> None:
    source = (PACKAGE / mutation.file).read_text(encoding="utf-8")
    assert source.count(mutation.old) == 1, f"tests/mutations.py: {mutation.old!r} must occur once in {mutation.file}"
    assert mutated(mutation) != source
    compile(mutated(mutation), mutation.file, "exec")
    module, _, name = mutation.test.partition("::")
    assert f"def {name}(" in (ROOT / "tests" / module).read_text(encoding="utf-8")


@slow
@needs_fork
def test_the_tests_pass_on_an_unchanged_copy(server: Server, tmp_path: Path) -> None:
    tests = sorted({f"tests/{mutation.test}" for mutation in MUTATIONS})
    outcome = server.run(copy_to(tmp_path), tests)
    assert (outcome["code"], outcome["failed"]) == (0, []), log(tmp_path)
    assert {node.partition("[")[0] for node in outcome["passed"]} == set(tests)


@slow
@needs_fork
@by_name
def test_the_mutation_is_noticed(mutation: Mutation, server: Server, tmp_path: Path) -> None:
    mutate(mutation, copy_to(tmp_path))
    outcome = server.run(tmp_path, [f"tests/{mutation.test}"])
    assert outcome["code"] == pytest.ExitCode.TESTS_FAILED, f"nothing noticed: {mutation.name}\n{log(tmp_path)}"
    (failure,) = outcome["failed"]
    assert failure["test"].partition("[")[0] == f"tests/{mutation.test}"
    assert (failure["when"], failure["error"]) == ("call", "AssertionError"), log(tmp_path)
