"""Where results live: a folder per finished task while a sweep runs, one file for all of them once they are packed.

::

    results/
      <task.key>/
        task.json         notebook and parameters, and the digests of the other files
        metrics.json      what the notebook displayed
        config.json       of its training, where it trained: every option, defaults included
        history.csv       of its training, where it trained: a row per logged step
        per_query.csv     of its training: direction, query, person_id, first_rank, AP on the test split
        provenance.json   code, versions, machine, times
      results.npz         the same of packed tasks

A folder appears whole or not at all, and so does the file. Checkpoints and executed notebooks stay in the folder of the
runs. In the file, `runs` is UTF-8 text with a JSON object per line: the key and all of a task but its queries. Tasks
that were tested on the same queries share one table of `direction`, `query` and `person_id`; each has a row in its
`first_rank` and `AP`, whole numbers that stand for themselves and for ten thousandths.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tireid.basics.files import atomic_path, replace_directory
from tireid.basics.section import Strict
from tireid.studies.record import SHARED, TASK, UNITS, Record, naming
from tireid.studies.study import Task

if TYPE_CHECKING:
    from tireid.runner.run import RunResult

PACK = "results.npz"
Floats = npt.NDArray[np.float64]


class _Row(Strict):
    """A line of `runs` in the file."""

    key: str
    task: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    config: dict[str, Any] | None
    history: dict[str, list[Any]] | None
    per_query: tuple[int, int] | None
    """Number of the shared table, and the row in it."""


class Store:
    """A folder of results. Made for one reading: what others add later, another instance sees.

    >>> import tempfile
    >>> len(Store(tempfile.mkdtemp()))
    0
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._read: dict[str, npt.NDArray[Any]] = {}

    def __contains__(self, task: Task) -> bool:
        return self._key(task) is not None

    def __len__(self) -> int:
        return len(self._packed.keys() | {path.parent.name for path in self.folder.glob(f"*/{TASK}")})

    def __getitem__(self, task: Task) -> Record:
        """What is kept of `task`; KeyError where nothing is, ValueError naming a file that is damaged."""
        key = self._key(task)
        if key is None:
            raise KeyError(f"{self.folder} holds no result of {task}")
        folder = self.folder / key
        record = Record.read(folder) if (folder / TASK).is_file() else self._unpacked(self._packed[key])
        if record.key != key:
            raise ValueError(
                f"{self.where(task)} is damaged: it holds, in place of {task}, another run: {record.task}, code "
                f"{record.code}. Bring it back from a copy, or delete it and sweep again"
            )
        return record

    def where(self, task: Task) -> Path:
        """The folder or the packed file that holds `task`."""
        folder = self.folder / str(self._key(task))
        return folder if folder.is_dir() else self.folder / PACK

    def keep(self, task: Task, result: RunResult) -> Path:
        """Copy the small files of a finished run into a folder of its own; returns it."""
        target = self.folder / task.key
        replace_directory(target, Record.of(task, result).write)
        return target

    def pack(self, tasks: Iterable[Task]) -> int:
        """Move the folders of `tasks` into the one file; returns how many.

        Each is read back and compared before its folder goes: a kill leaves it in both places, never in none.
        """
        from filelock import FileLock

        there = {key: task for task in tasks if (key := self._key(task)) and (self.folder / key).is_dir()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder / ".pack.lock"):
            before = Store(self.folder)
            fresh = {key: before[task] for key, task in there.items()}
            packed = {record.key: record for record in map(before._unpacked, before._packed.values())}
            packed |= {record.key: record for record in fresh.values()}
            if fresh:
                with atomic_path(self.folder / PACK) as path, path.open("wb") as file:
                    np.savez_compressed(file, allow_pickle=False, **_arrays(packed))
            after = Store(self.folder)
            for key, record in fresh.items():
                _check_same(after._unpacked(after._packed[record.key]), record, self.folder / key)
                shutil.rmtree(self.folder / key)
        return len(fresh)

    def _key(self, task: Task) -> str | None:
        """The first of the keys that `task` may go by under which something lies here."""
        return next((k for k in task.keys if (self.folder / k / TASK).is_file() or k in self._packed), None)

    @cached_property
    def _file(self) -> Mapping[str, Any]:
        path = self.folder / PACK
        if not path.is_file():
            return {}
        with naming(path):
            loaded = np.load(path, allow_pickle=False)
            if not isinstance(loaded, Mapping):
                raise ValueError("it is no archive")
        return loaded

    @cached_property
    def _packed(self) -> dict[str, _Row]:
        if not self._file:
            return {}
        with naming(self.folder / PACK):
            rows = [_Row.model_validate_json(line) for line in self._array("runs").tobytes().splitlines()]
        return {row.key: row for row in rows}

    def _array(self, name: str) -> npt.NDArray[Any]:
        if name not in self._read:
            self._read[name] = self._file[name]
        return self._read[name]

    def _unpacked(self, row: _Row) -> Record:
        queries = None
        with naming(self.folder / PACK):
            if row.per_query is not None:
                table, number = row.per_query
                columns = {name: self._array(f"{table}/{name}").tolist() for name in SHARED}
                ranks = {name: self._array(f"{table}/{name}")[number] for name in UNITS}
                queries = pd.DataFrame(columns | {name: _decoded(ranks[name], unit) for name, unit in UNITS.items()})
            tables = (None if row.history is None else pd.DataFrame(row.history), queries)
            return Record(row.task, row.metrics, row.provenance, row.config, *tables)


