"""The examples in the package's docstrings are right, and every public name has one."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

from tests.house import PACKAGE, ROOT
from tests.test_surface import ROOMS

MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
STUDY = "reads the runs of a study; notebook 10 shows it"
WITHOUT = {
    "Dataset": "is what `load_dataset` gives, whose example shows it",
    "mask_tokens": "stands in the example of `SpecialIds`",
    "sample_conditions": "stands in the example of `Conditions`",
    "StudyError": "an error of a file",
    "train": "trains: minutes",
    "train_in_processes": "trains in several processes",
    "run": "runs a notebook in a kernel",
    "export_html": "needs a notebook that was run",
    "show": "displays in a notebook",
    "show_picture": "displays in a notebook",
    "recover_global": "needs a model that was trained to recover the global token",
    "read_garment_map": "needs a data set that was drawn with masks",
    "index": "starts jobs that load the model anew",
    "sweep": STUDY,
    "collect": STUDY,
    "comparisons": STUDY,
    "summary": STUDY,
    "validation": STUDY,
    "readable_comparisons": STUDY,
    "readable_summary": STUDY,
    "curves_figure": STUDY,
    "differences_figure": STUDY,
    "write_report": STUDY,
}
"""Public names whose docstring has no example that runs, and why."""


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_right(name: str) -> None:
    assert not doctest.testmod(importlib.import_module(name)).failed


def test_every_public_name_has_an_example_that_runs() -> None:
    missing = set()
    for room in ("tireid", *(f"tireid.{room}" for room in (*ROOMS, "demo", "domain"))):
        module = importlib.import_module(room)
        public = [(name, getattr(module, name)) for name in module.__all__]
        missing |= {name for name, value in public if _described(value) and not _runs(value)}
    assert missing == set(WITHOUT)


def _described(value: object) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def _runs(value: object) -> bool:
    """Whether an example in its own docstring is run."""
    examples = doctest.DocTestParser().get_examples(inspect.getdoc(value) or "")
    return any(not example.options.get(doctest.SKIP) for example in examples)
