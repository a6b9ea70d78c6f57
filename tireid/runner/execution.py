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
from tireid.basics.terminal import say_anything
from tireid.runner.output import LimitedClient

with extra("notebooks"):
    import ipykernel.kernelspec
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbformat import NotebookNode
    from papermill.engines import papermill_engines
    from papermill.iorw import load_notebook_node, write_ipynb
    from papermill.parameterize import parameterize_notebook

FAILED, TIME_LIMIT, KERNEL_DIED = 1, 124, 137
STARTUP_SECONDS = 120
LONGEST = 2_000
"""Characters of an error that are repeated outside the executed notebook."""


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
    if log:
        say_anything()
    watch = _Watch(name, len(nb.cells), timeout, log)
    try:
        result: NotebookNode = papermill_engines.execute_notebook_with_engine(
            None,
            _prepared(nb, values or {}),
            kernel_name="python3",
            output_path=None if output is None else str(output),
            progress_bar=False,
            stdout_file=sys.stdout if log else None,
            stderr_file=sys.stderr if log else None,
            **_client_options(folder, progress, watch),
        )
        if output is not None:
            write_ipynb(result, str(output))
    except CellTimeoutError as error:  # an OSError as well
        raise watch.error(f"stopped at the run's time limit of {timeout:g} s", TIME_LIMIT) from error
    except OSError as error:  # a full disk, or a cell that removed the folder
        raise watch.error(f"{output} cannot be written: {error}", FAILED) from error
    except DeadKernelError as error:
        raise watch.error(_death(watch.kernel_status), KERNEL_DIED) from error
    except RuntimeError as error:
        if watch.cell:
            raise
        raise watch.error(f"the kernel did not start: {error}", KERNEL_DIED) from error
    if problem := _unexpected(result.cells[watch.index]):
        raise watch.error(problem, FAILED)
    return result


def _prepared(nb: NotebookNode, values: Mapping[str, Any]) -> NotebookNode:
    """A copy with what papermill expects in it, and the values after the `parameters` cell."""
    copy: NotebookNode = load_notebook_node(nb)
    if values:
        copy = parameterize_notebook(copy, dict(values), kernel_name="python3", language="python")
    return copy


def _client_options(folder: Path, progress: str, watch: _Watch) -> dict[str, Any]:
    """What nbclient is told of the kernel and of the run that watches it."""
    return {
        "kernel_manager_class": _kernel_class(folder, progress, watch),
        "extra_arguments": ["--log-level=CRITICAL"],  # else ipykernel warns of plain transport on every start
        "start_timeout": STARTUP_SECONDS,
        "iopub_timeout": 60,
        "timeout_func": watch.seconds_left,
        "on_cell_start": watch.cell_started,
        "on_cell_executed": watch.cell_executed,
    }


def _unexpected(last: NotebookNode) -> str | None:
    """Why the run ended with the cell `last`, whose own exception, if it was asked for, is no reason."""
    if "raises-exception" in last.metadata.get("tags", []):
        return None
    said = ""
    for output in last.get("outputs", []):
        if output.output_type == "error":
            early = "; it ends the notebook early" if output.ename == "SystemExit" else ""
            return f"{output.ename}: {output.evalue[:LONGEST]}{early}"
        if output.output_type == "stream" and output.name == "stderr":
            said = output.text.strip().rpartition("\n")[2][:LONGEST]  # as of a magic command that IPython does not know
    return said or "it failed without a message" if last.metadata.get("papermill", {}).get("exception") else None


def _merge_streams(cell: NotebookNode) -> None:
    """One output per stream, with what a terminal would show of lines that a carriage return begins anew.

    nbclient's own merging takes minutes for a line of some 100,000 characters, and the time limit waits for it.
    """
    merged: list[NotebookNode] = []
    streams: dict[str, list[str]] = {}
    for output in cell.outputs:
        if output.output_type != "stream":
            merged.append(output)
        elif output.name in streams:
            streams[output.name].append(output.text)
        else:
            merged.append(output)
            streams[output.name] = [output.text]
    for output in merged:
        if output.output_type == "stream":
            output.text = "\n".join(map(_overwritten, "".join(streams[output.name]).split("\n")))
    # The two streams come by different ways; in a fixed order they can be compared.
    places = [i for i, output in enumerate(merged) if output.output_type == "stream"]
    if len(places) == 2 and places[1] == places[0] + 1 and merged[places[0]].name == "stderr":
        merged[places[0]], merged[places[1]] = merged[places[1]], merged[places[0]]
    cell.outputs = merged


def _overwritten(line: str) -> str:
    """What follows the last carriage return that something follows."""
    kept = line.rstrip("\r")
    return kept.rpartition("\r")[2] + line[len(kept) :]


@dataclass
class _Watch:
    """What one run is doing: the cell at work, the clock, the kernel's exit status once it has ended."""

    name: str
    cells: int
    timeout: float | None
    log: bool
    cell: int = 0
    """The number of the cell in the notebook as written."""
    index: int = 0
    """Its place in the notebook as executed."""
    source: str = ""
    kernel_status: int | None = None
    injected: int = 0

    def __post_init__(self) -> None:
        self.started = time.monotonic()

    def cell_started(self, cell: NotebookNode, cell_index: int) -> None:
        # The injected cell is not in the notebook as written; it goes by the number of the cell ahead of it.
        self.injected |= "injected-parameters" in cell.metadata.get("tags", [])
        if cell.cell_type != "code":
            return
        self.cell, self.index, self.source = cell_index + 1 - self.injected, cell_index, cell.source
        if self.log:
            spent = time.monotonic() - self.started
            print(f"[{spent:6.0f} s] cell {self.cell}/{self.cells}: {self.first_line}", flush=True)

    def cell_executed(self, cell: NotebookNode, cell_index: int, execute_reply: Mapping[str, Any]) -> None:
        _merge_streams(cell)
        # IPython's quit and exit raise nothing: they ask whoever started the kernel to end it.
        if any(asked.get("source") == "ask_exit" for asked in execute_reply["content"].get("payload", ())):
            raise self.error("quit() or exit() ends the notebook early", FAILED)

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

        client_factory = LimitedClient  # type: ignore[assignment]

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
