"""Whole runs in real kernels: few of them, shared by the tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.cli import main
from tireid.experiments import RunResult, run
from tireid.runner.execution import NotebookError

LOOK = """import json, os, sys
from pathlib import Path
Path(output_dir).mkdir(parents=True)
seen = {"cwd": os.getcwd(), "python": sys.executable, "progress": os.environ["TIREID_PROGRESS"],
        "values": [epochs, rate, flip, name, sizes, seed]}
Path(output_dir, "seen.json").write_text(json.dumps(seen))"""
SHOW = """from tireid.experiments import show_metrics
show_metrics({"t2i": {"R@1": 41.123456}, "data": "fingerprint"})"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run under a profile and a parameter, with another `python3` kernel installed ahead of the right one."""
    folder = tmp_path_factory.mktemp("finished")
    rogue = folder / "jupyter/kernels/python3"
    rogue.mkdir(parents=True)
    (rogue / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "P", "language": "python"}))
    path = save(book(v4.new_markdown_cell("# Title"), parameters(), code(LOOK), code(SHOW)), folder)
    (path.parent / "profiles").mkdir()
    (path.parent / "profiles/ci.yaml").write_text("book: {epochs: 1, seed: 5}\n")
    run_dir = folder / "runs/first"
    run_dir.mkdir(parents=True)
    (run_dir / "DONE").write_text("stale")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        return run(path, {"epochs": 2, "name": "Ünal"}, profile="ci", output_dir=run_dir, log=False)


pytestmark = pytest.mark.slow


def test_notebook_saw_its_parameters_folder_and_interpreter(finished: RunResult) -> None:
    seen = json.loads((finished.output_dir / "files/seen.json").read_text())
    assert seen["values"] == [2, 1e-4, True, "Ünal", [1, 2], 5]
    assert seen["python"] == sys.executable
    assert seen["progress"] == "log"
    assert Path(seen["cwd"]).name == "notebooks"
    assert finished.parameters["output_dir"] == "../runs/first/files"


def test_folder_explains_itself(finished: RunResult) -> None:
    folder = finished.output_dir
    names = {"book.ipynb", "book.html", "metrics.json", "provenance.json", "files", "DONE"}
    assert {path.name for path in folder.iterdir()} == names
    times = {name: (folder / name).stat().st_mtime_ns for name in names}
    assert max(times, key=times.__getitem__) == "DONE"
    assert json.loads((folder / "metrics.json").read_text()) == {"data": "fingerprint", "t2i": {"R@1": 41.123456}}
    assert finished.metrics["t2i"] == {"R@1": 41.123456}
    assert "41.12" in (folder / "book.html").read_text(encoding="utf-8")


def test_provenance_tells_where_it_came_from(finished: RunResult) -> None:
    told = json.loads((finished.output_dir / "provenance.json").read_text())
    assert told == finished.provenance
    assert told["parameters"] == finished.parameters
    assert (told["profile"], told["seed"], told["data"], told["outcome"]) == ("ci", 5, "fingerprint", "done")
    assert told["changed"] == ["epochs", "name", "output_dir", "seed"]
    assert 0 < told["seconds"] < 60
    assert told["started"] <= told["ended"]
    assert {"git", "versions", "machine", "source_sha256"} <= set(told)


def test_skip_done_reads_back_the_same_run_only(finished: RunResult) -> None:
    source = finished.output_dir.parents[1] / "notebooks/book.ipynb"
    same = {"epochs": 2, "name": "Ünal"}
    again = run(source, same, profile="ci", output_dir=finished.output_dir, skip_done=True)
    assert again.skipped
    assert again.metrics == finished.metrics
    (finished.output_dir / "provenance.json").write_text("{}")
    other = {"output_dir": finished.output_dir, "skip_done": True, "log": False, "html": False, "check": False}
    changed = run(source, same, profile="ci", **other)  # nobody knows what that run was
    assert not changed.skipped
    assert isinstance(changed.error, NotebookError)  # this notebook cannot make its folder twice
    assert not (finished.output_dir / "DONE").exists()


def test_a_failing_cell_is_named_and_the_rest_is_kept(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    cells = [parameters(), code(SHOW + "\nprint('before')"), code("\n# first\n1 / 0"), code("print('never')")]
    path = save(book(v4.new_markdown_cell("# T"), *cells), tmp_path)
    assert main(["run", str(path), "-p", "epochs", "3", "--output-dir", str(tmp_path / "out")]) == 1
    shown = capfd.readouterr()
    assert "book.ipynb, cell 4 ('# first'): ZeroDivisionError: division by zero" in shown.err
    assert "WARNING" not in shown.err
    assert "before\n" in shown.out
    assert "never" not in shown.out.splitlines()
    assert not (tmp_path / "out/DONE").exists()
    assert json.loads((tmp_path / "out/metrics.json").read_text())["t2i"] == {"R@1": 41.123456}
    assert json.loads((tmp_path / "out/provenance.json").read_text())["outcome"] == "failed"
    assert (tmp_path / "out/book.html").exists()
    kept = nbformat.read(tmp_path / "out/book.ipynb", as_version=4)
    outputs = [output for cell in kept.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.output_type for output in outputs] == ["display_data", "stream", "error"]


def test_time_limit_is_for_the_whole_run(tmp_path: Path) -> None:
    cells = [code("import time\ntime.sleep(1)") for _ in range(12)]
    path = save(book(parameters(), *cells), tmp_path)
    with pytest.raises(
        NotebookError, match=r"cell \d+ \('import time'\): stopped at the run's time limit of 4 s"
    ) as info:
        run(path, output_dir=tmp_path / "out", timeout=4, html=False, log=False)
    assert 1 < info.value.cell < 8
    assert info.value.exit_status == 124


def test_a_dead_kernel_is_probably_out_of_memory_and_its_output_was_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dying = "import os, time\nprint('alive', flush=True)\ntime.sleep(1)\nos.kill(os.getpid(), 9)"
    path = save(book(parameters(), code(dying)), tmp_path)
    result = run(path, output_dir=tmp_path / "out", html=False, check=False)
    assert "cell 2 ('import os, time'): the kernel died, probably out of memory" in str(result.error)
    assert result.error is not None
    assert result.error.exit_status == 137
    assert "alive\n" in capsys.readouterr().out
    assert not (tmp_path / "out/DONE").exists()


def test_a_kernel_that_does_not_start_is_an_error_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(book(parameters(), code("1")), tmp_path)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    result = run(path, output_dir=tmp_path / "out", html=False, log=False, check=False)
    assert "book.ipynb, before the first cell: the kernel did not start" in str(result.error)
