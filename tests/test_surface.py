"""The public names: listed, found, and the same whatever was imported before."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import tireid

ROOMS = (
    "data",
    "experiments",
    "explain",
    "interactive",
    "losses",
    "model",
    "options",
    "pedestrians",
    "runner",
    "search",
)
ROOMS += ("show", "studies", "train")


def test_dir_lists_what_there_is() -> None:
    assert set(tireid.__all__) <= set(dir(tireid))
    for name in tireid.__all__:
        assert getattr(tireid, name) is not None
    assert "__version__" in dir(tireid)


@pytest.mark.parametrize(
    "before", ["", "import tireid.train.loop", "from tireid.train import build_sampler", "tireid.train"]
)
def test_train_can_be_called_whatever_was_imported(before: str) -> None:
    code = f"import tireid\n{before}\ntry:\n    tireid.train()\nexcept TypeError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "train() missing 2 required positional arguments: 'config' and 'output_dir'"


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_declares_its_surface(room: str) -> None:
    module = importlib.import_module(f"tireid.{room}")
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert hasattr(module, name), name
