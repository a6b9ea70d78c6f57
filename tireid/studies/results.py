"""The small files of finished tasks: what a report needs, and what is worth committing.

::

    results/<task.key>/
      task.json         notebook and parameters
      metrics.json      what the notebook displayed
      config.json       of its training, where it trained: every option, defaults included
      history.csv       of its training, where it trained: a row per logged step
      per_query.csv     of its training: direction, query, person_id, first_rank, AP on the test split
      provenance.json   code, versions, machine, times

A folder appears whole or not at all. Checkpoints and executed notebooks stay in the folder of the runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tireid.basics.files import read_json, replace_directory, write_json
from tireid.options import Config
from tireid.runner.metrics import flat
from tireid.studies.study import Study, Task

if TYPE_CHECKING:
    from tireid.runner.run import RunResult

TRAINING = "files/training"
"""Where a notebook that trains puts its run, seen from the folder of the task."""
PER_QUERY = ["direction", "query", "person_id", "first_rank", "AP"]


def has_result(store: Path, task: Task) -> bool:
    """Whether `store` holds the result of `task`."""
    return (store / task.key / "task.json").is_file()


def keep(store: Path, task: Task, result: RunResult) -> Path:
    """Copy the small files of a finished run into `store`; returns the folder."""

    def write(folder: Path) -> None:
        content = {"notebook": task.notebook.name, "parameters": dict(task.parameters)}
        write_json(folder / "task.json", content)
        write_json(folder / "metrics.json", result.metrics)
        write_json(folder / "provenance.json", _without_places(result.provenance))
        training = result.output_dir / TRAINING
        if (training / "config.json").is_file():
            write_json(folder / "config.json", read_json(training / "config.json"))
        if (training / "history.csv").is_file():
            _rounded(pd.read_csv(training / "history.csv")).to_csv(folder / "history.csv", index=False)
        if (training / "per_query_best.csv").is_file():
            table = pd.read_csv(training / "per_query_best.csv", usecols=PER_QUERY)[PER_QUERY]
            table.astype({"first_rank": "Int64"}).round({"AP": 4}).to_csv(folder / "per_query.csv", index=False)

    replace_directory(store / task.key, write)
    return store / task.key


class MixedConfigurationsError(ValueError):
    """Seeds of one arm that were trained with different options, because a default changed between their runs."""


@dataclass(frozen=True)
class Results:
    """What the finished tasks of a study left, as tables with the columns `arm` and `seed`."""

    study: Study
    runs: pd.DataFrame = field(repr=False)
    """A row per task, indexed by (arm, seed): its metrics by name, nested names joined with a slash."""
    per_query: pd.DataFrame = field(repr=False)
    """arm, seed, direction, query, person_id, first_rank, AP."""
    history: pd.DataFrame = field(repr=False)
    """arm, seed, step, epoch, seconds, loss, ..."""
    provenance: pd.DataFrame = field(repr=False)
    """A row per task, indexed by (arm, seed): commit, dirty, cpu, gpus, seconds, ..."""
    missing: tuple[Task, ...] = ()
    """Tasks without a result."""

    def __str__(self) -> str:
        missing = f"; missing: {'; '.join(map(str, self.missing))}" if self.missing else ""
        return f"{self.study.name}: {len(self.runs)} of {len(self.study.tasks)} runs are there{missing}"


def load(study: Study | str | Path, store: str | Path) -> Results:
    """The results of a study's tasks that lie in `store`; arms in the study's order.

    Raises FileNotFoundError when there is none at all, and :class:`MixedConfigurationsError`.
    """
    study = study if isinstance(study, Study) else Study.read(study)
    store = Path(store)
    found = [task for task in study.tasks if has_result(store, task)]
    if not found:
        raise FileNotFoundError(f"{store} holds no result of study {study.name}: run `python -m tireid sweep` first")
    _check_configurations(store, found)
    return Results(
        study,
        _rows(found, [dict(flat(read_json(store / task.key / "metrics.json"))) for task in found]),
        _tables(store, found, "per_query.csv"),
        _tables(store, found, "history.csv"),
        _rows(found, [dict(flat(read_json(store / task.key / "provenance.json"))) for task in found]),
        tuple(task for task in study.tasks if task not in found),
    )


def _check_configurations(store: Path, tasks: list[Task]) -> None:
    """A task's key names its parameters; what they leave to the library's defaults is in `config.json` only."""
    first: dict[str, tuple[Task, dict[str, Any]]] = {}
    for task in tasks:
        path = store / task.key / "config.json"
        if not path.is_file():
            continue
        # An option that is newer than the run has its default there, which does what was done before.
        complete = Config.load(path).to_dict()
        config = {name: value for name, value in flat(complete) if name not in ("seed", "root")}
        earlier, expected = first.setdefault(task.arm, (task, config))
        for name in sorted(config):
            if config[name] != expected[name]:
                raise MixedConfigurationsError(
                    f"arm {task.arm!r}: {name.replace('/', '.')} was {expected[name]!r} in {store / earlier.key} "
                    f"and {config[name]!r} in {store / task.key}, though the study asks for the same: a default "
                    "changed between the runs. Delete the older folder and sweep again, or name the option in the study"
                )


def _without_places(provenance: dict[str, Any]) -> dict[str, Any]:
    """Where a run was made says nothing about it."""
    parameters = {name: value for name, value in provenance["parameters"].items() if name != "output_dir"}
    changed = [name for name in provenance["changed"] if name != "output_dir"]
    return provenance | {"parameters": parameters, "changed": changed}


def _rows(tasks: list[Task], rows: list[dict[str, Any]]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(task.arm, task.seed) for task in tasks], names=["arm", "seed"])
    return pd.DataFrame(rows, index=index)


def _tables(store: Path, tasks: list[Task], name: str) -> pd.DataFrame:
    parts = []
    for task in tasks:
        path = store / task.key / name
        if path.is_file():
            table = pd.read_csv(path)
            table.insert(0, "arm", task.arm)
            table.insert(1, "seed", task.seed)
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Floats to six significant digits: enough for a curve, half the size."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: [float(f"{value:.6g}") for value in table[name]] for name in floats})