def _arrays(records: Mapping[str, Record]) -> dict[str, npt.NDArray[Any]]:
    """What the file holds, by name."""
    tables: dict[bytes, list[pd.DataFrame]] = {}
    rows = []
    for key, record in sorted(records.items()):
        place = None
        if record.per_query is not None:
            shared = pd.util.hash_pandas_object(record.per_query[list(SHARED)], index=False).to_numpy().tobytes()
            members = tables.setdefault(shared, [])
            place = (list(tables).index(shared), len(members))
            members.append(record.per_query)
        history = None if record.history is None else record.history.to_dict("list")
        parts = {name: getattr(record, name) for name in ("task", "metrics", "provenance", "config")}
        rows.append(json.dumps({"key": key, **parts, "history": history, "per_query": place}))
    arrays: dict[str, npt.NDArray[Any]] = {"runs": np.frombuffer("\n".join(rows).encode(), np.uint8)}
    for number, members in enumerate(tables.values()):
        for name in SHARED:
            values = members[0][name].to_numpy()
            arrays[f"{number}/{name}"] = values.astype(str) if values.dtype.kind == "O" else values
        for name, unit in UNITS.items():
            values = np.stack([table[name].to_numpy(np.float64, na_value=np.nan) for table in members])
            arrays[f"{number}/{name}"] = _encoded(values, unit)
    return arrays


def _encoded(values: Floats, unit: int) -> npt.NDArray[Any]:
    """`unit` times the values as the smallest whole numbers, -1 for NaN; the values themselves where that loses any."""
    if np.abs(values[~np.isnan(values)]).max(initial=1) > 2**53 / unit:
        return values
    whole = np.where(np.isnan(values), -1, np.round(values * unit))
    kind = np.min_scalar_type(-int(np.abs(whole).max(initial=1)))
    coded: npt.NDArray[Any] = whole.astype(kind)
    return coded if np.array_equal(_decoded(coded, unit), values, equal_nan=True) else values


def _decoded(coded: npt.NDArray[Any], unit: int) -> npt.NDArray[Any]:
    """As :func:`pandas.read_csv` gives them: ranks as whole numbers where none is missing."""
    if coded.dtype.kind == "f":
        return coded
    values = np.where(coded < 0, np.nan, coded / unit)
    return coded.astype(np.int64) if unit == 1 and not (coded < 0).any() else values


def _check_same(one: Record, other: Record, where: Path) -> None:
    parts = ("task", "metrics", "provenance", "config")
    same = all(getattr(one, name) == getattr(other, name) for name in parts)
    for name in ("history", "per_query"):
        first, second = getattr(one, name), getattr(other, name)
        same &= (first is None and second is None) or (first is not None and first.equals(second))
    if not same:
        raise ValueError(f"{where} cannot be packed without a loss; it stays as it is")
