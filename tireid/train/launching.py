"""Training on several processes from a notebook: never inside its kernel, always as a command with a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tireid.basics.arguments import WHOLE, checked
from tireid.basics.extras import extra
from tireid.basics.files import write_json
from tireid.basics.parts import source, trust
from tireid.basics.processes import processors
from tireid.basics.progress import Progress
from tireid.data import Dataset
from tireid.options import Config
from tireid.train.loop import TrainingError, TrainingRun, train

with extra("train"):
    from psutil import virtual_memory

REQUEST, ERROR = "request.json", "error: "
MOST, BYTES = 4, 3 * 2**30
"""Processes without a GPU, and the memory that the machine must have for each: it holds PyTorch and all pictures."""


@checked(processes=WHOLE)
def train_in_processes(
    config: Config, output_dir: str | Path, processes: int = 0, *, data: Dataset | None = None
) -> TrainingRun:
    """Like :func:`tireid.train`, with `processes` processes started by `torchrun`; one trains in here.

    0 stands for one per GPU. Without a GPU it is one per processor, up to four, if there are 3 GB for each: a small
    model uses two processors better as two processes than as two threads of one. The log is kept in
    `output_dir/train.log`. Run it again to go on after the last whole epoch. Other numbers of processes augment other
    pictures, so their figures differ a little.

    Raises:
        TrainingError: a process failed; with its error, or the end of the log.
    """
    processes = processes or _fitting(config)
    if processes == 1:
        return train(config, output_dir, data=data)
    output_dir = Path(output_dir)
    output_dir.mkdir(parents=True, exist_ok=True)
    write_json(output_dir / REQUEST, {"config": config.model_dump(mode="json"), "data": data and _plain(data)})
    for part in config.resolved().parts:  # what is trusted here is trusted there
        trust(part.partition(":")[0], folder=source(part).parent)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    _follow([*command, "-m", "tireid.train", str(output_dir)], output_dir / "train.log", processes)
    return train(config, output_dir, data=data)


def _fitting(config: Config) -> int:
    """As many as there are GPUs, or as are free, so that each gets the same number of whole groups of pairs."""
    pairs = config.resolved().sampler
    group = pairs.pairs_per_person if pairs.kind == "pk" else 1
    most = torch.cuda.device_count() or min(MOST, processors(), virtual_memory().total // BYTES)
    return max((count for count in range(1, most + 1) if pairs.batch_size % (count * group) == 0), default=1)


def _plain(data: Dataset) -> dict[str, Any]:
    records = [asdict(record) | {"image": str(record.image)} for split in data.splits for record in split.records]
    return {"name": data.name, "root": str(data.root), "records": records, "upright": data.train.upright}


def _follow(command: list[str], log: Path, processes: int) -> None:
    """Run it to its end: what it prints goes into `log`, its progress is shown."""
    environment = os.environ | {"TIREID_PROGRESS": "log", "OMP_NUM_THREADS": str(max(1, processors() // processes))}
    lines = []
    with ExitStack() as stack:
        written = stack.enter_context(log.open("w", encoding="utf-8"))
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            errors="replace",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        stack.enter_context(process)
        assert process.stdout is not None
        stack.callback(_end, process)  # also for an interrupt of the cell, which may be run again at once
        bar = stack.enter_context(Progress(1, f"train, {processes} processes"))
        for line in process.stdout:
            written.write(line)
            lines.append(line)
            if step := re.match(r"train +(\d+)/(\d+) ", line):
                bar.to(int(step[1]), int(step[2]))
        status = process.wait()
    if status:
        told = [line.removeprefix(ERROR) for line in lines if line.startswith(ERROR)] or lines[-15:]
        raise TrainingError(f"training on {processes} processes failed (exit {status}):\n" + "".join(told))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait()
