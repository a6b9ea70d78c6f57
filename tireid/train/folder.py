"""The folder of a training: who may write it, and which state a resume starts from.

```
config.json    what is trained; a folder holds one configuration
data.json      the name and the fingerprint of the data
state-00003/   everything that a resume needs after epoch 3, renamed into place when it is whole
best/, last/   checkpoints;  history.csv;  metrics.json, written last: the training is finished
```

What stands behind the newest state (`history.csv`, removing older states) is done again by every start, so that a
process may be killed at any moment.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.basics.extras import extra
from tireid.basics.files import (
    flush_tree,
    read_json,
    recover_directory,
    replace_directory,
    swap_directory,
    write_atomically,
    write_json,
)
from tireid.basics.parts import fingerprint
from tireid.options import Config
from tireid.train.run import TrainingError

with extra("train"):
    from filelock import FileLock, Timeout

COUNTERS = ("epoch", "step", "best", "best_epoch", "train_seconds")
"""What a state says of how far the training was."""


class RunFolder:
    """One training's folder; only the main process writes, except for its states, which all processes fill.

    Raises :class:`TrainingError` when the folder cannot be written, with what the system says; the newest whole state
    is then as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def finished(self) -> bool:
        """Whether the training has ended and was scored."""
        return (self.path / "metrics.json").exists()

    @property
    def empty(self) -> bool:
        """Whether nothing was computed yet, as where a start failed: the next may be of another configuration."""
        return self.newest() is None and not any((self.path / name).exists() for name in ("best", "metrics.json"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains here; raises :class:`TrainingError` at once if someone does."""
        with _writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise TrainingError(f"another training is writing {self.path}; wait for it or choose another") from None
        try:
            for name in ("best", "last"):
                recover_directory(self.path / name)
            for leftover in self.path.glob(".*.new-*"):  # of killed processes
                shutil.rmtree(leftover, ignore_errors=True)
            yield
        finally:
            lock.release()

    def claim(self, config: Config) -> None:
        """Write the configuration and the sources of its parts, or make sure that the folder's are the same."""
        path, sources = self.path / "config.json", self.path / "parts.json"
        code = {part: fingerprint(part) for part in config.parts}
        if self.empty or not path.exists():
            if code:
                write_json(sources, code)
            write_json(path, config.to_dict())
            return
        known = Config.load(path)
        if known != config:
            raise TrainingError(
                f"{self.path} holds a run of another configuration ({_difference(known, config)}); "
                "choose another output_dir or delete it"
            )
        before = read_json(sources) if sources.exists() else {}
        if changed := [part for part in code if before.get(part) != code[part]]:
            raise TrainingError(
                f"{self.path} holds a run with another source of {', '.join(changed)}; choose another output_dir or "
                "delete it"
            )

    def promote(self, name: str, save: Callable[[Path], object]) -> None:
        """Replace the checkpoint `name` by what `save` writes; the old one stays until the new one is whole."""
        with _writing(self.path):
            replace_directory(self.path / name, save)

    def draft(self, epoch: int) -> Path:
        """Where the state after `epoch` is to be written, before :meth:`commit`."""
        return self.path / f".state-{epoch:05d}.new-draft"

    def commit(self, state: dict[str, Any], history: list[dict[str, float]]) -> None:
        """Complete the draft and make it the state from which the next start goes on."""
        draft = self.draft(state["epoch"])
        with _writing(self.path):
            rows = pd.DataFrame(history).to_csv(index=False).encode()
            (draft / "history.csv").write_bytes(rows)
            write_json(draft / "progress.json", state | {"history": _digest(rows)})
            flush_tree(draft)
            swap_directory(draft, self.path / f"state-{state['epoch']:05d}")
        self.settle()

    def newest(self) -> Path | None:
        """The folder of the newest whole state."""
        whole = sorted(path.parent for path in self.path.glob("state-*/progress.json"))
        return whole[-1] if whole else None

    def settle(self) -> None:
        """What follows a commit: the history is the newest state's, older states go."""
        newest = self.newest()
        if newest is None:
            return
        with _writing(self.path):
            write_atomically(self.path / "history.csv", (newest / "history.csv").read_bytes())
        for other in {*self.path.glob("state-*"), *self.path.glob(".state-*.old-*")} - {newest}:
            shutil.rmtree(other, ignore_errors=True)

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the result: the last thing that a training does."""
        with _writing(self.path):
            write_json(self.path / "metrics.json", metrics)

    def result(self) -> tuple[dict[str, Any], pd.DataFrame]:
        """Metrics and history of a finished training."""
        if not (self.path / "history.csv").exists():
            self.settle()
        return read_json(self.path / "metrics.json"), pd.read_csv(self.path / "history.csv")


def read_state(folder: Path) -> tuple[dict[str, Any], list[dict[str, float]]]:
    """Counters and history of a state; raises ValueError if one of its files is damaged."""
    state = read_json(folder / "progress.json")
    rows = (folder / "history.csv").read_bytes()
    if state.pop("history", None) != _digest(rows):
        raise ValueError(f"{folder / 'history.csv'} is not what was written")
    if bad := [name for name in COUNTERS if not isinstance(state.get(name), int | float)]:
        raise ValueError(f"{folder / 'progress.json'} is damaged: {bad[0]} must be a number, got {state.get(bad[0])!r}")
    table = pd.read_csv(io.BytesIO(rows)).to_dict("records")
    return state, [{str(k): v for k, v in row.items() if not pd.isna(v)} for row in table]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _difference(a: Config, b: Config) -> str:
    left, right = pd.json_normalize(a.to_dict()).iloc[0], pd.json_normalize(b.to_dict()).iloc[0]
    names = [n for n in left.index.union(right.index) if str(left.get(n)) != str(right.get(n))]
    return ", ".join(f"{n}: {left.get(n)} there, {right.get(n)} here" for n in names[:4])


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TrainingError(f"cannot write {path}: {error}; mend that and run the same again") from error
