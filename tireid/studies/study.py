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
    sources: [04d60f6e25e9]              # earlier code of the notebook, whose results still count

All parts but the notebook are optional. A name with a dot is an option of :class:`tireid.Config` and joins the
notebook's parameter `overrides`; any other name is a parameter of the notebook, checked before anything runs. What is
said twice in one place is an error: a name in both grid and zip, an arm's value that the grid would replace.

A notebook whose code changed is another experiment: what was run before does not count as done. `provenance.json`
names the code of a run; whoever knows that a change does not matter lists the old one under `sources`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from tireid.basics.hints import nearest
from tireid.basics.parts import PartError
from tireid.basics.section import ConfigError
from tireid.basics.yaml import YAMLError, read_yaml
from tireid.runner.identity import fingerprints
from tireid.runner.notebook import code_hash, read_notebook
from tireid.runner.parameters import Parameter, ParameterError, check_values, read_parameters
from tireid.studies.asked import check_options

SOURCE_DIGITS = 12
MOST_TASKS = 10_000


class StudyError(ValueError):
    """A study's file that cannot be read or asks for what its notebook does not have; names the file and the key."""


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        raise ValueError("a mapping")
    return value


Values = dict[str, Annotated[Any, AfterValidator(_plain)]]
Choices = dict[str, Annotated[list[Any], Field(min_length=1)]]


class _File(BaseModel):
    """What a file may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    notebook: str
    parameters: Values | None = None
    arms: dict[Annotated[str, Field(min_length=1)], Values | None] | None = None
    grid: Choices | None = None
    zip: Choices | None = None
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**63)]], Field(min_length=1)] | None = None
    sources: list[Annotated[str, Field(pattern="^[0-9a-f]{12,64}$")]] | None = None


EXPECTED = {
    "dict_type": "a mapping",
    "model_type": "a mapping with the key 'notebook'",
    **dict.fromkeys(("list_type", "too_short"), "a list that is not empty"),
    "string_too_short": "a name",
    **dict.fromkeys(("int_type", "greater_than_equal", "less_than"), "an integer from 0 to 2**63 - 1"),
    "string_type": "text; quote it",
    "string_pattern_mismatch": "at least 12 hexadecimal digits, quoted",
}


@dataclass(frozen=True)
class Task:
    """One run of the notebook."""

    arm: str
    """What it is called in tables; several seeds share it."""
    seed: int | None
    notebook: Path
    parameters: Mapping[str, Any]
    """What differs from the notebook's defaults, `seed` included."""
    sources: tuple[str, ...] = ("",)
    """The start of the SHA-256 of the notebook's text as it is, and of those earlier ones whose results still count."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The code and preset files from outside that the parameters name, see :mod:`tireid.runner.identity`."""

    @property
    def key(self) -> str:
        """Ten hexadecimal digits, the same everywhere: of notebook, parameters and parts, not of the arm's name."""
        return self.keys[0]

    @property
    def keys(self) -> list[str]:
        """:attr:`key`, and those of the same run of earlier texts of the notebook."""
        return [key_of(self.notebook.stem, self.parameters, source, self.parts) for source in self.sources]

    def __str__(self) -> str:
        return self.arm if self.seed is None else f"{self.arm}, seed {self.seed}"


def key_of(notebook: str, parameters: Mapping[str, Any], source: str, parts: Mapping[str, str]) -> str:
    """The key of a run: of the notebook's stem, what was asked of it, the hash of its text, and parts from outside."""
    outside = [dict(parts)] if parts else []
    content = json.dumps([notebook, dict(parameters), source[:SOURCE_DIGITS], *outside], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=5).hexdigest()


