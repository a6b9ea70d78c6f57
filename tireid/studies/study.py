"""A study: one notebook, run with many parameters. A YAML file says which; every combination becomes a task.

::

    notebook: ../06_train.ipynb          # seen from the file
    parameters: {people: [300, 100, 200], epochs: 8}       # of every task
    arms:                                # named sets of parameters
      circle: {preset: paper, uncertainty.enabled: false, loss.mlm: 0, loss.recovery: 0}
      paper: {preset: paper}
    grid: {uncertainty.alpha: [0.5, 1.0]}                  # lists: every combination
    zip: {loss.margin: [0.25, 0.4], loss.gamma: [64, 80]}  # lists of one length: one after the other
    seeds: [1, 2, 3]

All parts but the notebook are optional. A name with a dot is an option of :class:`tireid.Config` and joins the
notebook's parameter `overrides`; any other name is a parameter of the notebook, checked before anything runs.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tireid.basics.hints import nearest
from tireid.runner.parameters import ParameterError, check_values, read_parameters
from tireid.runner.run import read_notebook

KEYS = ("notebook", "parameters", "arms", "grid", "zip", "seeds")


class StudyError(ValueError):
    """A study's file that cannot be read or asks for what its notebook does not have; names the file and the key."""


@dataclass(frozen=True)
class Task:
    """One run of the notebook."""

    arm: str
    """What it is called in tables; several seeds share it."""
    seed: int | None
    notebook: Path
    parameters: Mapping[str, Any]
    """What differs from the notebook's defaults, `seed` included."""

    @property
    def key(self) -> str:
        """Ten hexadecimal digits that name notebook and parameters, the same on every machine; not the arm's name."""
        content = json.dumps([self.notebook.stem, dict(self.parameters)], sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=5).hexdigest()

    def __str__(self) -> str:
        return self.arm if self.seed is None else f"{self.arm}, seed {self.seed}"


@dataclass(frozen=True)
class Study:
    """All tasks of a study, arm by arm within each seed: an interrupted one has whole comparisons first."""

    name: str
    notebook: Path
    tasks: tuple[Task, ...]

    @classmethod
    def read(cls, path: str | Path) -> Study:
        """The study of a YAML file. Raises :class:`StudyError`."""
        path = Path(path)
        try:
            tree = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise StudyError(f"study {path} cannot be read: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise StudyError(f"study {path} is not YAML: {error}") from error
        return cls.from_dict(tree, path)

    @classmethod
    def from_dict(cls, tree: Any, path: str | Path) -> Study:
        """The study that a file at `path` with this content holds."""
        path = Path(path)
        _check_shape(tree, path)
        notebook = (path.parent / tree["notebook"]).resolve()
        common = tree.get("parameters") or {}
        arms = {str(name): values or {} for name, values in (tree.get("arms") or {"": {}}).items()}
        seeds = tree.get("seeds") or [None]
        points = list(_points(tree.get("grid") or {}, tree.get("zip") or {}, path))
        several = len(points) > 1
        tasks = [
            _task(notebook, _label(arm, point if several else {}), seed, [common, values, point])
            for seed in seeds
            for arm, values in arms.items()
            for point in points
        ]
        _check_parameters(tasks, notebook, path)
        return cls(path.stem, notebook, tuple(tasks))

    @property
    def arms(self) -> list[str]:
        """Names in the order of the file."""
        return list(dict.fromkeys(task.arm for task in self.tasks))

    def select(self, arms: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> Study:
        """The tasks of some arms and seeds only. Raises :class:`StudyError` for one that is not there."""
        for what, wanted, known in (("arm", arms, self.arms), ("seed", seeds, {task.seed for task in self.tasks})):
            for value in wanted or ():
                if value not in known:
                    raise StudyError(f"study {self.name} has no {what} {value!r}; {nearest(value, known, 'there are')}")
        kept = [t for t in self.tasks if (arms is None or t.arm in arms) and (seeds is None or t.seed in seeds)]
        return replace(self, tasks=tuple(kept))

    def changed(self, **parameters: Any) -> Study:
        """The same study with other values of some parameters of every task."""
        tasks = [_task(t.notebook, t.arm, t.seed, [t.parameters, parameters]) for t in self.tasks]
        _check_parameters(tasks, self.notebook, Path(self.name))
        return replace(self, tasks=tuple(tasks))


def _task(notebook: Path, arm: str, seed: int | None, layers: Sequence[Mapping[str, Any]]) -> Task:
    parameters: dict[str, Any] = {}
    overrides: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            if "." in name:
                overrides[name] = f"{name}={_yaml_text(value)}"
            elif name == "overrides":
                overrides |= {text.partition("=")[0].strip(): text for text in value}
            else:
                parameters[name] = value
    if overrides:
        parameters["overrides"] = list(overrides.values())
    if seed is not None:
        parameters["seed"] = seed
    return Task(arm or notebook.stem, seed, notebook, parameters)


def _points(grid: Mapping[str, Any], zipped: Mapping[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    lengths = {name: len(values) for name, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        raise StudyError(f"study {path}: the lists under zip must have one length, got {lengths}")
    rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
    for values in itertools.product(*grid.values()):
        for row in rows:
            yield dict(zip(grid, values, strict=True)) | row


def _label(arm: str, point: Mapping[str, Any]) -> str:
    return ", ".join([*([arm] if arm else []), *(f"{name} {_yaml_text(value)}" for name, value in point.items())])


def _yaml_text(value: Any) -> str:
    """As on a command line: `true`, not `True`."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _check_shape(tree: Any, path: Path) -> None:
    if not isinstance(tree, dict) or "notebook" not in tree:
        raise StudyError(f"study {path}: expected a mapping with the key 'notebook'")
    for key in tree:
        if key not in KEYS:
            raise StudyError(f"study {path}: unknown key {key!r}; {nearest(key, KEYS, 'there are')}")
    for key in ("parameters", "arms", "grid", "zip"):
        if not isinstance(tree.get(key) or {}, dict):
            raise StudyError(f"study {path}: {key} must be a mapping, got {tree[key]!r}")
    for name, values in (tree.get("arms") or {}).items():
        if not isinstance(values or {}, dict):
            raise StudyError(f"study {path}: arm {name!r} must map parameters to values, got {values!r}")
    for key in ("grid", "zip"):
        for name, values in (tree.get(key) or {}).items():
            if not isinstance(values, list) or not values:
                raise StudyError(f"study {path}: {key}: {name} must be a list that is not empty, got {values!r}")
    seeds = tree.get("seeds") or []
    if not isinstance(seeds, list) or any(type(seed) is not int for seed in seeds) or len(set(seeds)) < len(seeds):
        raise StudyError(f"study {path}: seeds must be a list of different integers, got {tree['seeds']!r}")


def _check_parameters(tasks: Sequence[Task], notebook: Path, path: Path) -> None:
    try:
        declared = read_parameters(read_notebook(notebook))
        for task in tasks:
            check_values(task.parameters, declared)
    except FileNotFoundError as error:
        raise StudyError(f"study {path}: there is no notebook {notebook}") from error
    except ParameterError as error:
        raise StudyError(f"study {path}: {notebook.name}: {error}") from error
