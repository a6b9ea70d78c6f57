"""The wheel holds everything and works beside nothing but the packages of the core."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests import house

pytestmark = pytest.mark.slow

SEARCH = """
import sys
from pathlib import Path

import numpy as np

import tireid
from tireid.pedestrians import render, sample_conditions, sample_person

folder = Path(sys.argv[1])
folder.mkdir()
for number in range(6):
    rng = np.random.default_rng(number)
    render(sample_person(rng), sample_conditions(rng, "street", 1), (96, 32)).save(folder / f"{number}.png")
model = tireid.TIReID.from_pretrained("tiny-street")
hits = tireid.Gallery.from_folder(model, folder).search("a man in a red coat", k=3)
assert len(hits) == 3 and list(hits.table["rank"]) == [1, 2, 3]
print(tireid.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no stale build folder gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(house.ROOT / name, source)
    shutil.copytree(house.PACKAGE, source / "tireid", ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(source / "dist"), str(source))
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scripts of an environment with the wheel, which sees this one's packages of the core and no others."""
    place = tmp_path_factory.mktemp("core")
    venv.create(place, symlinks=os.name != "nt")
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(place)}))
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(place)}))
    pip("--python", str(scripts / "python"), "install", "--no-deps", "--no-index", str(wheel))
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (packages / "sitecustomize.py").write_text(house.only_the_core())
    return scripts


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True, env=own_environment())


def own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=own_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    tracked = run("git", "ls-files", "tireid", cwd=house.ROOT).split()
    assert {"tireid/py.typed", "tireid/assets/tiny-street/model.safetensors"} <= set(tracked)
    assert set(tracked) <= set(zipfile.ZipFile(wheel).namelist())


def test_the_core_loads_a_model_and_searches_a_folder(core: Path, tmp_path: Path) -> None:
    (tmp_path / "search.py").write_text(SEARCH)
    printed = run(core / "python", "search.py", "crops", cwd=tmp_path)
    assert Path(printed.strip()).is_relative_to(core.parent)
    run(core / "tireid", "index", "crops", "gallery", "--model", "tiny-street", cwd=tmp_path)
    found = run(core / "tireid", "search", "gallery", "a man in a red coat", "--model", "tiny-street", cwd=tmp_path)
    assert ".png" in found


def test_what_the_core_lacks_is_named_with_its_extra(core: Path, tmp_path: Path) -> None:
    command = [str(core / "tireid"), "train", "--output-dir", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=own_environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "pip install 'tireid[train]'" in done.stderr
