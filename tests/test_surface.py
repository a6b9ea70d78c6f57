"""The public names: listed, found, and the same whatever was imported before."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tireid

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
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
    assert done.stdout.strip() == "train() missing a required argument: 'config'"


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_declares_its_surface(room: str) -> None:
    module = importlib.import_module(f"tireid.{room}")
    assert sorted(module.__all__) == sorted(set(module.__all__))
    for name in module.__all__:
        assert hasattr(module, name), name


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_import_from_the_surface_only(notebook: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    deep = [line for line in lines if line.startswith("from tireid.") and line.split()[1].count(".") > 1]
    assert not deep


@pytest.mark.skipif(sys.platform != "linux", reason="there torch brings another OpenMP than GNU's")
@pytest.mark.parametrize(("given", "spins"), [({}, 0), ({"OMP_WAIT_POLICY": "ACTIVE"}, 30_000_000_000)])
def test_threads_wait_passively_unless_the_user_wants_otherwise(given: dict[str, str], spins: int) -> None:
    """OpenMP itself says with what it was loaded; without a word it would spin 300,000 times."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", "import tireid.cli, torch"]
    environment = {**own, **given, "OMP_DISPLAY_ENV": "VERBOSE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", done.stderr) == [str(spins)]
