"""What is kept of one finished task: the small files of its run."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import pandas as pd
from pydantic import ValidationError

from tireid.basics.files import file_digest, read_json, write_json
from tireid.basics.section import explain
from tireid.studies.study import SOURCE_DIGITS, Task, key_of

if TYPE_CHECKING:
    from tireid.runner.run import RunResult

TRAINING = "files/training"
"""Where a notebook that trains puts its run, seen from the folder of the task."""
TASK = "task.json"
FILES = ("config.json", "history.csv", "metrics.json", "per_query.csv", "provenance.json")
ALWAYS = ("metrics.json", "provenance.json")
SHARED = ("direction", "query", "person_id")
UNITS = {"first_rank": 1, "AP": 10_000}
"""How many of the stored whole numbers make 1."""
DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    OSError,
    EOFError,
    BadZipFile,
    zlib.error,
)
"""What reading a stranger's file may raise."""


@dataclass(frozen=True)
class Record:
    """What is kept of one finished task."""

    task: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    config: dict[str, Any] | None = None
    history: pd.DataFrame | None = None
    per_query: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.task.get("notebook"), str) and isinstance(self.task.get("parameters"), dict)):
            raise ValueError("its task has no notebook and parameters")
        # An escape in JSON may stand for what UTF-8 cannot write, and no table could hold.
        json.dumps([self.task, self.metrics, self.provenance, self.config], ensure_ascii=False).encode()
        for name, needed in (("history", set[str]()), ("per_query", {*SHARED, *UNITS})):
            table = getattr(self, name)
            if table is not None and (not needed <= set(table.columns) or {"arm", "seed"} & set(table.columns)):
                raise ValueError(f"the columns of its {name} are {list(table.columns)}")

    @classmethod
    def of(cls, task: Task, result: RunResult) -> Record:
        """The small part of a finished run."""
        training = result.output_dir / TRAINING
        config, history, queries = (training / name for name in ("config.json", "history.csv", "per_query_best.csv"))
        return cls(
            {"notebook": task.notebook.name, "parameters": dict(task.parameters)},
            result.metrics,
            _without_places(result.provenance),
            read_json(config) if config.is_file() else None,
            _rounded(pd.read_csv(history)) if history.is_file() else None,
            _shortened(pd.read_csv(queries)) if queries.is_file() else None,
        )

    @classmethod
    def read(cls, folder: Path) -> Record:
        """What :meth:`write` wrote. Raises ValueError naming a file that is damaged."""
        task = read_json(folder / TASK)
        _check_files(folder, task.pop("files", None))
        metrics, provenance = (read_json(folder / f"{name}.json") for name in ("metrics", "provenance"))
        config = folder / "config.json"
        tables = (_read_table(folder / f"{name}.csv") for name in ("history", "per_query"))
        options = read_json(config) if config.is_file() else None
        with naming(folder):
            return cls(task, metrics, provenance, options, *tables)

    def write(self, folder: Path) -> None:
        """Write the files that the module names into an empty folder."""
        for name in ("metrics", "provenance", "config"):
            if (tree := getattr(self, name)) is not None:
                write_json(folder / f"{name}.json", tree)
        for name in ("history", "per_query"):
            if (table := getattr(self, name)) is not None:
                table.to_csv(folder / f"{name}.csv", index=False)
        write_json(folder / TASK, {**self.task, "files": _digests(folder)})

    @property
    def key(self) -> str:
        """That of the task in a study whose notebook has the text that this run was made with."""
        parts = self.provenance.get("parts", {})
        return key_of(Path(self.task["notebook"]).stem, self.task["parameters"], self.code, parts)

    @property
    def code(self) -> str:
        """The start of the hash of the notebook's text."""
        whole = self.provenance.get("code_sha256") or self.provenance.get("source_sha256") or ""
        return str(whole)[:SOURCE_DIGITS]


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What goes wrong with a stranger's file becomes a ValueError that names it."""
    try:
        yield
    except ValidationError as error:
        raise ValueError(f"{path} is damaged: {explain(error)}") from error
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _digests(folder: Path) -> dict[str, str]:
    return {name: file_digest(folder / name) for name in FILES if (folder / name).is_file()}


def _check_files(folder: Path, written: object) -> None:
    """Each is as it was written; of older results it is known only which are always there."""
    known = written if isinstance(written, dict) else {}
    found = _digests(folder)
    for name in FILES:
        missing = name in ALWAYS and name not in found
        if missing or (written is not None and found.get(name) != known.get(name)):
            raise ValueError(
                f"{folder / name} is damaged: changed since the run left it, of another run, or missing. Bring "
                f"it back from a copy, or delete {folder} and sweep again"
            )


def _read_table(path: Path) -> pd.DataFrame | None:
    try:
        return pd.read_csv(path) if path.is_file() else None
    except ValueError as error:  # pandas' own errors are ValueErrors
        raise ValueError(f"{path} is not a table, or damaged: {error}") from error


def _without_places(provenance: dict[str, Any]) -> dict[str, Any]:
    """Where a run was made says nothing about it."""
    parameters = {name: value for name, value in provenance["parameters"].items() if name != "output_dir"}
    changed = [name for name in provenance["changed"] if name != "output_dir"]
    return provenance | {"parameters": parameters, "changed": changed}


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Floats to six significant digits: enough for a curve, half the size."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: [float(f"{value:.6g}") for value in table[name]] for name in floats})


def _shortened(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that statistics need, AP to four decimals."""
    return table[[*SHARED, *UNITS]].astype({"first_rank": "Int64"}).round({"AP": 4})
