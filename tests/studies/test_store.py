"""Packing and reading back is exact; a damaged file is named; nothing is lost on the way."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tireid.runner.run import RunResult
from tireid.studies import store as module
from tireid.studies.record import Record
from tireid.studies.store import PACK, Store, _decoded, _encoded
from tireid.studies.study import Task

SOURCE = "0123456789ab"


def task(number: int, source: str = SOURCE) -> Task:
    return Task(f"arm {number}", number, Path("06_train.ipynb"), {"epochs": number, "seed": number}, (source,))


def ran(folder: Path, number: int, queries: pd.DataFrame | None, source: str = SOURCE) -> RunResult:
    """The folder of a run, with a history whose floats need rounding."""
    training = folder / str(number) / "files/training"
    training.mkdir(parents=True)
    history = {
        "step": [0.0, 20.0],
        "epoch": [0, 1],
        "loss": [np.pi * number, 1e-7 / 3],
        "val/t2i/R@1": [np.nan, 100 / 3],
    }
    pd.DataFrame(history).to_csv(training / "history.csv", index=False)
    (training / "config.json").write_text('{"loss": {"gamma": 32.0}}')
    if queries is not None:
        queries.to_csv(training / "per_query_best.csv", index=False)
    provenance = {"code_sha256": source + "ff", "parameters": {"output_dir": "x", "seed": 1}, "changed": ["seed"]}
    metrics = {"R@1": 100 / 3 * number, "t2i": {"mAP": 0.1 + 0.2}, "text": "Zoë\n"}
    return RunResult(folder / str(number), folder / "x.ipynb", {}, metrics, provenance)


def queries(seed: int, people: int = 20, *, unranked: bool = False, names: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(people), 3)
    ranks = pd.Series(rng.integers(1, 400, len(ids)), dtype="Int64")
    precision = pd.Series(rng.random(len(ids)))
    if unranked:
        ranks[0], precision[0] = pd.NA, np.nan
    table = pd.DataFrame({"direction": "t2i", "query": np.arange(len(ids)), "person_id": ids})
    if names:
        table["person_id"] = [f"pérson {i}" for i in ids]
    return table.assign(first_rank=ranks, AP=precision, text="left out")


def assert_same(one: Record, other: Record) -> None:
    for name in ("task", "metrics", "provenance", "config"):
        assert getattr(one, name) == getattr(other, name)
    for name in ("history", "per_query"):
        first, second = getattr(one, name), getattr(other, name)
        assert (first is None) == (second is None)
        if first is not None:
            pd.testing.assert_frame_equal(first, second, check_exact=True)


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, list[Task]]:
    """Runs with shared queries, with others, with ids of text, without a rank, without queries."""
    tables = [queries(0), queries(1), queries(2, 30), queries(3, names=True), queries(4, unranked=True), None]
    store = Store(tmp_path / "results")
    for number, table in enumerate(tables):
        store.keep(task(number), ran(tmp_path / "runs", number, table))
    return store.folder, [task(number) for number in range(len(tables))]


def test_what_was_packed_reads_back_exactly(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    before = [Store(folder)[task] for task in tasks]
    assert before[0].history is not None
    assert before[0].history["loss"].tolist() == [0.0, float(f"{1e-7 / 3:.6g}")]
    assert Store(folder).pack(tasks[:4]) == 4
    assert Store(folder).pack(tasks) == 2, "those of the first time are packed already"
    assert sorted(path.name for path in folder.iterdir()) == [".pack.lock", PACK]
    after = Store(folder)
    assert len(after) == len(tasks)
    for task_, record in zip(tasks, before, strict=True):
        assert_same(after[task_], record)
    assert task(9) not in after


def test_a_packed_result_counts_for_the_code_that_made_it(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    edited = task(0, "edited notebk")
    assert edited not in Store(folder)
    assert Task("", 0, edited.notebook, edited.parameters, ("edited notebk", SOURCE)) in Store(folder)


def test_packing_is_to_the_byte_the_same(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    first = (folder / PACK).read_bytes()
    record = Store(folder)[tasks[0]]
    (folder / tasks[0].key).mkdir()
    record.write(folder / tasks[0].key)
    Store(folder).pack(tasks)
    assert (folder / PACK).read_bytes() == first


def test_a_loss_is_noticed_before_the_folder_goes(
    kept: tuple[Path, list[Task]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, tasks = kept
    monkeypatch.setattr(module, "_decoded", lambda coded, unit: np.asarray(coded * 0))
    with pytest.raises(ValueError, match="cannot be packed without a loss"):
        Store(folder).pack(tasks)
    assert (folder / tasks[0].key / "task.json").is_file()


def _pack(folder: Path, number: int) -> None:
    Store(folder).pack([task(number)])


def test_two_packers_at_once_lose_nothing(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    both = [multiprocessing.get_context("spawn").Process(target=_pack, args=(folder, n)) for n in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [task in Store(folder) for task in tasks] == [True] * len(tasks)
    assert len(list(folder.glob("*/task.json"))) == len(tasks) - 2


@pytest.mark.parametrize("name", ["task.json", "metrics.json", "provenance.json", "config.json", "history.csv"])
@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe", b"[1]"])
def test_a_damaged_file_is_named(kept: tuple[Path, list[Task]], name: str, content: bytes) -> None:
    folder, tasks = kept
    path = folder / tasks[0].key / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{tasks[0].key}.{name}"):
        Store(folder)[tasks[0]]


NOT_ITS_OWN = {
    "an edited figure": lambda one, other: _edit(one / "metrics.json", '"R@1": 0.0', '"R@1": 99.0'),
    "an edited query": lambda one, other: _edit(one / "per_query.csv", ",0,", ",1,"),
    "a row less": lambda one, other: (one / "history.csv").write_text("".join(_lines(one / "history.csv")[:-1])),
    "metrics of another run": lambda one, other: shutil.copy(other / "metrics.json", one),
    "queries of another run": lambda one, other: shutil.copy(other / "per_query.csv", one),
    "a table that is gone": lambda one, other: (one / "per_query.csv").unlink(),
    "no metrics": lambda one, other: (one / "metrics.json").unlink(),
    "options that are gone": lambda one, other: (one / "config.json").unlink(),
    "another run's folder": lambda one, other: (shutil.rmtree(one), shutil.copytree(other, one)),
    "digests that are none": lambda one, other: _edit(one / "task.json", '"files": {', '"files": [], "old": {'),
}


def _edit(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


@pytest.mark.parametrize("change", NOT_ITS_OWN.values(), ids=NOT_ITS_OWN)
def test_what_is_not_the_runs_own_is_never_shown_nor_packed(kept: tuple[Path, list[Task]], change: Any) -> None:
    folder, tasks = kept
    change(folder / tasks[0].key, folder / tasks[1].key)
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    for use in (lambda store: store[tasks[0]], lambda store: store.pack(tasks)):
        with pytest.raises(ValueError, match=f"{tasks[0].key}.* is damaged: "):
            use(Store(folder))
    assert {path: path.read_bytes() for path in before} == before
    assert Store(folder)[tasks[1]].task["parameters"]["seed"] == 1


def test_results_of_before_the_digests_are_read(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    file = folder / tasks[0].key / "task.json"
    tree = json.loads(file.read_text())
    assert set(tree.pop("files")) == {"config.json", "history.csv", "metrics.json", "per_query.csv", "provenance.json"}
    file.write_text(json.dumps(tree))
    assert Store(folder)[tasks[0]].task == tree
    for name in ("provenance.json", "metrics.json"):
        (file.parent / name).unlink()
        with pytest.raises(ValueError, match=f"{tasks[0].key}.{name} is damaged: .* missing"):
            Store(folder)[tasks[0]]


def test_text_that_no_table_can_hold_is_damage(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    file = folder / tasks[0].key / "task.json"
    file.write_text(json.dumps({name: part for name, part in json.loads(file.read_text()).items() if name != "files"}))
    (file.parent / "metrics.json").write_text('{"note": "\\ud800"}')
    with pytest.raises(ValueError, match=f"{tasks[0].key} is damaged: .*surrogates"):
        Store(folder)[tasks[0]]


def test_a_pack_of_a_version_of_zip_that_is_not_known_is_named(kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    whole = bytearray((folder / PACK).read_bytes())
    whole[whole.index(b"PK\x01\x02") + 6] = 195
    (folder / PACK).write_bytes(whole)
    with pytest.raises(ValueError, match=rf"{PACK} is damaged: zip file version 19\.5"):
        Store(folder)[tasks[0]]


@pytest.mark.parametrize("end", [0, 10, 400, -30])
def test_a_damaged_pack_is_named(kept: tuple[Path, list[Task]], end: int) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    whole = (folder / PACK).read_bytes()
    (folder / PACK).write_bytes(whole[:end])
    with pytest.raises(ValueError, match=PACK):
        Store(folder)[tasks[0]]


@pytest.mark.parametrize(
    "change",
    [
        {"task": {}},
        {"task": {"notebook": 3, "parameters": {}}},
        {"task": None},
        {"metrics": [1]},
        {"history": {"step": [1], "loss": [1, 2]}},
        {"history": {"arm": [1]}},
        {"per_query": [99, 0]},
        {"per_query": [0, 99]},
        {"per_query": [0, 2**63]},
        {"per_query": "ab"},
        {"key": None},
        None,
    ],
)
def test_a_strangers_pack_is_named(change: dict[str, object] | None, kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    arrays = dict(np.load(folder / PACK))
    first, *others = arrays["runs"].tobytes().splitlines()
    row = json.loads(first)
    changed = [row | change, *map(json.loads, others)] if change is not None else [{}]
    lines = "\n".join(json.dumps(line) for line in changed)
    np.savez(folder / PACK, **arrays | {"runs": np.frombuffer(lines.encode(), np.uint8)})
    with pytest.raises(ValueError, match=f"{PACK} is damaged: "):
        [Store(folder)[task] for task in tasks]


@pytest.mark.parametrize("drop", ["runs", "0/query", "0/first_rank"])
def test_a_pack_that_lacks_an_array_is_named(drop: str, kept: tuple[Path, list[Task]]) -> None:
    folder, tasks = kept
    Store(folder).pack(tasks)
    arrays = dict(np.load(folder / PACK))
    del arrays[drop]
    np.savez(folder / PACK, **arrays)
    with pytest.raises(ValueError, match=f"{PACK} is damaged: .*{drop}"):
        [Store(folder)[task] for task in tasks]


FLOATS = st.floats(allow_infinity=False) | st.integers(0, 10_000).map(lambda n: n / 10_000)


@settings(deadline=None)
@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=4), st.sampled_from([1, 10_000]))
def test_numbers_are_coded_without_loss(rows: list[list[float]], unit: int) -> None:
    values = np.array(rows)
    decoded: np.ndarray[Any, Any] = _decoded(_encoded(values, unit), unit)
    np.testing.assert_array_equal(decoded, values)


def test_the_code_is_small() -> None:
    assert _encoded(np.array([[1.0, 300.0]]), 1).dtype == np.int16
    assert _encoded(np.array([[0.25, np.nan]]), 10_000).dtype == np.int16
    assert _encoded(np.array([[1 / 3]]), 10_000).dtype == np.float64
