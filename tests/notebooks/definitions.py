"""What a notebook defines itself, for comparison with the library's."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import read_parameters

FOLDER = Path(__file__).parents[2] / "notebooks"


def load_definition(notebook: str, name: str) -> Any:
    """The function or class `name` of `notebooks/<notebook>.ipynb`, made by its imports, parameters and definitions.

    Nothing else of the notebook runs. LookupError if no cell defines `name` at its top level.
    """
    nb = read_notebook(FOLDER / f"{notebook}.ipynb")
    trees = [ast.parse(cell.source) for cell in nb.cells if cell.cell_type == "code"]
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    body = [node for tree in trees for node in tree.body if isinstance(node, kept)]
    space: dict[str, Any] = {name: parameter.default for name, parameter in read_parameters(nb).items()}
    space["__name__"] = notebook
    exec(compile(ast.Module(body, type_ignores=[]), f"{notebook}.ipynb", "exec"), space)
    if not any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name for node in body):
        raise LookupError(f"no cell of {notebook} defines {name!r}")
    return space[name]
