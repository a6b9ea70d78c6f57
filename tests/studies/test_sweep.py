"""Sweeps in real processes and kernels: few of them, shared by the tests."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from tests.processes import kill_with_descendants
from tests.runner.books import book, code, parameters, save
from tests.test_interrupts import heed_interrupts
from tireid.experiments import Sweep, collect, sweep
from tireid.studies.results import load
from tireid.studies.study import Study

pytestmark = pytest.mark.slow

PARAMETERS = """value: float = 1.0
fail: str = ""  # "always", "once" or ""
output_dir: str = "../runs/x"
seed: int = 1"""
WORK = """import os
from pathlib import Path
from tireid.experiments import show_metrics
training = Path(output_dir) / "training"
training.mkdir(parents=True, exist_ok=True)
with open(training / "executions", "a") as log:
    log.write("x")
times = len((training / "executions").read_text())
if fail == "always" or (fail == "once" and times == 1):
    raise RuntimeError(f"asked to fail: {fail}")
(training / "history.csv").write_text(f"step,loss\\n0,{value / 3}\\n")
rows = "t2i,0,7,3,0.333333333,a text\\ni2t,0,7,,,\\n"
(training / "per_query_best.csv").write_text("direction,query,person_id,first_rank,AP,text\\n" + rows)
show_metrics({"R@1": value * seed, "threads": int(os.environ["OMP_NUM_THREADS"]), "data": "print"})"""


def write_study(folder: Path, **tree: object) -> Path:
    notebook = save(book(parameters(PARAMETERS), code(WORK)), folder)
    path = notebook.with_name("study.yaml")
    path.write_text(yaml.safe_dump({"notebook": "book.ipynb", **tree}, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def mixed(folder: Path) -> Sweep:
    """Arms that work, fail once and fail always."""
    arms = {"good": {"value": 2.0}, "once": {"fail": "once"}, "bad": {"fail": "always"}}
    path = write_study(folder, arms=arms, seeds=[3])
    return sweep(path, runs=folder / "runs", jobs=2, threads=1)


def executions(done: Sweep, arm: str) -> int:
    (key,) = {task.key for task in done.study.tasks if task.arm == arm}
    return len((done.runs / key / "files/training/executions").read_text())


def test_every_arm_has_its_outcome(mixed: Sweep) -> None:
    assert dict(zip(mixed.table["arm"], mixed.table["status"], strict=True)) == {
        "good": "done",
        "once": "done",
        "bad": "failed",
    }
    assert not mixed.ok
    assert "study: 2 done, 0 skipped, 1 failed" in str(mixed)


def test_a_failed_task_is_tried_once_more_and_then_reported(mixed: Sweep) -> None:
    assert executions(mixed, "good") == 1
    assert executions(mixed, "once") == 2
    assert executions(mixed, "bad") == 2
    (failure,) = mixed.failed
    assert "asked to fail: always" in failure.message
    assert "cell" in failure.message
    assert str(failure.task) in str(mixed)


def test_results_are_small_and_whole(mixed: Sweep) -> None:
    results = load(mixed.study, mixed.results)
    assert results.runs.loc[("good", 3), "R@1"] == 6
    assert results.runs.loc[("good", 3), "threads"] == 1
    assert [task.arm for task in results.missing] == ["bad"]
    assert results.provenance.loc[("good", 3), "parameters/seed"] == 3
    assert not [name for name in results.provenance if "output_dir" in name]
    ours = results.per_query[results.per_query["arm"] == "good"]
    assert ours["AP"].tolist()[:1] == [0.3333]
    assert "text" not in ours
    assert results.history.loc[results.history["arm"] == "good", "loss"].tolist() == [0.666667]
    assert not list(mixed.results.glob(".*"))


def test_finished_tasks_are_skipped_and_failed_ones_tried_again(mixed: Sweep) -> None:
    again = sweep(mixed.study, runs=mixed.runs)
    assert again.table["status"].tolist() == ["skipped", "skipped", "failed"]
    assert executions(mixed, "good") == 1
    assert executions(mixed, "bad") == 4


def test_collecting_says_what_is_there_and_what_failed(mixed: Sweep) -> None:
    there = "study: 2 of 3 runs are there; missing: bad, seed 3"
    assert str(collect(mixed.study, runs=mixed.runs, train=False)) == there
    assert executions(mixed, "bad") == 4
    with pytest.warns(UserWarning, match="asked to fail: always"):
        assert str(collect(mixed.study, runs=mixed.runs)) == there
    assert executions(mixed, "bad") == 6


def test_two_sweeps_at_once_run_each_task_once(folder: Path) -> None:
    path = write_study(folder / "two", arms={"a": {"value": 1.0}, "b": {"value": 2.0}})
    command = [sys.executable, "-m", "tireid", "sweep", str(path), "--runs", str(folder / "two/runs")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=240)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    for task in Study.read(path).tasks:
        assert (folder / "two/runs" / task.key / "files/training/executions").read_text() == "x"


@pytest.mark.parametrize(
    ("whom", "number", "status", "said"),
    [(os.killpg, signal.SIGINT, 130, "interrupted\n"), (os.kill, signal.SIGKILL, -signal.SIGKILL, "")],
)
def test_tasks_end_with_the_sweep(
    whom: Callable[[int, int], None], number: int, status: int, said: str, tmp_path: Path
) -> None:
    """Ctrl+C once, as a terminal tells it to the whole group; or a kill of the sweep alone. No task is begun then."""
    slow = code("import time\nprint(Path.cwd(), value)\ntime.sleep(600)")
    path = save(book(parameters(PARAMETERS), code("from pathlib import Path"), slow), tmp_path)
    path.with_name("study.yaml").write_text(yaml.safe_dump({"notebook": "book.ipynb", "seeds": [1, 2, 3]}))
    command = [sys.executable, "-m", "tireid", "sweep", str(path.with_name("study.yaml")), "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--runs", str(tmp_path / "runs")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    _wait(lambda: len(list((tmp_path / "runs").glob("*/book.ipynb"))) == 2)
    whom(process.pid, number)
    assert process.communicate(timeout=60)[1] == said
    assert process.returncode == status
    _wait(lambda: not _at_work(tmp_path))
    assert len(list((tmp_path / "runs").glob("*/book.ipynb"))) == 2


def _at_work(folder: Path) -> list[psutil.Process]:
    """Jobs have the folder of their logs in their command line, kernels work in that of the notebook."""
    processes = psutil.process_iter(["cmdline", "cwd"])
    return [p for p in processes if str(folder) in " ".join([*(p.info["cmdline"] or []), p.info["cwd"] or ""])]


def _wait(over: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not over():
        assert time.monotonic() < end
        time.sleep(0.1)


TRAIN = """import tireid
from tireid.experiments import show_metrics
data = tireid.load_dataset("synthetic", people=(8, 2, 4))
options = ["sampler.batch_size=16", "training.log_every=1"]
config = tireid.Config.preset("paper", epochs=6, seed=seed).override(options + overrides)
run = tireid.train(config, f"{output_dir}/training", data=data)
show_metrics({k: v for k, v in run.metrics.items() if not isinstance(v, str)})"""
TRAIN_PARAMETERS = """overrides: list = []
output_dir: str = "../runs/x"
seed: int = 1"""
KILLS = int(os.environ.get("TIREID_KILLS", "4"))


def test_killed_at_random_moments_a_sweep_ends_with_the_same_table(tmp_path: Path) -> None:
    """The whole tree of processes dies, as when the machine goes down; the same command goes on."""
    notebook = save(book(parameters(TRAIN_PARAMETERS), code(TRAIN)), tmp_path)
    path = notebook.with_name("study.yaml")
    arms = {"paper": {}, "circle": {"uncertainty.enabled": False, "loss.mlm": 0, "loss.recovery": 0}}
    path.write_text(yaml.safe_dump({"notebook": "book.ipynb", "arms": arms, "seeds": [1]}, sort_keys=False))
    straight = sweep(path, runs=tmp_path / "straight", jobs=2)
    assert straight.ok, straight

    chance = random.Random(0)
    command = [sys.executable, "-m", "tireid", "sweep", str(path), "--runs", str(tmp_path / "killed"), "--jobs", "2"]
    reached = []
    for number in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if number % 2:  # any moment of the start; else any moment of the training
            time.sleep(chance.uniform(0, 8))
        else:
            _wait_for_progress(tmp_path / "killed", process)
            time.sleep(chance.uniform(0, 2))
        if process.poll() is None:
            reached.append(_epochs(tmp_path / "killed"))
            kill_with_descendants([psutil.Process(process.pid)])
            process.wait(timeout=10)
        else:  # what is whole is not done again: begin afresh
            _assert_same_results(path, tmp_path)
            shutil.rmtree(tmp_path / "killed")
    assert len(set(reached)) > KILLS / 4, "the kills met a training at its start only"
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    _assert_same_results(path, tmp_path)
    print(
        f"sweep: {len(reached)} of {KILLS} kills met the work, after {len(set(reached))} different epochs; nothing lost"
    )


def _assert_same_results(study: Path, folder: Path) -> None:
    """Of `straight` and `killed`, to the bit, but for times."""
    straight, killed = (load(study, folder / name / "results") for name in ("straight", "killed"))
    timed = "second|memory"
    one, other = (table.runs.drop(columns=table.runs.filter(regex=timed).columns) for table in (straight, killed))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    one, other = (table.history.drop(columns="seconds") for table in (straight, killed))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    pd.testing.assert_frame_equal(straight.per_query, killed.per_query, check_exact=True)


def _epochs(runs: Path) -> tuple[str, ...]:
    """The last whole epoch of every training."""
    return tuple(sorted(path.parent.name for path in runs.glob("*/files/training/state-*/progress.json")))


def _wait_for_progress(runs: Path, process: subprocess.Popen[bytes]) -> None:
    before, end = _epochs(runs), time.monotonic() + 600
    while _epochs(runs) == before and process.poll() is None:
        assert time.monotonic() < end, "no training went on"
        time.sleep(0.05)


def test_a_study_from_the_command_line_lists_its_tasks(folder: Path) -> None:
    path = write_study(folder / "listed", grid={"value": [1.0, 2.0]})
    done = subprocess.run(
        [sys.executable, "-m", "tireid", "sweep", str(path), "--list"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split("  ")[1] for line in lines] == ["value 1.0", "value 2.0"]
    assert json.dumps({"value": 1.0}) == lines[0].split("  ")[2].replace("'", '"')
