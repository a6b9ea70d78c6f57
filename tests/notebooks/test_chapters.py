"""The notebooks hang together: links before and next, and the diagram of the method atop its chapters."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.notebooks.test_conventions import FOLDER, NOTEBOOKS
from tireid.runner.notebook import read_notebook
from tools.method_figure import PARTS, alt, draw

CHAPTERS = [path for path in NOTEBOOKS if 1 <= int(path.stem[:2]) <= len(PARTS)]


@pytest.mark.parametrize(("path", "following"), pairwise(NOTEBOOKS), ids=lambda path: path.stem)
def test_each_notebook_leads_to_the_next_and_back(path: Path, following: Path) -> None:
    ends = read_notebook(path).cells[-1].source, read_notebook(following).cells[-1].source
    assert re.search(rf"^- Next: \[{following.stem}\]\({following.name}\)", ends[0], re.MULTILINE)
    assert re.search(rf"^- Before: \[{path.stem}\]\({path.name}\)", ends[1], re.MULTILINE)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_method_stands_atop_each_chapter_with_its_part_lit(path: Path) -> None:
    number = int(path.stem[:2])
    assert f"![{alt(number)}](images/method_{number:02}.svg)" in read_notebook(path).cells[0].source


@pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)
def test_each_notebook_ends_a_section_with_what_was_learned(path: Path) -> None:
    prose = "\n\n".join(cell.source for cell in read_notebook(path).cells if cell.cell_type == "markdown")
    said = re.findall(r"^> \*\*What we just learned\.\*\* .*\n(?:> .*\n)*(.*\n.*)", prose, re.MULTILINE)
    assert said
    assert all(then.startswith("\n## ") for then in said)


@pytest.mark.parametrize("number", range(len(PARTS) + 1))
def test_the_committed_drawings_are_the_generators(number: int) -> None:
    name = f"method_{number:02}.svg" if number else "method.svg"
    drawn = (FOLDER / "images" / name).read_text(encoding="utf-8")
    assert drawn == draw(number)
    assert drawn.count('fill="#0b5c8f"') == (2 if number else 0)  # the part that is lit, and the line under it
