"""Notebooks as files: read whole or refused by name, written whole or not at all, known by what they say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tireid.basics.extras import require
from tireid.basics.files import read_regular, utf8_json, write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode


def read_notebook(path: Path) -> NotebookNode:
    """The notebook at `path`, of format 4; raises ValueError naming a file that is not one, or OSError."""
    nbformat = require("nbformat", "notebooks")
    text = utf8_json(read_regular(path))
    try:
        # Not nbformat.reads, which also logs what is wrong, in the words of the file.
        nb: NotebookNode = nbformat.convert(nbformat.reader.reads(text.decode()), 4)
        # Of a later minor version nbformat checks nothing: such a file is read as of the latest that it knows.
        nb.nbformat_minor = min(nb.nbformat_minor, nbformat.current_nbformat_minor)
        nbformat.validate(nb, relax_add_props=True)
        json.dumps(nb, ensure_ascii=False).encode()  # an escape in JSON may stand for what UTF-8 cannot write
    except Exception as error:  # nbformat raises many kinds for what is JSON but no notebook
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is not a notebook: {reason[:200] or repr(error)}") from error
    return nb


def write_notebook(nb: NotebookNode, path: Path) -> None:
    """Validate and write."""
    nbformat = require("nbformat", "notebooks")
    nbformat.validate(nb)
    write_atomically(path, nbformat.writes(nb) + "\n")


def source_hash(nb: NotebookNode) -> str:
    """SHA-256 of the kinds and sources of the cells: what is executed and read, not outputs or metadata."""
    return _hash([(cell.cell_type, cell.source, cell.metadata.get("tags", [])) for cell in nb.cells])


def code_hash(nb: NotebookNode) -> str:
    """SHA-256 of the code cells alone: what a result follows from, whatever the prose beside it says."""
    return _hash([cell.source for cell in nb.cells if cell.cell_type == "code"])


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
