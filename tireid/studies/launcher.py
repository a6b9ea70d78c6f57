"""Tasks as jobs: processes here or on a cluster that Slurm manages; submitit does both."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, Literal, TypedDict, TypeVar

from tireid.basics.arguments import LIMIT
from tireid.basics.extras import require
from tireid.basics.processes import hear_interrupts, processors, without_interrupts
from tireid.basics.terminal import one_line

T = TypeVar("T")
Cluster = Literal["local", "slurm"]
POLL_SECONDS = 0.5
QUEUE_SECONDS = 15.0
OVER = {"CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "TIMEOUT", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}
"""Slurm's states of a job that will not come back."""


class How(TypedDict, total=False):
    """How the tasks of a study are run."""

    jobs: int
    """Tasks at a time. Here they share the GPUs evenly, or the processor."""
    threads: int
    """Processor threads of each task; part of what makes results repeat to the digit."""
    cluster: Cluster
    """`local`, or `slurm` for a job array of at most `jobs` tasks at a time."""
    options: Mapping[str, Any] | None
    """For submitit, such as `slurm_partition`, `slurm_gpus_per_node`, `mem_gb`."""
    timeout: float | None
    """Limit of each task in seconds."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a task."""

    task: T
    status: Literal["done", "skipped", "failed"]
    """`skipped`: it was finished before."""
    seconds: float = 0.0
    message: str = ""
    """For a failed one which cell failed and why, and where the log is."""
    value: Any = None
    """What it made, where that is not a file."""

    def __str__(self) -> str:
        message = f": {self.message}" if self.message else ""
        return one_line(f"{self.status}: {self.task} ({self.seconds:.0f} s){message}")


@dataclass(frozen=True)
class Work(ABC, Generic[T]):
    """What a job does; submitit sends it to the process or node that runs it."""

    task: T

    @abstractmethod
    def __call__(self) -> Outcome[T]:
        """Do it."""

    def checkpoint(self) -> Any:
        """A job that Slurm preempts or stops at its time limit is queued again, and goes on where it stood."""
        return require("submitit", "sweep").helpers.DelayedSubmission(self)


@dataclass(frozen=True)
class _Here(Work[T]):
    """Work on this machine. It ends with whoever asked for it, and holds the lock `asked` as long as it waits."""

    work: Work[T]
    asked: Path

    def __call__(self) -> Outcome[T]:
        from filelock import FileLock

        def watch() -> None:
            FileLock(self.asked).acquire(poll_interval=POLL_SECONDS)
            os._exit(1)  # submitit's process beside it and the kernel of a notebook then end too

        hear_interrupts()
        threading.Thread(target=watch, daemon=True).start()
        return self.work()


