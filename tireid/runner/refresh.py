"""Refresh the outputs that are committed with the notebooks: `python -m tireid.runner.refresh [NAME ...]`.

Committed notebooks have production defaults as their source and the outputs of the CI profile, made on the bundled
data. The profile's values are substituted in a copy, in the `parameters` cell itself, so that no cell is added and the
outputs go back to the original one to one.

Notebooks with a copy in `tests/notebooks/short` hold the outputs of their defaults instead (`--profile full`, minutes
each). The profile's outputs, which nbval compares, then go to that copy, without pictures.

Nothing is written to a notebook whose execution failed.
"""

from __future__ import annotations

import argparse
import copy
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra, require
from tireid.runner.execution import NotebookError, execute
from tireid.runner.notebook import read_notebook, write_notebook
from tireid.runner.parameters import ParameterError, load_profile, substitute_parameters

with extra("notebooks"):
    from nbformat import NotebookNode

# nbstripout's own list and the additions of the pre-commit hook.
CELL_KEYS = ("collapsed", "ExecuteTime", "execution", "heading_collapsed", "hidden", "scrolled", "papermill")
EXTRA_KEYS = [f"metadata.{key}" for key in ("signature", "widgets", "papermill")]
EXTRA_KEYS += [f"cell.metadata.{key}" for key in CELL_KEYS]
PICTURE = re.compile(r"data:image/\w+;base64,[A-Za-z0-9+/=]+")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def clean(nb: NotebookNode) -> NotebookNode:
    """A copy as it belongs in git: outputs, counts and ids kept; run metadata and references to live widgets gone.

    An output loses its widget reference only where it has another form to show: the reference names a model that
    exists in the kernel alone, and its id is new every time.
    """
    result: NotebookNode = require("nbstripout", "notebooks").strip_output(
        copy.deepcopy(nb), keep_output=True, keep_count=True, keep_id=True, extra_keys=EXTRA_KEYS
    )
    for cell in result.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if WIDGET_VIEW in data and len(data) > 1:
                del data[WIDGET_VIEW]
    return result


def workspace(notebook: Path, values: Mapping[str, Any], folder: Path) -> Path:
    """Copy the notebook's folder into `folder`, with `values` substituted in the notebook; returns the copy's path.

    The copy has the same surroundings as the original (profiles, other notebooks), and what it writes to `../runs`
    stays inside `folder`.
    """
    target = folder / notebook.parent.name
    shutil.copytree(notebook.parent, target, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    nb = substitute_parameters(read_notebook(notebook), values)
    write_notebook(nb, target / notebook.name)
    return target / notebook.name


def without_pictures(nb: NotebookNode) -> NotebookNode:
    """A copy for a comparison that leaves pictures out: their data are gone, the text that stands for them is kept."""
    result = copy.deepcopy(nb)
    for data in (output.data for cell in result.cells for output in cell.get("outputs", []) if "data" in output):
        for kind in [kind for kind in data if kind.startswith("image/")]:
            del data[kind]
        if "text/html" in data:
            data["text/html"] = PICTURE.sub("PICTURE", data["text/html"])
    return result


def refresh(
    notebook: str | Path, profile: str | Path = "ci", *, into: Path | None = None, timeout: float | None = None
) -> bool:
    """Execute the notebook with the profile's values and store the outputs in it; True if something changed.

    `into` takes the cells and the outputs instead, without pictures; the notebook stays as it is. Raises
    :class:`ParameterError` and :class:`NotebookError`; nothing is written then.
    """
    notebook = Path(notebook).resolve()
    nb = read_notebook(notebook)
    values = load_profile(profile, notebook)
    with tempfile.TemporaryDirectory(prefix="tireid-refresh-") as folder:
        shrunk = workspace(notebook, values, Path(folder))
        # Progress off: its lines depend on the clock.
        executed = execute(
            read_notebook(shrunk), notebook.name, shrunk.parent, timeout=timeout, log=False, progress="off"
        )
    result = copy.deepcopy(nb)
    for cell, done in zip(result.cells, executed.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
    result.metadata["language_info"] = executed.metadata.language_info
    result = clean(result) if into is None else without_pictures(clean(result))
    target = notebook if into is None else into
    if target.is_file() and result == read_notebook(target):
        return False
    write_notebook(result, target)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns 1 if a notebook failed."""
    parser = argparse.ArgumentParser(prog="python -m tireid.runner.refresh", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="stems such as 00_quickstart (default: every notebook)")
    parser.add_argument("--folder", type=Path, default=Path("notebooks"))
    parser.add_argument("--short", type=Path, default=Path("tests/notebooks/short"), help="copies that nbval compares")
    parser.add_argument("--profile", default="ci")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="limit for each notebook")
    args = parser.parse_args(arguments)
    paths = [args.folder / f"{name}.ipynb" for name in args.names] or sorted(args.folder.glob("*.ipynb"))
    failed = 0
    for path in paths:
        try:
            print(f"{path} ... ", end="", flush=True)
            short = args.short / path.name
            into = short if args.profile == "ci" and short.is_file() else None
            changed = refresh(path, args.profile, into=into, timeout=args.timeout)
            print("refreshed" if changed else "as it was")
        except (NotebookError, ParameterError, FileNotFoundError) as error:
            failed += 1
            print(f"failed, left as it was\nerror: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
