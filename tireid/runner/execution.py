"""Execute a notebook with papermill in a kernel of this very interpreter, within a time limit, watched live."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra

with extra("notebooks"):
    import ipykernel.kernelspec
    import papermill
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbformat import NotebookNode
    from papermill.exceptions import PapermillExecutionError


FAILED, TIME_LIMIT, KERNEL_DIED = 1, 124, 137
STARTUP_SECONDS = 120


class NotebookError(RuntimeError):
    """A notebook that did not reach its end; what it computed until then is kept.

    `exit_status` is 1 for an exception in a cell, 124 for the time limit, 137 for a kernel that died; `cell` is the
    one-based number of the cell in the notebook as written (0: before the first cell).
    """

    def __init__(self, message: str, *, exit_status: int, cell: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.cell = cell


def kernel_environment(progress: str = "log") -> dict[str, str]:
    """Environment of a kernel that nobody watches: progress as lines (`log`) or not at all (`off`), inline figures."""
    return {
        **os.environ,
        "TIREID_PROGRESS": progress,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # whatever the calling shell has chosen
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silences a debugger's warning about frozen modules
    }


def execute(
    nb: NotebookNode,
    name: str,
    folder: Path,
    *,
    output: Path | None = None,
    values: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    log: bool = True,
    progress: str = "log",
) -> NotebookNode:
    """Run every cell of `nb` with the working directory `folder` and return the executed notebook.

    `values` are injected by papermill after the `parameters` cell. `output` is written after every cell, so that a
    failed run keeps what it had. `timeout` is for the whole run, in seconds. `log` passes the notebook's stdout and
    stderr on as they come, with a line ahead of every code cell.

    Raises :class:`NotebookError` naming the notebook, the cell, its first line and what happened.
    """
    watch = _Watch(nb, name, timeout, log)
    try:
        result: NotebookNode = papermill.execute_notebook(
            nb,
            output,
            parameters=dict(values or {}),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=STARTUP_SECONDS,
            stdout_file=sys.stdout if log else None,
            stderr_file=sys.stderr if log else None,
            kernel_manager_class=_kernel_class(folder, progress, watch),
            extra_arguments=["--log-level=CRITICAL"],  # else ipykernel warns of plain transport on every start
            on_cell_start=watch.cell_started,
            timeout_func=watch.seconds_left,
            iopub_timeout=60,
            coalesce_streams=True,
        )
    except PapermillExecutionError as error:
        raise watch.error(f"{error.ename}: {error.evalue}", FAILED) from error
    except CellTimeoutError as error:
        raise watch.error(f"stopped at the run's time limit of {timeout:g} s", TIME_LIMIT) from error
    except DeadKernelError as error:
        raise watch.error(_death(watch.kernel_status), KERNEL_DIED) from error
    except RuntimeError as error:
        if watch.cell:
            raise
        raise watch.error(f"the kernel did not start: {error}", KERNEL_DIED) from error
    return result


@dataclass
class _Watch:
    """What one run is doing: the cell at work, the clock, the kernel's exit status once it has ended."""

    nb: NotebookNode
    name: str
    timeout: float | None
    log: bool
    cell: int = 0
    source: str = ""
    kernel_status: int | None = None

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.numbers = {cell.get("id"): number for number, cell in enumerate(self.nb.cells, start=1)}

    def cell_started(self, cell: NotebookNode, cell_index: int) -> None:
        if cell.cell_type != "code":
            return
        # The injected cell is not in the notebook as written; it goes by the number of the cell ahead of it.
        self.cell, self.source = self.numbers.get(cell.get("id"), self.cell), cell.source
        if self.log:
            spent = time.monotonic() - self.started
            print(f"[{spent:6.0f} s] cell {self.cell}/{len(self.numbers)}: {self.first_line}", flush=True)

    def seconds_left(self, cell: NotebookNode) -> float | None:
        if self.timeout is None:
            return None
        return max(self.started + self.timeout - time.monotonic(), 0.1)  # nbclient takes 0 for "no limit"

    @property
    def first_line(self) -> str:
        return next((line for line in self.source.splitlines() if line.strip()), "")

    def error(self, what: str, status: int) -> NotebookError:
        where = f"cell {self.cell} ({self.first_line!r})" if self.cell else "before the first cell"
        return NotebookError(f"{self.name}, {where}: {what}", exit_status=status, cell=self.cell)


def _kernel_class(folder: Path, progress: str, watch: _Watch) -> type[AsyncKernelManager]:
    """A kernel manager bound to one run: nbclient makes the instance itself and takes nothing but a class."""

    class CurrentInterpreter(AsyncKernelManager):
        """Starts `sys.executable`, whatever other `python3` kernel is installed on the system."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await super().start_kernel(**{**options, "cwd": str(folder), "env": kernel_environment(progress)})

        async def cleanup_resources(self, restart: bool = False) -> None:  # type: ignore[override]
            if self.provisioner is not None:
                watch.kernel_status = await self.provisioner.poll()
            await super().cleanup_resources(restart)

    return CurrentInterpreter


def _death(status: int | None) -> str:
    """What to tell about a kernel that ended on its own (negative status: killed by that signal)."""
    if status in (-9, None):
        return (
            "the kernel died, probably out of memory (killed by the system); "
            "use a smaller batch or picture, or a machine with more memory"
        )
    if status < 0:
        return f"the kernel died from signal {-status} (a crash in compiled code, or out of memory)"
    return f"the kernel ended itself with status {status}"
