"""Tiny notebooks for the tests."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

PARAMETERS = """epochs: int = 60  # passes over the pairs
rate: float = 1e-4
flip: bool = True  # mirror half of the pictures
name: str = "Zoë"  # who
sizes: list = [
    1,
    2,
]  # of batches
output_dir: str = "../runs/x"
seed: int = 7"""


def code(source: str, **metadata: object) -> NotebookNode:
    return v4.new_code_cell(source, metadata=metadata)


def parameters(source: str = PARAMETERS) -> NotebookNode:
    return code(source, tags=["parameters"])


def book(*cells: NotebookNode) -> NotebookNode:
    return v4.new_notebook(cells=list(cells), metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})


def save(nb: NotebookNode, folder: Path, name: str = "book") -> Path:
    """`<folder>/notebooks/<name>.ipynb`, as in a repository."""
    path = folder / "notebooks" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, path)
    return path
