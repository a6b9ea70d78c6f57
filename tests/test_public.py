"""The names that scripts use are there, and stay what they are whatever else is imported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import tireid
from tireid import experiments, interactive

CALLED = ("Config", "Gallery", "Score", "TIReID", "TrainingRun", "evaluate", "load_dataset", "train")
CHECK = f"""
import importlib, pkgutil, tireid
for module in pkgutil.walk_packages(tireid.__path__, "tireid."):
    importlib.import_module(module.name)
print([name for name in {CALLED} if not callable(getattr(tireid, name))])
"""


@pytest.mark.parametrize("module", [tireid, experiments, interactive])
def test_every_public_name_is_there_and_listed(module: object) -> None:
    for name in module.__all__:  # type: ignore[attr-defined]
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))  # type: ignore[attr-defined]


def test_what_is_called_can_be_called_after_everything_was_imported() -> None:
    assert subprocess.check_output([sys.executable, "-c", CHECK], text=True).strip() == "[]"


def test_training_is_called_by_its_name() -> None:
    room = importlib.import_module("tireid.train")
    with pytest.raises(TypeError, match="output_dir"):
        tireid.train(tireid.Config.preset("paper"))  # type: ignore[call-arg]
    assert room.train.__module__ == "tireid.train.loop"
    assert {module.name for module in pkgutil.iter_modules(room.__path__)} >= {"loop", "recipe"}
