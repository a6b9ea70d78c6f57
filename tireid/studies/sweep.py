"""Run the tasks of a study: here, several at a time, or on a cluster that Slurm manages (submitit does both).

Every task is one :func:`tireid.runner.run` in `<runs>/<task.key>/`. A finished one is never repeated; one that was
interrupted goes on where its training stood; a failed one is tried once more and then reported. So the answer to
anything that went wrong is the same command again. A lock per task keeps two sweeps from running one task at once.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Unpack

import pandas as pd

from tireid.basics.files import writable
from tireid.basics.parts import check_trusted, is_part
from tireid.basics.terminal import one_line
from tireid.studies.launcher import How, Launcher, Outcome, Work
from tireid.studies.results import Results, load
from tireid.studies.store import Store
from tireid.studies.study import Study, Task

ATTEMPTS = 2


@dataclass(frozen=True)
class Sweep:
    """A study after its tasks were run, as far as they go.

    >>> sweep = Sweep(Study("ablation", Path("05.ipynb"), ()), Path("runs"), Path("results"), ())
    >>> print(sweep)
    ablation: 0 done, 0 skipped, 0 failed
    """

    study: Study
    runs: Path
    results: Path
    outcomes: tuple[Outcome[Task], ...] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every task is finished."""
        return not self.failed

    @property
    def failed(self) -> list[Outcome[Task]]:
        """The tasks that failed twice."""
        return [outcome for outcome in self.outcomes if outcome.status == "failed"]

    @property
    def table(self) -> pd.DataFrame:
        """A row per task: arm, seed, status, seconds, folder."""
        rows = [(o.task.arm, o.task.seed, o.status, round(o.seconds, 1), o.task.key) for o in self.outcomes]
        return pd.DataFrame(rows, columns=["arm", "seed", "status", "seconds", "folder"]).astype({"seed": "Int64"})

    def __str__(self) -> str:
        counts = self.table["status"].value_counts()
        words = ", ".join(f"{counts.get(status, 0)} {status}" for status in ("done", "skipped", "failed"))
        return "\n".join([f"{one_line(self.study.name)}: {words}", *map(str, self.failed)])


def sweep(
    study: Study | str | Path,
    *,
    runs: str | Path = "runs/studies",
    results: str | Path | None = None,
    on_outcome: Callable[[Outcome[Task], int, int], None] | None = None,
    **how: Unpack[How],
) -> Sweep:
    """Run every task of `study` that is not finished.

    Args:
        study: a :class:`Study`, or the path of its YAML file.
        runs: folder of the runs: executed notebooks, checkpoints, logs.
        results: folder of the small result files of finished tasks (default: `<runs>/results`), see
            :mod:`tireid.studies.store`. A task whose result lies there is finished, whatever `runs` holds.
        on_outcome: called after each task with its outcome, how many are over, and how many there are.
        how: see :class:`How`.

    Raises:
        OSError: `runs` or `results` cannot be written, and something is to be run.
        StudyError: before anything runs. A task that fails does not raise: see :attr:`Sweep.failed`.
        UntrustedPartError: likewise, for code from outside that is not trusted, see :mod:`tireid.basics.parts`.
        ValueError: likewise, for more jobs than this machine has processors, or no time at all.

    >>> done = sweep("notebooks/studies/converged.yaml", jobs=2)  # doctest: +SKIP
    >>> print(done)                                                # doctest: +SKIP
    converged: 65 done, 0 skipped, 0 failed
    """
    study = Study.of(study)
    runs = Path(runs).resolve()
    store = Store(Path(results).resolve() if results else runs / "results")
    outcomes = {task.key: Outcome(task, "skipped") for task in study.tasks if task in store}
    todo = {task.key: task for task in study.tasks if task.key not in outcomes}
    launcher = Launcher(runs, **how)
    for task in todo.values():
        for part in filter(is_part, task.parts):  # else each of its tasks would fail, twice
            check_trusted(part, f"study {study.name}, {task}")
    for place in (runs, store.folder) if todo else ():
        writable(place)
    for attempt in range(1, ATTEMPTS + 1):
        works = [_Run(task, runs, store.folder, launcher.threads, launcher.timeout) for task in todo.values()]
        for outcome in launcher.run(works):
            if outcome.status != "failed":
                del todo[outcome.task.key]
            if outcome.status != "failed" or attempt == ATTEMPTS:
                outcomes[outcome.task.key] = outcome
                if on_outcome:
                    on_outcome(outcome, len(outcomes), len(study.tasks))
    # Two arms may ask for the same run; each has its row.
    return Sweep(study, runs, store.folder, tuple(replace(outcomes[task.key], task=task) for task in study.tasks))


def collect(
    study: Study | str | Path,
    *,
    runs: str | Path = "runs/studies",
    results: str | Path | None = None,
    train: bool = True,
    jobs: int = 1,
) -> Results:
    """What a notebook asks for: the results of `study`, after :func:`sweep` made what is missing if `train` says so.

    Tasks that failed twice are warned of and left out; print the results to see what is there. Raises
    FileNotFoundError when no task has a result.

    >>> print(collect("notebooks/studies/converged.yaml", results="notebooks/results", train=False))  # doctest: +SKIP
    converged: 65 of 65 runs are there
    """
    study, store = Study.of(study), results or Path(runs) / "results"
    if train:
        done = sweep(study, runs=runs, results=store, jobs=jobs)
        if not done.ok:
            warnings.warn(str(done), stacklevel=2)
    return load(study, store)


@dataclass(frozen=True)
class _Run(Work[Task]):
    """Executes a task's notebook and keeps the result."""

    runs: Path
    store: Path
    threads: int
    timeout: float | None

    def __call__(self) -> Outcome[Task]:
        from filelock import FileLock

        from tireid.runner.run import run

        # The kernel inherits them; whoever runs the same task elsewhere gets the same sums in the same order.
        os.environ |= {name: str(self.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        folder = self.runs / self.task.key
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            if self.task in Store(self.store):
                return Outcome(self.task, "skipped")
            started = time.monotonic()
            result = run(
                self.task.notebook,
                self.task.parameters,
                output_dir=folder,
                timeout=self.timeout,
                html=False,
                check=False,
                skip_done=True,
            )
            seconds = time.monotonic() - started
            if result.error:
                return Outcome(self.task, "failed", seconds, f"{result.error}; notebook: {result.notebook}")
            if result.provenance.get("parts", {}) != dict(self.task.parts):
                return Outcome(self.task, "failed", seconds, "code from outside changed since the study was read")
            if not result.provenance["code_sha256"].startswith(self.task.sources[0]):
                message = f"{self.task.notebook.name} changed since the study was read"
                return Outcome(self.task, "failed", seconds, message)
            Store(self.store).keep(self.task, result)
            return Outcome(self.task, "done", seconds)
