"""Run nbval on a copy of a notebook that has the CI profile's values substituted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tireid.runner.execution import kernel_environment
from tireid.runner.notebook import read_notebook, write_notebook
from tireid.runner.refresh import workspace

SANITIZE = Path(__file__).parents[2] / "notebooks" / "sanitize.cfg"
CELL_SECONDS = 300  # the longest cell trains for more than a minute of a free core


def validate(
    notebook: Path, values: Mapping[str, Any], folder: Path, *, sabotage: str = ""
) -> subprocess.CompletedProcess[str]:
    """Compare a fresh run of every cell with the stored outputs; returncode 0 when they agree.

    `sabotage` is code put in front of the first code cell: break the library with it to see that nbval notices.
    """
    copy = workspace(notebook, values, folder)
    if sabotage:
        nb = read_notebook(copy)
        first = next(cell for cell in nb.cells if cell.cell_type == "code")
        first.source = f"{sabotage}\n{first.source}"
        write_notebook(nb, copy)
    options = f"--nbval --nbval-current-env --nbval-cell-timeout {CELL_SECONDS} --color=no -p no:cacheprovider -q"
    # Of pytest's own variables none must reach the inner run; progress is off, since its lines depend on the clock.
    environment = {key: value for key, value in kernel_environment("off").items() if not key.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), "--nbval-sanitize-with", str(SANITIZE), str(copy)],
        cwd=copy.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
