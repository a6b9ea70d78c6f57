"""A file is a notebook or is refused by name; its hashes follow what they say."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat import current_nbformat_minor, v4

from tests.runner.books import book, code, parameters, save
from tireid.runner.notebook import code_hash, read_notebook, source_hash

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
NAMES = st.sampled_from(
    ["cells", "metadata", "nbformat", "nbformat_minor", "cell_type", "source", "outputs", "worksheets"]
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5))
BOOKS = st.fixed_dictionaries({"nbformat": st.integers(0, 6), "metadata": st.just({})}, optional={"cells": TREES})


@settings(deadline=None)
@example(b'{"cells": []}')
@given(st.binary(max_size=60) | (TREES | BOOKS).map(lambda tree: json.dumps(tree).encode()))
def test_no_content_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.ipynb"
    path.write_bytes(content)
    with suppress(ValueError):
        nb = read_notebook(path)
        assert not nb.cells or source_hash(nb) != code_hash(nb)


@pytest.mark.parametrize(
    "content", [b"", b"text", b"[]", b"{}", b"\xff\xfe", b'{"nbformat": 4}', b'{"cells": 3}', b"[" * 9999]
)
def test_what_is_no_notebook_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.ipynb"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.ipynb is not a notebook: \S") as refused:
        read_notebook(path)
    assert "\n" not in str(refused.value)


def test_a_later_minor_version_is_held_to_the_latest_known(tmp_path: Path) -> None:
    path, later = tmp_path / "x.ipynb", current_nbformat_minor + 1
    nb = book(parameters(), code("1 + 1"))
    path.write_text(json.dumps(nb | {"nbformat_minor": later}))
    assert read_notebook(path).cells == nb.cells
    nb.cells[1]["cell_type"] = ["code"]
    path.write_text(json.dumps(nb | {"nbformat_minor": later}))
    with pytest.raises(ValueError, match=r"x\.ipynb is not a notebook: \S"):
        read_notebook(path)


def test_only_the_error_says_what_is_wrong(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A log would have the words of the file, with whatever controls a terminal."""
    path = tmp_path / "stranger.ipynb"
    cell = {"cell_type": "code", "source": "\x1b[2J", "metadata": {}}
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    with pytest.raises(ValueError, match="is not a notebook"):
        read_notebook(path)
    assert not caplog.records


def test_what_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        read_notebook(tmp_path / "none.ipynb")


def test_outputs_are_in_neither_hash_and_prose_in_one(tmp_path: Path) -> None:
    def hashes(prose: str, source: str, outputs: Any = ()) -> tuple[str, str]:
        cell = code(source)
        cell.outputs, cell.execution_count = list(outputs), len(outputs) or None
        nb = read_notebook(save(book(v4.new_markdown_cell(prose), parameters(), cell), tmp_path))
        return source_hash(nb), code_hash(nb)

    first = hashes("a", "1")
    assert hashes("a", "1", [v4.new_output("stream", text="x")]) == first
    assert hashes("b", "1")[0] != first[0]
    assert hashes("b", "1")[1] == first[1]
    assert hashes("a", "2")[1] != first[1]
    one, two = code("1"), code("2")
    assert source_hash(book(one, two)) != source_hash(book(two, one))