@dataclass(frozen=True)
class Study:
    """All tasks of a study, arm by arm within each seed: an interrupted one has whole comparisons first.

    >>> Study("ablation", Path("05.ipynb"), (Task("full", 1, Path("05.ipynb"), {"seed": 1}),)).arms
    ['full']
    """

    name: str
    notebook: Path
    tasks: tuple[Task, ...]

    @classmethod
    def read(cls, path: str | Path) -> Study:
        """The study of a YAML file.

        Raises:
            StudyError: it cannot be read, is not YAML, or asks for what its notebook does not have.
        """
        path = Path(path)
        try:
            return cls.from_dict(read_yaml(path), path)
        except YAMLError as error:
            raise StudyError(f"study {error}") from error

    @classmethod
    def of(cls, study: Study | str | Path) -> Study:
        """A study as it is, or the one that the file at this path holds."""
        return study if isinstance(study, Study) else cls.read(study)

    @classmethod
    def from_dict(cls, tree: Any, path: str | Path) -> Study:
        """The study that a file at `path` with this content holds. Raises :class:`StudyError`."""
        path = Path(path)
        file = _validated(tree, path)
        notebook = (path.parent / file.notebook).resolve()
        declared, code = _read(notebook, path)
        sources = (code[:SOURCE_DIGITS], *(source[:SOURCE_DIGITS] for source in file.sources or ()))
        common = file.parameters or {}
        points = list(_points(file.grid or {}, file.zip or {}))
        several = len(points) > 1
        tasks = [
            _task(
                Task(_label(arm, point if several else {}) or notebook.stem, seed, notebook, {}, sources),
                [common, values or {}, point],
            )
            for seed in file.seeds or (None,)
            for arm, values in (file.arms or {"": {}}).items()
            for point in points
        ]
        _check_tasks(tasks, declared, path)
        return cls(path.stem, notebook, tuple(tasks))

    @property
    def arms(self) -> list[str]:
        """Names in the order of the file."""
        return list(dict.fromkeys(task.arm for task in self.tasks))

    def select(self, arms: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> Study:
        """The tasks of some arms and seeds only.

        Raises:
            StudyError: one of them is not there.
        """
        for what, wanted, known in (("arm", arms, self.arms), ("seed", seeds, {task.seed for task in self.tasks})):
            for value in wanted or ():
                if value not in known:
                    raise StudyError(f"study {self.name} has no {what} {value!r}; {nearest(value, known, 'there are')}")
        kept = [t for t in self.tasks if (arms is None or t.arm in arms) and (seeds is None or t.seed in seeds)]
        return replace(self, tasks=tuple(kept))

    def changed(self, **parameters: Any) -> Study:
        """The same study with other values of some parameters of every task."""
        tasks = [_task(task, [task.parameters, parameters]) for task in self.tasks]
        _check_tasks(tasks, _read(self.notebook, Path(self.name))[0], Path(self.name))
        return replace(self, tasks=tuple(tasks))


def _task(task: Task, layers: Sequence[Mapping[str, Any]]) -> Task:
    """`task` with what the layers ask for; later ones win, option by option."""
    parameters: dict[str, Any] = {}
    overrides: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            if "." in name:
                overrides[name] = f"{name}={_yaml_text(value)}"
            elif name == "overrides" and isinstance(value, list):
                overrides |= {str(text).partition("=")[0].strip(): text for text in value}
            else:
                parameters[name] = value
    if overrides:
        parameters["overrides"] = list(overrides.values())
    if task.seed is not None:
        parameters["seed"] = task.seed
    try:
        return replace(task, parameters=parameters, parts=fingerprints(parameters, task.notebook.parent))
    except (PartError, ConfigError) as error:
        raise StudyError(f"study of {task.notebook.name}, {task}: {error}") from error


def _points(grid: Mapping[str, Any], zipped: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    rows = [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)] or [{}]
    for values in itertools.product(*grid.values()):
        for row in rows:
            yield dict(zip(grid, values, strict=True)) | row


def _as_float(value: Any) -> Any:
    """1 as 1.0, in lists too, to be compared."""
    if isinstance(value, list):
        return [_as_float(item) for item in value]
    return float(value) if type(value) is int and abs(value) < 2**53 else value


def _label(arm: str, point: Mapping[str, Any]) -> str:
    return ", ".join([*([arm] if arm else []), *(f"{name} {_yaml_text(value)}" for name, value in point.items())])


def _yaml_text(value: Any) -> str:
    """As on a command line: `true`, not `True`."""
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)


