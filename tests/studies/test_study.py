from __future__ import annotations

import itertools
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.studies.study import Study, StudyError, Task

PARAMETERS = """epochs: int = 5
preset: str = "paper"
overrides: list = []
seed: int = 1"""
ARMS = {"clip": {"preset": "clip"}, "circle": {"preset": "paper", "loss.mlm": 0, "uncertainty.enabled": False}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a study beside a notebook."""
    return save(book(parameters(PARAMETERS)), tmp_path_factory.mktemp("study")).with_name("study.yaml")


def study(place: Path, **tree: Any) -> Study:
    return Study.from_dict({"notebook": "book.ipynb", **tree}, place)


def test_a_task_for_every_arm_point_and_seed_seed_by_seed(place: Path) -> None:
    found = study(place, parameters={"epochs": 2}, arms=ARMS, grid={"optimizer.lr": [0.1, 0.2]}, seeds=[3, 4]).tasks
    assert [(task.arm, task.seed) for task in found] == [
        (f"{arm}, optimizer.lr {lr}", seed) for seed in (3, 4) for arm in ARMS for lr in (0.1, 0.2)
    ]
    assert found[0].parameters == {"epochs": 2, "preset": "clip", "overrides": ["optimizer.lr=0.1"], "seed": 3}
    assert found[2].parameters["overrides"] == ["loss.mlm=0", "uncertainty.enabled=false", "optimizer.lr=0.1"]


def test_zipped_lists_go_together_and_multiply_with_the_grid(place: Path) -> None:
    found = study(place, zip={"loss.margin": [0.25, 0.4], "loss.gamma": [64, 80]}, grid={"epochs": [1, 2]}).tasks
    assert [(task.parameters["epochs"], *task.parameters["overrides"]) for task in found] == [
        (epochs, f"loss.margin={margin}", f"loss.gamma={gamma}")
        for epochs in (1, 2)
        for margin, gamma in ((0.25, 64), (0.4, 80))
    ]


def test_later_layers_win_option_by_option(place: Path) -> None:
    common = {"overrides": ["loss.gamma=1", "loss.mlm=2"], "epochs": 9}
    (task,) = study(place, parameters=common, arms={"a": {"loss.gamma": 5, "epochs": 3}}).tasks
    assert task.parameters == {"epochs": 3, "overrides": ["loss.gamma=5", "loss.mlm=2"]}


SIZES = st.lists(st.integers(1, 3), min_size=1, max_size=3)


@given(SIZES, st.integers(1, 3), st.integers(1, 3))
def test_the_number_of_tasks_is_the_product_and_their_keys_differ(sizes: list[int], arms: int, seeds: int) -> None:
    notebook = Path("book.ipynb")
    grid = {f"grid.{i}": list(range(size)) for i, size in enumerate(sizes)}
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    tasks = [
        Task(f"arm {arm}", seed, notebook, {"arm": arm, "seed": seed, **point})
        for arm in range(arms)
        for seed in range(seeds)
        for point in points
    ]
    assert len({task.key for task in tasks}) == len(tasks) == arms * seeds * len(points)


def test_the_key_is_that_of_the_parameters_not_of_the_arm_or_their_order(place: Path) -> None:
    one = study(place, arms={"a": {"preset": "clip", "epochs": 3}}).tasks[0]
    other = study(place, arms={"b": {"epochs": 3, "preset": "clip"}}).tasks[0]
    assert one.key == other.key
    assert one.key != study(place, arms={"a": {"preset": "clip", "epochs": 4}}).tasks[0].key
    assert Task("", None, Path("/elsewhere/book.ipynb"), one.parameters, one.sources).key == one.key
    assert Task("", None, Path("/elsewhere/other.ipynb"), one.parameters, one.sources).key != one.key
    known = Task("", None, Path("book.ipynb"), {"epochs": 3}, ("0123456789ab",))
    assert known.key == "db7a7f5024", "results that people keep would no longer be found"


def test_the_code_of_the_notebook_is_part_of_the_key(tmp_path: Path) -> None:
    def key(source: str, prose: str = "a") -> Task:
        save(book(v4.new_markdown_cell(prose), parameters(PARAMETERS), code(source)), tmp_path)
        return study(tmp_path / "notebooks/study.yaml", seeds=[1], sources=["0123456789abcdef"]).tasks[0]

    one, other = key("1"), key("2")
    assert one.key != other.key
    assert one.key == key("1", "other prose").key
    assert one.key != key(PARAMETERS.replace("5", "6")).key
    assert one.keys[1] == other.keys[1] == Task("", 1, one.notebook, one.parameters, ("0123456789ab",)).key


def test_selecting_arms_and_seeds(place: Path) -> None:
    whole = study(place, arms=ARMS, seeds=[1, 2, 3])
    kept = whole.select(["circle"], [3, 1])
    assert [(task.arm, task.seed) for task in kept.tasks] == [("circle", 1), ("circle", 3)]
    assert whole.select().tasks == whole.tasks
    with pytest.raises(StudyError, match="no arm 'circel'; did you mean 'circle'"):
        whole.select(["circel"])
    with pytest.raises(StudyError, match="no seed 9"):
        whole.select(seeds=[9])


def test_changed_parameters_replace_those_of_every_task(place: Path) -> None:
    found = study(place, arms=ARMS, seeds=[1]).changed(epochs=1, overrides=["loss.mlm=3"])
    assert [task.parameters["epochs"] for task in found.tasks] == [1, 1]
    assert found.tasks[1].parameters["overrides"] == ["loss.mlm=3", "uncertainty.enabled=false"]
    with pytest.raises(StudyError, match="unknown parameter 'epoch'"):
        found.changed(epoch=1)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"sedes": [1]}, "unknown key 'sedes'; did you mean 'seeds'"),
        ({"parameters": {"epoch": 1}}, "book.ipynb, book: unknown parameter 'epoch'; did you mean 'epochs'"),
        ({"arms": {"a": {"epochs": "many"}}}, "expected int, got str 'many'"),
        ({"arms": {"a": 5}}, "arms: a must be a mapping, got 5"),
        ({"arms": {"a": {"epochs": {}}}}, "arms: a: epochs must be text, a number, true, false or a list"),
        ({"arms": {True: {}}}, "arms: 1 must be text; quote it, got True"),
        ({"grid": {"epochs": 5}}, "grid: epochs must be a list that is not empty, got 5"),
        ({"grid": {"epochs": []}}, r"grid: epochs must be a list that is not empty, got \[\]"),
        ({"grid": {"epochs": "12"}}, "grid: epochs must be a list that is not empty, got '12'"),
        ({"grid": {"loss.gamma": [1, 1.0]}}, "loss.gamma must be a list of different values, .* would count twice"),
        ({"grid": {"epochs": [1, 2, 1]}}, "epochs must be a list of different values, .* would count twice"),
        ({"zip": {"epochs": [1, 1]}}, "epochs 1 is asked for twice"),
        ({"grid": {"epochs": [1]}, "zip": {"epochs": [2]}}, "epochs is under both grid and zip"),
        ({"arms": {"a": {"epochs": 2}}, "grid": {"epochs": [1]}}, "arm 'a' has epochs, which the grid"),
        ({"parameters": {"seed": 3}, "seeds": [1]}, "parameters has a seed, and so has the study"),
        ({"parameters": {"overrides": "loss.gamma=1"}}, "overrides': expected list, got str"),
        ({"grid": {"epochs": [1], "overrides": [True]}}, "overrides': expected list, got bool"),
        ({"seeds": ["1"]}, "seeds: 0 must be an integer from 0 to .*, got '1'"),
        ({"seeds": [1, -1]}, r"seeds: 1 must be an integer from 0 to 2\*\*63 - 1, got -1"),
        ({"seeds": [2**63]}, "seeds: 0 must be an integer from 0"),
        ({"seeds": [True]}, "seeds: 0 must be an integer from 0"),
        ({"parameters": {"seed": -1}}, "seed"),
        ({"parameters": {"epochs": -1}}, "epochs"),
        ({"arms": {"a": {"preset": "papr"}}}, "book.ipynb, a: .*did you mean 'paper'"),
        ({"arms": {"a": {"loss.gama": 3}}}, "book.ipynb, a: .*did you mean 'loss.gamma'"),
        ({"grid": {"loss.gamma": [64, -1]}}, "book.ipynb, loss.gamma -1: .*gamma"),
        ({"arms": {"a": {"preset": "clip", "loss.gamma": 64}}}, "book.ipynb, a: .*gamma"),
        ({"zip": {"sampler.batch_size": [64, 65]}}, "must be a multiple of"),
        ({"parameters": {"overrides": ["loss.gamma"]}}, "book.ipynb, book: "),
        ({"seeds": "12"}, "seeds must be a list that is not empty, got '12'"),
        ({"notebook": 5}, "notebook must be text; quote it, got 5"),
        ({"grid": {f"x.{i}": [1, 2, 3, 4] for i in range(40)}}, r"asks for [\d,]+ runs, at most 10,000"),
        ({"seeds": list(range(20_000))}, "asks for 20,000 runs, at most 10,000"),
        ({"sources": ["abc"]}, "sources: 0 must be at least 12 hexadecimal digits"),
        ({"zip": {"epochs": [1, 2], "seed": [1]}}, r"one length, got {'epochs': 2, 'seed': 1}"),
        ({"seeds": [1, 1]}, "list of different integers"),
        ({"seeds": []}, r"seeds must be a list that is not empty, got \[\]"),
        ({"arms": {"": {"epochs": 2}}}, "arms: .* must be a name, got ''"),
        (
            {"arms": {"a": {"epochs": 2}, "b": {"epochs": 2}}},
            r"b is asked for twice \(as a\): its runs would",
        ),
        ({"arms": {"a": {"output_dir": "x"}}}, "arm 'a' has output_dir, but each run is given a folder of its own"),
        ({"parameters": {"output_dir": "x"}}, "parameters has output_dir, but each run"),
        ({"parameters": [1]}, "parameters must be a mapping"),
        ({"notebook": "gone.ipynb"}, r"there is no notebook .*gone\.ipynb"),
    ],
)
def test_mistakes_are_named_before_anything_runs(place: Path, tree: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        study(place, **tree)


def test_files_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=rf"study {Path.cwd()}/gone\.yaml cannot be read"):
        Study.read("gone.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("arms: [")
    with pytest.raises(StudyError, match=r"broken\.yaml is not YAML"):
        Study.read(broken)
    broken.write_text("- 1")
    with pytest.raises(StudyError, match="the key 'notebook'"):
        Study.read(broken)


NAMES = st.sampled_from(["epochs", "preset", "overrides", "seed", "loss.gamma", "a.b", "", "zzz"]) | st.text(max_size=3)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
VALUES = st.dictionaries(NAMES, SCALARS | st.lists(SCALARS, max_size=2), max_size=3)
PARTS = {
    "parameters": VALUES,
    "arms": st.dictionaries(st.text(max_size=3), VALUES, max_size=3),
    "grid": st.dictionaries(NAMES, st.lists(SCALARS, max_size=3), max_size=2),
    "zip": st.dictionaries(NAMES, st.lists(SCALARS, max_size=2), max_size=2),
    "seeds": st.lists(st.integers() | st.booleans(), max_size=3),
    "sources": st.lists(st.text("0af", max_size=14), max_size=2),
}
TREES = st.fixed_dictionaries({}, optional={name: part | ANY for name, part in PARTS.items()})


@settings(deadline=None)
@given(TREES | ANY)
def test_no_tree_raises_anything_else_and_no_run_counts_twice(place: Path, tree: Any) -> None:
    started = time.process_time()
    with suppress(StudyError):
        found = Study.from_dict({"notebook": "book.ipynb", **tree} if isinstance(tree, dict) else tree, place)
        named = [(task.arm, task.seed) for task in found.tasks]
        assert len(set(named)) == len(named)
        assert all(len(task.key) == 10 for task in found.tasks)
    assert time.process_time() - started < 1


@settings(deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=100))
def test_no_file_raises_anything_else(place: Path, content: str | bytes) -> None:
    path = place.with_name("any.yaml")
    path.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    with suppress(StudyError):
        Study.read(path)


@pytest.mark.parametrize("name", ["off", "on", "yes", "012", "1e-4"])
def test_an_arm_may_have_any_name_that_is_text(place: Path, name: str) -> None:
    path = place.with_name("named.yaml")
    path.write_text(f"notebook: book.ipynb\narms:\n  {name}: {{}}\n")
    if name in ("012", "1e-4"):
        with pytest.raises(StudyError, match=r"arms: .* must be text; quote it"):
            Study.read(path)
    else:
        assert Study.read(path).arms == [name]
    path.write_text(f"notebook: book.ipynb\narms: {{{name}: {{epochs: 1}}, {name}: {{epochs: 2}}}}\n")
    with pytest.raises(StudyError, match="is there twice"):
        Study.read(path)


STUDIES = sorted((Path(__file__).parents[2] / "notebooks/studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_committed_studies_can_be_run(path: Path) -> None:
    """Every task's configuration is valid, and no two arms of a study ask for the same run."""
    from tireid import Config

    found = Study.read(path)
    assert len({task.key for task in found.tasks}) == len(found.tasks)
    for task in found.tasks:
        Config.preset(task.parameters["preset"]).override(task.parameters.get("overrides", []))


def test_studies_are_yaml_that_names_a_notebook_of_the_repository() -> None:
    assert {yaml.safe_load(path.read_text())["notebook"] for path in STUDIES} == {"../06_train.ipynb"}


def test_the_peers_of_the_ablation_are_their_presets_on_the_bundled_model() -> None:
    from tireid import Config

    converged = Study.read(next(path for path in STUDIES if path.stem == "converged"))
    shared = ["training.evaluate_every=3", "training.precision=fp32", "training.log_every=50"]
    for arm, own in (("InfoNCE, tuned, P x K", ["sampler.kind=pk"]), ("tal, tuned", [])):
        asked = converged.select([arm], [1]).tasks[0].parameters
        preset = Config.preset(asked["preset"])
        assert preset.override(asked["overrides"]) == preset.override(shared + own)
