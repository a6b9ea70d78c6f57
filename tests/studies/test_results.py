"""What is kept of a run, and that results of one arm were made with one configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.books import book, code, parameters, save
from tireid import Config
from tireid.basics.files import read_json, write_json
from tireid.runner.run import RunResult
from tireid.studies.results import MixedConfigurationsError, load
from tireid.studies.store import Store
from tireid.studies.study import Study, Task

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
COMMITTED = Store(NOTEBOOKS / "results")
TASKS = {
    task.key: task
    for path in sorted((NOTEBOOKS / "studies").glob("*.yaml"))
    for task in Study.read(path).tasks
    if task in COMMITTED
}


@pytest.fixture
def store(tmp_path: Path) -> tuple[Study, Path]:
    """Two seeds of one arm, kept after runs whose alpha differs, as when the default changed in between."""
    notebook = save(book(parameters('preset: str = "paper"\nseed: int = 1'), code("1")), tmp_path)
    tree = {"notebook": notebook.name, "arms": {"all": {}}, "seeds": [1, 2]}
    study = Study.from_dict(tree, notebook.parent / "study.yaml")
    for task, alpha in zip(study.tasks, (1.0, 0.5), strict=True):
        ran = tmp_path / "runs" / task.key
        config = {"seed": task.seed, "uncertainty": {"alpha": alpha, "lam": 0.5}}
        (ran / "files/training").mkdir(parents=True)
        write_json(ran / "files/training/config.json", config)
        provenance = {"parameters": {}, "changed": [], "code_sha256": task.sources[0]}
        made = RunResult(ran, ran / "book.ipynb", {}, {"R@1": 1.0}, provenance)
        kept = Store(tmp_path / "results").keep(task, made)
        assert read_json(kept / "config.json") == config
    return study, tmp_path / "results"


def _trained_with(path: Path, config: dict[str, object]) -> None:
    """Another configuration in a result, as if its run had had it."""
    write_json(path, config)
    task = read_json(path.with_name("task.json"))
    write_json(path.with_name("task.json"), {name: value for name, value in task.items() if name != "files"})


def test_one_arm_with_two_configurations_is_refused(store: tuple[Study, Path]) -> None:
    study, results = store
    message = r"'all': uncertainty\.alpha was 1\.0 in .* and 0\.5 in .* Delete"
    with pytest.raises(MixedConfigurationsError, match=message):
        load(study, results)
    assert len(load(study.select(seeds=[2]), results).runs) == 1


def test_seeds_may_differ(store: tuple[Study, Path]) -> None:
    study, results = store
    path = results / study.tasks[1].key / "config.json"
    tree = read_json(path)
    _trained_with(path, tree | {"uncertainty": {"alpha": 1.0, "lam": 0.5}})
    assert load(study, results).runs.index.get_level_values("seed").tolist() == [1, 2]


def test_an_option_newer_than_a_result_has_its_default_there(store: tuple[Study, Path]) -> None:
    study, results = store
    path = results / study.tasks[1].key / "config.json"
    _trained_with(path, {"uncertainty": {"alpha": 1.0}})  # lam is not there, and 0.5 by default
    assert len(load(study, results).runs) == 2
    _trained_with(path, {"uncertainty": {"alpha": 1.0, "lam": 0.25}})
    with pytest.raises(MixedConfigurationsError, match=r"uncertainty\.lam was 0\.5 in .* and 0\.25 in"):
        load(study, results)


def test_every_committed_result_is_of_a_committed_study() -> None:
    assert len(TASKS) == len(COMMITTED) > 200


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_committed_result_is_of_what_its_parameters_ask_for_today(task: Task) -> None:
    """A changed default would otherwise give old figures a new meaning."""
    record = COMMITTED[task]
    asked = record.task["parameters"]
    assert asked == dict(task.parameters)
    config = Config.preset(asked["preset"], seed=asked["seed"]).override(asked.get("overrides", []))
    assert record.config is not None
    assert config.override([f"epochs={asked['epochs']}"]) == Config.from_stored(record.config)