def _validated(tree: Any, path: Path) -> _File:
    if not isinstance(tree, dict) or "notebook" not in tree:
        raise StudyError(f"study {path}: expected a mapping with the key 'notebook'")
    for key in tree:
        if key not in _File.model_fields:
            raise StudyError(f"study {path}: unknown key {key!r}; {nearest(key, _File.model_fields, 'there are')}")
    try:
        file = _File.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join(str(part) for part in first["loc"] if part != "[key]")
        expected = EXPECTED.get(first["type"], "text, a number, true, false or a list of them")
        raise StudyError(f"study {path}: {where} must be {expected}, got {first['input']!r}") from None
    if problem := _contradiction(file):
        raise StudyError(f"study {path}: {problem}")
    return file


def _contradiction(file: _File) -> str | None:
    """What is wrong with a file in which each part is right; None if nothing is."""
    grid, zipped, seeds = file.grid or {}, file.zip or {}, file.seeds or []
    lengths = {name: len(values) for name, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        return f"the lists under zip must have one length, got {lengths}"
    if len(set(seeds)) < len(seeds):
        return f"seeds must be a list of different integers, got {seeds}"
    for name, values in grid.items():
        texts = [_yaml_text(_as_float(value)) for value in values]
        if name in zipped:
            return f"{name} is under both grid and zip"
        if len(set(texts)) < len(texts):
            return f"grid: {name} must be a list of different values, got {values}: a run would count twice"
    points = math.prod(map(len, grid.values())) * next(iter(lengths.values()), 1)
    if (tasks := points * len(file.arms or "1") * len(seeds or "1")) > MOST_TASKS:
        return f"it asks for {tasks:,} runs, at most {MOST_TASKS:,} are taken"
    places: dict[str, Mapping[str, Any]] = {"parameters": file.parameters or {}, "grid": grid, "zip": zipped}
    places |= {f"arm {arm!r}": values or {} for arm, values in (file.arms or {}).items()}
    for what, names in places.items():
        if seeds and "seed" in names:
            return f"{what} has a seed, and so has the study: under seeds"
        if "output_dir" in names:
            return f"{what} has output_dir, but each run is given a folder of its own: leave it out"
        if what.startswith("arm ") and (both := names.keys() & (grid.keys() | zipped.keys())):
            return f"{what} has {min(both)}, which the grid or zip would replace"
    return None


def _read(notebook: Path, path: Path) -> tuple[Mapping[str, Parameter], str]:
    """The declared parameters of the notebook and the hash of its code."""
    try:
        nb = read_notebook(notebook)
        return read_parameters(nb), code_hash(nb)
    except OSError as error:
        raise StudyError(f"study {path}: there is no notebook {notebook} that can be read") from error
    except ValueError as error:
        raise StudyError(f"study {path}: {notebook.name}: {error}") from error


def _check_tasks(tasks: Sequence[Task], declared: Mapping[str, Parameter], path: Path) -> None:
    seen, asked = dict[object, Task](), set[str]()
    for task in tasks:
        try:
            check_values(task.parameters, declared)
            if task.arm not in asked and not task.parts:  # seeds differ in no option; parts may not be trusted here
                check_options(task.parameters, declared)
                asked.add(task.arm)
        except (ParameterError, ConfigError) as error:
            raise StudyError(f"study {path}: {task.notebook.name}, {task}: {error}") from error
        for same in ((task.arm, task.seed), task.key):
            if same in seen:
                raise StudyError(
                    f"study {path}: {task} is asked for twice (as {seen[same]}): its runs would count twice"
                )
            seen[same] = task
