"""nbval's comparison of a notebook's stored outputs with those of a run that has been made already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbval.plugin import IPyNbFile, NbCellError, get_sanitize_patterns

from tireid.experiments import RunResult, run
from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import read_parameters
from tireid.runner.refresh import workspace

FOLDER = Path(__file__).parents[2] / "notebooks"
SHORT = Path(__file__).parent / "short"
SANITIZE = FOLDER / "sanitize.cfg"
RUN_SECONDS = 480


def compared(name: str) -> Path:
    """Where the outputs of the CI profile are stored: in the notebook, or in a copy where that has a full run's."""
    return SHORT / name if (SHORT / name).is_file() else FOLDER / name


def run_copy(notebook: Path, folder: Path) -> RunResult:
    """A run with the CI profile of a copy in `folder`, whose outputs can be compared with the stored ones."""
    copy, declared = workspace(notebook, {}, folder), read_parameters(read_notebook(notebook))
    # Stored outputs name the notebook's own folder of results, and hold no progress, whose lines depend on the clock.
    own = {name: parameter.default for name, parameter in declared.items() if name == "output_dir"}
    run_dir = folder / "run"
    return run(copy, own, profile="ci", output_dir=run_dir, timeout=RUN_SECONDS, log=False, progress=False)


class Replay:
    """Takes the place of nbval's kernel: asked to execute a cell, it sends the outputs which that cell had in a run."""

    def __init__(self, outputs: Sequence[NotebookNode]) -> None:
        idle = {"msg_type": "status", "content": {"execution_state": "idle"}}
        sent = [{"msg_type": output.output_type, "content": output} for output in outputs]
        self.messages = iter([*sent, idle])

    def is_alive(self) -> bool:
        return True

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> str:
        return "cell"

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        pass

    def await_idle(self, parent_id: str, timeout: float) -> None:
        pass

    def get_message(self, stream: str, timeout: float | None = None) -> dict[str, Any]:
        return {"parent_header": {"msg_id": "cell"}, **next(self.messages)}


def differences(stored: Path, executed: Path, session: pytest.Session) -> list[str]:
    """What nbval says of each code cell of `stored` whose outputs are others in `executed`."""
    file = IPyNbFile.from_parent(session, path=stored)
    file.sanitize_patterns.update(get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")))
    done = [cell for cell in read_notebook(executed).cells if cell.cell_type == "code"]
    done = [cell for cell in done if "injected-parameters" not in cell.metadata.get("tags", [])]
    found = []
    for item, cell in zip(file.collect(), done, strict=True):
        assert item.cell.source == cell.source
        file.kernel = Replay(cell.outputs)
        try:
            item.runtest()
        except NbCellError as error:
            found.append(f"cell {item.cell_num}: {error}\n{error.inner_traceback}")
    return found
