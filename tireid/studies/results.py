"""The results of a study as tables, from where :mod:`tireid.studies.store` keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.runner.metrics import flat
from tireid.studies.record import Record
from tireid.studies.store import Store
from tireid.studies.study import Study, Task

Found = list[tuple[Task, Record]]


class MixedConfigurationsError(ValueError):
    """Seeds of one arm that were trained with different options, because a default changed between their runs."""


@dataclass(frozen=True)
class Results:
    """What the finished tasks of a study left, as tables with the columns `arm` and `seed`.

    >>> none = pd.DataFrame()
    >>> print(Results(Study("ablation", Path("05.ipynb"), ()), none, none, none, none))
    ablation: 0 of 0 runs are there
    """

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


def load(study: Study | str | Path, store: Store | str | Path) -> Results:
    """The results of a study's tasks that lie in `store`; arms in the study's order.

    Raises FileNotFoundError when there is none at all, :class:`MixedConfigurationsError`, and ValueError naming a file
    that is damaged.
    """
    study = Study.of(study)
    store = store if isinstance(store, Store) else Store(store)
    found = [(task, store[task]) for task in study.tasks if task in store]
    if not found:
        other = f"; the {len(store)} results there are of other studies, or of other code" if len(store) else ""
        raise FileNotFoundError(
            f"{store.folder} holds no result of study {study.name}{other}: run `tireid sweep` first, or see `sources` "
            "in the help of tireid.studies.study"
        )
    _check_configurations(store, found)
    return Results(
        study,
        _rows(found, "metrics"),
        _tables(found, "per_query"),
        _tables(found, "history"),
        _rows(found, "provenance"),
        tuple(task for task in study.tasks if task not in store),
    )


def _check_configurations(store: Store, found: Found) -> None:
    """A task's key names its parameters; what they leave to the library's defaults is in its configuration only."""
    from tireid.options import Config, ConfigError  # loads the losses, and with them PyTorch

    first: dict[str, tuple[Task, dict[str, Any]]] = {}
    for task, record in found:
        if record.config is None:
            continue
        try:
            # An option that is newer than the run has its default there, which does what was done before.
            complete = Config.from_stored(record.config).to_dict()
        except ConfigError as error:
            raise ConfigError(f"{store.where(task)}: configuration of {task}: {error}") from None
        config = {name: value for name, value in flat(complete) if name not in ("seed", "root")}
        earlier, expected = first.setdefault(task.arm, (task, config))
        for name in sorted(config.keys() | expected.keys()):
            if config.get(name) != expected.get(name):
                raise MixedConfigurationsError(
                    f"arm {task.arm!r}: {name.replace('/', '.')} was {expected.get(name)!r} in {store.where(earlier)} "
                    f"(seed {earlier.seed}) and {config.get(name)!r} in {store.where(task)} (seed {task.seed}), though "
                    "the study asks for the same: a default changed between the runs. Delete the older result and "
                    "sweep again, or name the option in the study"
                )


def _rows(found: Found, part: str) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples([(task.arm, task.seed) for task, _ in found], names=["arm", "seed"])
    return pd.DataFrame([dict(flat(getattr(record, part))) for _, record in found], index=index)


def _tables(found: Found, part: str) -> pd.DataFrame:
    parts = []
    for task, record in found:
        table = getattr(record, part)
        if table is not None:
            table = table.copy()
            table.insert(0, "arm", task.arm)
            table.insert(1, "seed", task.seed)
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
