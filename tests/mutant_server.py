"""Runs tests on broken copies of the package, as a process of its own; :mod:`tests.test_mutations` drives it.

One line of JSON comes in per job, one goes out per outcome. The process loads the heavy libraries once and forks for
every job, so that a mutant costs a second and none sees another one's modules. Nothing here imports `tireid`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

LIBRARIES = (
    "torch",
    "kornia.augmentation",
    "accelerate",
    "transformers.models.clip.modeling_clip",
    "tokenizers",
    "pandas",
    "pydantic",
    "hypothesis.extra.numpy",
    "sklearn.metrics",
    "pytorch_metric_learning.losses",
    "nbval.plugin",  # pytest's own, and half of its start
    "ftfy",
    "anywidget",
)
"""Loaded before the fork; another one that a test needs is loaded by every child, which costs time only."""


class Witness:
    """A pytest plugin that notes which tests passed, and where and with what error others failed."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: list[dict[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            self.passed.append(report.nodeid)

    def pytest_exception_interact(self, node: Any, call: pytest.CallInfo[Any], report: Any) -> None:
        assert call.excinfo is not None
        self.failed.append({"test": node.nodeid, "when": call.when, "error": call.excinfo.typename})


def run_tests(folder: Path, tests: list[str]) -> None:
    """In the forked child: run `tests` on the copy in `folder` and leave `outcome.json` and `log.txt` there."""
    with (folder / "log.txt").open("w") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # before the place of an editable install
    witness = Witness()
    options = ["-x", "-q", "-p", "no:cacheprovider", "--timeout=120", f"--rootdir={folder}"]
    code = int(pytest.main([*options, *tests], plugins=[witness]))
    package = getattr(sys.modules.get("tireid"), "__file__", None)
    outcome = {"code": code, "package": package, "passed": witness.passed, "failed": witness.failed}
    (folder / "outcome.json").write_text(json.dumps(outcome))


def serve() -> None:
    """Answer jobs `{"folder": ..., "tests": [...]}` until the input ends."""
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # else every child looks through what it shares with its parent, and so copies it
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                run_tests(Path(job["folder"]), job["tests"])
            except BaseException:  # whatever it is, the child must not go on as a second server
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                os._exit(0)
        os.waitpid(child, 0)
        outcome = Path(job["folder"]) / "outcome.json"
        print(outcome.read_text() if outcome.is_file() else json.dumps({"code": -1}), flush=True)


if __name__ == "__main__":
    serve()