@dataclass(frozen=True)
class Launcher:
    """Hands work to submitit and gives back the outcomes as they come; logs are kept in `runs`."""

    runs: Path
    jobs: int = 1
    threads: int = 1
    cluster: Cluster = "local"
    options: Mapping[str, Any] | None = None
    timeout: float | None = None

    def __post_init__(self) -> None:
        cores = processors()
        most = max(2, cores) if self.cluster == "local" else math.inf
        if not 1 <= self.jobs <= most:
            raise ValueError(f"jobs: expected 1 to {most} on this machine of {cores} processors, got {self.jobs}")
        if self.threads < 1:
            raise ValueError(f"threads: expected 1 or more, got {self.threads}")
        if self.timeout is not None:
            LIMIT("timeout", self.timeout)
        if self.cluster == "slurm" and "%" in str(self.runs):
            raise ValueError(f"runs: Slurm takes a % in a path for a placeholder: {self.runs}")

    def run(self, works: Sequence[Work[T]]) -> Iterator[Outcome[T]]:
        """The outcome of each, as they end."""
        if not works:
            return
        if self.cluster == "slurm":
            yield from self._slurm(works)
            return
        # submitit takes a % in a path for a placeholder: it gets one without.
        with tempfile.TemporaryDirectory(prefix="tireid-sweep-") as folder:
            self.runs.mkdir(parents=True, exist_ok=True)
            (plain := Path(folder) / "runs").symlink_to(self.runs, target_is_directory=True)
            yield from replace(self, runs=plain)._local(works) if "%" in str(self.runs) else self._local(works)

    def _local(self, works: Sequence[Work[T]]) -> Iterator[Outcome[T]]:
        """submitit starts a local job at once: a pool of `jobs` threads waits for them, each with its own GPU."""
        import torch
        from filelock import FileLock

        gpus = torch.cuda.device_count()
        slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(self.jobs):
            slots.put(slot)

        asked = (self._logs / ".lock").resolve()  # in a folder that outlives the jobs
        with FileLock(asked), self._waiting(self.jobs) as (pool, over):

            def one(work: Work[T]) -> Outcome[T]:
                slot = slots.get()
                try:
                    device = {"gpus_per_node": 1, "local_visible_gpus": [slot % gpus]} if gpus else {}
                    with without_interrupts():
                        job = self._executor(device).submit(_Here(work.task, work, asked))
                    return self._wait(work, job, over)
                finally:
                    slots.put(slot)

            for future in as_completed([pool.submit(one, work) for work in works]):
                yield future.result()

    def _slurm(self, works: Sequence[Work[T]]) -> Iterator[Outcome[T]]:
        executor = self._executor({"slurm_array_parallelism": self.jobs, "cpus_per_task": self.threads})
        jobs = executor.map_array(type(works[0]).__call__, works)
        with self._waiting(len(works)) as (pool, over):
            pairs = zip(works, jobs, strict=True)
            for future in as_completed([pool.submit(self._wait, work, job, over) for work, job in pairs]):
                yield future.result()

    @contextmanager
    def _waiting(self, threads: int) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
        """A pool whose threads wait for jobs, until the event: after a Ctrl+C they start and wait for none."""
        pool, over = ThreadPoolExecutor(threads), threading.Event()
        try:
            yield pool, over
        finally:
            over.set()
            pool.shutdown(cancel_futures=True)

    @cached_property
    def _logs(self) -> Path:
        """A new folder. Names in it have the job's id, here that of a process, which a later process may have again.

        submitit would take the result that the earlier one, or a stranger, left there as a pickle.
        """
        (logs := self.runs / "logs").mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=logs))

    def _executor(self, options: Mapping[str, Any]) -> Any:
        submitit = require("submitit", "sweep")
        minutes = 60 * 24 if self.timeout is None else int(self.timeout / 60) + 2
        executor = submitit.AutoExecutor(self._logs, cluster=self.cluster)
        executor.update_parameters(**({"timeout_min": minutes} | dict(options) | dict(self.options or {})))
        return executor

    def _wait(self, work: Work[T], job: Any, over: threading.Event) -> Outcome[T]:
        asked = time.monotonic()
        while not job.done():
            if over.wait(POLL_SECONDS):
                return Outcome(work.task, "failed", message="interrupted")
            if self.cluster == "slurm" and time.monotonic() - asked > QUEUE_SECONDS:
                gone, asked = _left_the_queue(job.job_id), time.monotonic()
                if gone and not job.done():
                    message = f"left Slurm's queue without a result; log: {job.paths.stderr}"
                    return Outcome(work.task, "failed", message=message)
        try:
            outcome: Outcome[T] = job.result()
        except Exception as error:  # whatever killed the job: out of memory, a node that went away, a broken import
            reason = str(error).strip().splitlines()
            return Outcome(work.task, "failed", message=f"{reason[-1] if reason else error!r}; log: {job.paths.stderr}")
        return outcome


def _left_the_queue(job_id: str) -> bool:
    """Whether Slurm has done with a job. submitit asks `sacct`, which a cluster without accounting does not answer."""
    asked = subprocess.run(
        ["squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job_id], capture_output=True, text=True
    )
    if asked.returncode != 0:
        return "Invalid job id" in asked.stderr  # forgotten; anything else may pass, such as a controller restarting
    return set(asked.stdout.split()) <= OVER
