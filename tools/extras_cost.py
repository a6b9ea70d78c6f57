"""What the core and each extra cost, measured here: `python -m tools.extras_cost` writes `docs/extras.md`.

Sizes are those of the files that pip recorded in this environment, which must hold every extra. An extra is charged
with what it brings beyond the core. Import times are the least of three fresh processes, in seconds of the processor:
what else the machine does hardly moves them.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import distribution, version
from pathlib import Path

from tests import house

USES = {
    "": ("load a model, search a folder, evaluate", "import tireid; tireid.TIReID, tireid.Gallery"),
    "train": ("training", "import tireid.train, kornia.augmentation"),
    "tensorboard": ("curves for TensorBoard", "import torch.utils.tensorboard"),
    "maps": ("UMAP maps", "import umap"),
    "approximate": ("approximate search in large galleries", "import usearch.index"),
    "database": ("searching in a vector database", "import lancedb"),
    "notebooks": ("notebooks, plots, widgets, reports", "import tireid.demo, tireid.runner.export, seaborn"),
    "demo": ("`tireid demo`: the widgets as a local page", "import voila.app"),
    "sweep": ("runs of a study side by side, here or on Slurm", "import submitit, filelock"),
    "docs": ("building this documentation", "import sphinx.application, myst_nb.sphinx_ext, furo"),
    "dev": ("tests and static checks", "import pytest, hypothesis, playwright.sync_api"),
}
PAGE = """# What each extra costs

Measured by `python -m tools.extras_cost` with Python {python}, torch {torch} on {machine}. An extra is charged with
what it brings beyond the core. PyTorch is counted apart: its size depends on the build ({torch_size:.0f} MB for
processors here, several gigabytes with CUDA).

| `pip install` | for | packages | MB | seconds to import |
|---|---|---|---|---|
{rows}

The seconds are those that `import` takes of the processor in a fresh process, PyTorch and the rest of the core included
where they are used; `import torch` alone took {torch_seconds:.1f} s in the same run.
"""


def megabytes(names: set[str]) -> float:
    """Size of the files of these distributions, in millions of bytes."""
    found = [
        Path(str(distribution(name).locate_file(file))) for name in names for file in distribution(name).files or ()
    ]
    return sum(path.stat().st_size for path in found if path.is_file()) / 1e6


def seconds(statement: str) -> float:
    """What the imports take of the processor in a fresh process."""
    timed = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
    return min(float(subprocess.check_output([sys.executable, "-c", timed]).split()[-1]) for _ in range(3))


def row(extra: str) -> str:
    """One line of the table."""
    names = house.brought(extra) - (house.brought() if extra else {"torch"})
    command = f"tireid[{extra}]" if extra else "tireid"
    purpose, statement = USES[extra]
    return f"| `{command}` | {purpose} | {len(names)} | {megabytes(names):.0f} | {seconds(statement):.1f} |"


def main() -> None:
    """Measure and write the page."""
    rows = "\n".join(row(extra) for extra in USES if extra in house.extras())
    facts = {"python": platform.python_version(), "torch": version("torch"), "machine": platform.machine()}
    page = PAGE.format(rows=rows, torch_size=megabytes({"torch"}), torch_seconds=seconds("import torch"), **facts)
    (house.ROOT / "docs" / "extras.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
