"""Training on several processes from a notebook: never inside its kernel, always as a command with a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tireid.basics.arguments import COUNT, checked
from tireid.basics.files import write_atomically
from tireid.basics.parts import source, trust
from tireid.options import Config
from tireid.train.loop import TrainingError, TrainingRun, train


@checked(processes=COUNT)
def train_in_processes(config: Config, output_dir: str | Path, processes: int) -> TrainingRun:
    """Like :func:`tireid.train`, with `processes` processes (one per GPU) started by `torchrun`; one trains in here.

    The log is printed as it comes and kept in `output_dir/train.log`. Run it again to go on after the last whole epoch.

    Raises:
        TrainingError: a process failed; with the end of the log.
    """
    if processes == 1:
        return train(config, output_dir)
    output_dir = Path(output_dir)
    request = output_dir / "request.json"
    output_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(request, config.model_dump_json(indent=2))
    for part in config.resolved().parts:  # what is trusted here is trusted there
        trust(part.partition(":")[0], folder=source(part).parent)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "tireid", "train", "--config", str(request), "--output-dir", str(output_dir)]
    lines = []
    with (output_dir / "train.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            log.write(line)
            lines.append(line)
    if process.wait():
        raise TrainingError(
            f"training on {processes} processes failed (exit {process.returncode}):\n" + "".join(lines[-15:])
        )
    return train(config, output_dir)
