"""One of the processes of `train_in_processes`: trains what the request in the folder asks for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from tireid.basics.files import read_json
from tireid.basics.terminal import one_line
from tireid.data import Dataset
from tireid.data.rows import Record
from tireid.options import Config
from tireid.train.launching import ERROR, REQUEST
from tireid.train.loop import train


def main(folder: Path) -> int:
    """0, or 2 after a line that says what is wrong."""
    Thread(target=_end_with_launcher, daemon=True).start()
    try:
        request = read_json(folder / REQUEST)
        data = request["data"] and _data(**request["data"])
        train(Config.model_validate(request["config"]), folder, data=data)
    except (ValueError, OSError, RuntimeError) as error:
        print(f"{ERROR}{one_line(error)}", flush=True)
        return 2
    return 0


def _data(name: str, root: str, records: list[dict[str, Any]], upright: bool) -> Dataset:
    return Dataset.of(name, Path(root), map(_record, records), upright=upright)


def _record(plain: dict[str, Any]) -> Record:
    return Record(**plain | {"image": Path(plain["image"]), "captions": tuple(plain["captions"])})


def _end_with_launcher() -> None:
    """However it ended, it holds the standard input no longer."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
