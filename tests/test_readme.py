"""Every block of code and every command of the README and of the documentation, as their reader runs them."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import house
from tireid.cli import COMMANDS
from tireid.data import load_dataset
from tireid.pedestrians import render, sample_conditions, sample_person, write_dataset

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (house.ROOT / "docs").glob("*.md"))]
NEEDS_MORE = ("slurm", "my.yaml")
"""Words of a command that needs what a test has not: a cluster, a study of one's own."""
SHORTER = {
    "train": "--backbone tiny --limit 40 --epochs 1",
    "run": "-p backbone tiny -p epochs 1",
    "sweep": "--arms clip --seeds 1",
    "report": "--arms clip --seeds 1",
}
"""What makes a command of hours one of seconds."""


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    code: str

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[list[str]]:
        """The lines of a shell block as words, without comments."""
        return [words for line in self.code.splitlines() if (words := shlex.split(line, comments=True))]


def blocks(*languages: str) -> list[Block]:
    found = []
    for page in PAGES:
        text = (house.ROOT / page).read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
            found.append(Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]))
    return [block for block in found if block.language in languages]


def test_the_readme_is_short() -> None:
    assert len((house.ROOT / "README.md").read_text(encoding="utf-8").split()) < 900


def test_blocks_are_of_languages_that_are_tested() -> None:
    text = "".join((house.ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"^```([\w{}-]+)$", text, flags=re.MULTILINE)) <= {"python", "sh", "{toctree}", "{eval-rst}"}
    assert len(blocks("python")) >= 3
    assert len(blocks("sh")) >= 5


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.name)
def test_commands_are_known_and_take_these_options(block: Block) -> None:
    targets = set(re.findall(r"^(\w+):", (house.ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for words in block.commands:
        while "=" in words[0]:
            words = words[1:]
        if words[0] == "make":
            assert set(words[1:]) <= targets
        elif words[:2] == ["pip", "install"]:
            assert set(re.findall(r"\[(\w+)\]", words[2])) <= set(house.extras())
        elif "tireid" in words[:-1]:
            COMMANDS.parser.parse_args(words[words.index("tireid") + 1 :])
        elif words[:2] == [".venv/bin/python", "-m"]:
            assert find_spec(words[2]), words
            assert all((house.ROOT / word).exists() for word in words if word.startswith("tests/")), words
        else:
            assert words[0] == ".venv/bin/pre-commit", words


def inline_commands() -> list[tuple[str, list[str]]]:
    """The commands within sentences, those of the notebooks included: the page, and the words after `tireid`."""
    texts = {page: (house.ROOT / page).read_text(encoding="utf-8") for page in PAGES}
    for path in sorted((house.ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts[path.name] = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = []
    for page, text in texts.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [(page, shlex.split(match[1])) for match in re.finditer(r"`(?:python -m )?tireid\s([^`]+)`", prose)]
    return found


def test_commands_within_sentences_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    commands = inline_commands()
    assert len(commands) > 10
    for page, (name, *words) in commands:
        with pytest.raises(SystemExit):
            COMMANDS.parser.parse_args([name, "--help"])
        described = capsys.readouterr().out
        options = {word for word in words if word.startswith("-")}
        assert options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", described)), (page, name)


def shorter(words: list[str], place: Path) -> list[str]:
    """A command on the data sets of `place`, in the time that a test has."""
    moved = {"/data": place / "data", "/data/crops": place / "crops", "64": 2}
    words = [str(moved.get(word, house.ROOT / word if word.startswith("notebooks/") else word)) for word in words]
    return [sys.executable, "-m", *words, *shlex.split(SHORTER.get(words[1], ""))]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with crops, data sets, two trainings, and a cache that has the default drawn people at first."""
    place, drawn = tmp_path_factory.mktemp("reader"), load_dataset("synthetic").root
    (place / "cache").mkdir()
    (place / "cache" / drawn.name).symlink_to(drawn)
    (place / "crops").mkdir()
    for number in range(6):
        rng = np.random.default_rng(number)
        picture = render(sample_person(rng), sample_conditions(rng, "street", 1), (96, 32))
        picture.save(place / "crops" / f"{number}.png")
    for layout in ("CUHK-PEDES", "RSTPReid"):
        write_dataset(place / "data", layout=layout, people=(40, 4, 6), images_per_person=2)
    drawn = load_dataset("CUHK-PEDES", place / "data")
    own = [
        (record.image.relative_to(place), record.captions[0], record.person_id, record.split)
        for split in (drawn.train, drawn.val, drawn.test)
        if split is not None
        for record in split.records
    ]
    pd.DataFrame(own, columns=["path", "caption", "person", "split"]).to_csv(place / "my.csv", index=False)
    train = "tireid train --preset paper --dataset CUHK-PEDES --root /data --output-dir runs/cuhk"
    run(shorter(train.split(), place), place)
    shutil.copytree(place / "runs/cuhk", place / "runs/icfg")
    return place


def run(command: list[str], place: Path) -> str:
    environment = os.environ | {"TIREID_CACHE": str(place / "cache"), "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1"}
    environment |= {"PYTHONPATH": str(house.ROOT)}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_runs_as_a_script_and_prints_something(block: Block, place: Path) -> None:
    script = place / "script.py"
    script.write_text(block.code, encoding="utf-8")
    printed = run([sys.executable, str(script)], place)
    assert ("print(" in block.code) == bool(printed.strip())
    assert ast.parse(block.code)


@pytest.mark.slow
@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.name)
def test_commands_run(block: Block, place: Path) -> None:
    ours = [words for words in block.commands if words[0] == "tireid"]
    ours = [words for words in ours if not set(NEEDS_MORE) & set(words)]
    if not ours:
        pytest.skip("needs more than a test has; its options were checked")
    for words in ours:
        if words[1] == "demo":
            assert page_of([sys.executable, "-m", *words, "--no-browser"], place).startswith("<!DOCTYPE html>")
        else:
            assert run(shorter(words, place), place).strip()


def page_of(command: list[str], place: Path) -> str:
    """What is served at the address that a command prints; then it is interrupted."""
    environment = os.environ | {"TIREID_CACHE": str(place / "cache"), "PYTHONPATH": str(house.ROOT)}
    server = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = next(line.strip() for line in server.stdout if line.startswith("http"))
        with urllib.request.urlopen(address, timeout=300) as answer:
            return str(answer.read().decode())
    finally:
        server.terminate()
        server.wait(timeout=60)
