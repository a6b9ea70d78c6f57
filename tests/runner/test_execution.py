"""How a run may end, and how much it may print: in real kernels, as few as possible."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.experiments import run
from tireid.runner.execution import NotebookError, _merge_streams, _overwritten
from tireid.runner.output import CELL_CHARACTERS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ending", "message", "status"),
    [
        ("import sys; sys.exit()", "SystemExit: ; it ends the notebook early", 1),
        ("quit()", r"quit\(\) or exit\(\) ends the notebook early", 1),
        ("exit(0)", r"quit\(\) or exit\(\) ends the notebook early", 1),
        ("raise SystemExit(0)", "SystemExit: 0; it ends the notebook early", 1),
        ("import os; os._exit(0)", "the kernel ended itself with status 0", 137),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
        ("%%nonsense", "UsageError|SyntaxError|failed", 1),
    ],
)
def test_an_early_end_is_not_done(tmp_path: Path, ending: str, message: str, status: int) -> None:
    path = save(book(parameters("seed: int = 1"), code(ending), code("print('never')")), tmp_path)
    done = run(path, output_dir=tmp_path / "out", html=False, log=False, check=False)
    assert done.error is not None
    assert not (tmp_path / "out/DONE").exists()
    assert done.error.cell == 2
    assert done.error.exit_status == status
    assert re.search(message, str(done.error))
    assert not run(path, output_dir=tmp_path / "out", html=False, log=False, check=False, skip_done=True).skipped


@pytest.mark.slow
@pytest.mark.parametrize("instead", ["", "; Path('../out').write_text('mine')"])
def test_a_cell_that_removes_the_folder_of_its_run_is_named(tmp_path: Path, instead: str) -> None:
    ending = code(f"import shutil; from pathlib import Path; shutil.rmtree('../out'){instead}")
    path = save(book(parameters("seed: int = 1"), ending, code("print('never')")), tmp_path)
    for check in (True, False):
        (tmp_path / "out").unlink(missing_ok=True)
        with pytest.raises(NotebookError, match=r"book\.ipynb, cell 2 .*out/book\.ipynb cannot be written: ") as failed:
            run(path, output_dir=tmp_path / "out", html=False, log=False, check=check)
        assert (failed.value.cell, failed.value.exit_status) == (2, 1)
        assert not (tmp_path / "out").is_dir()


@pytest.mark.slow
def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Papermill writes the notebook in place: what is left of it is no notebook."""

    def full(notebook: object, target: str) -> None:
        Path(target).write_text('{"cells": [')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("papermill.execute.write_ipynb", full)
    monkeypatch.setattr("papermill.engines.write_ipynb", full)
    path = save(book(parameters("seed: int = 1"), code("1")), tmp_path)
    with pytest.raises(NotebookError, match=r"out/book\.ipynb cannot be written: .*No space left on device"):
        run(path, output_dir=tmp_path / "out", html=False, log=False, check=False)


@pytest.mark.slow
def test_an_exception_that_a_cell_is_for_fails_nothing_and_another_names_its_own_cell(tmp_path: Path) -> None:
    wanted = code("1 / 0", tags=["raises-exception"])
    path = save(book(parameters("seed: int = 1"), wanted, code("after = 1"), code("after")), tmp_path)
    done = run(path, {"seed": 2}, output_dir=tmp_path / "out", html=False, log=False)
    assert done.ok
    kept = nbformat.read(done.notebook, as_version=4)
    assert [cell.execution_count for cell in kept.cells] == [1, 2, 3, 4, 5]

    path = save(book(parameters("seed: int = 1"), wanted, code("{}['key']"), code("never = 1")), tmp_path, "other")
    with pytest.raises(NotebookError, match=r"other.ipynb, cell 3 \(\"\{\}\['key'\]\"\): KeyError: 'key'"):
        run(path, {"seed": 2}, output_dir=tmp_path / "other", html=False, log=False)


@pytest.mark.slow
def test_braces_in_a_path_and_an_old_notebook_without_ids(tmp_path: Path) -> None:
    nb = book(v4.new_markdown_cell("# T"), parameters("seed: int = 1"), code("1"), code("1 / 0"))
    nb.nbformat_minor = 4
    for cell in nb.cells:
        del cell["id"]
    folder = tmp_path / "{seed} {} 100%j"
    path = save(nb, folder)
    with pytest.raises(NotebookError, match="cell 4") as failed:
        run(path, {"seed": 3}, output_dir=folder / "out {0}", html=False, log=False)
    assert failed.value.cell == 4
    assert (folder / "out {0}/book.ipynb").is_file()
    assert not list(tmp_path.rglob("*3 *"))


LONG = "print('x' * 400_000); print('y' * 200_000 + '\\r' + 'z' * 200_000)"


@pytest.mark.slow
def test_a_line_of_400000_characters_takes_no_time_and_a_flood_stops_at_the_limit(tmp_path: Path) -> None:
    def seconds(source: str, **options: float) -> float:
        started = time.monotonic()
        path = save(book(parameters("seed: int = 1"), code(source)), tmp_path)
        run(path, output_dir=tmp_path / "out", html=False, log=False, check=False, **options)
        return time.monotonic() - started

    short = seconds("print('x')")
    assert seconds(LONG) < short + 15
    kept = nbformat.read(tmp_path / "out/book.ipynb", as_version=4)
    assert kept.cells[-1].outputs[0].text == "x" * 400_000 + "\n" + "z" * 200_000 + "\n"
    assert seconds("while True: print('x' * 2000)", timeout=short + 10) < 2 * (short + 10) + 20
    kept = nbformat.read(tmp_path / "out/book.ipynb", as_version=4)
    text = "".join(output.text for output in kept.cells[-1].outputs if output.get("name") == "stdout")
    notice = f"\n[output of this cell beyond {CELL_CHARACTERS:,} characters was dropped]\n"
    assert text.endswith(notice)
    assert len(text) == CELL_CHARACTERS + len(notice), "memory would grow with what is printed"


SHOWN = """from IPython.display import HTML, display
from tireid.experiments import show_metrics
display(HTML("<b>a</b>" * 10), HTML("<b>b</b>" * 4_000_000))
display({"text/plain": "y" * 20_000_000}, raw=True)
display("c" * 1000)
show_metrics({"R@1": 50.0})
"d" * 20_000_000"""


@pytest.mark.slow
def test_a_line_stands_for_a_display_that_is_too_large_and_for_such_an_error(tmp_path: Path) -> None:
    path = save(book(parameters("seed: int = 1"), code(SHOWN), code("raise ValueError('e' * 30_000_000)")), tmp_path)
    result = run(path, output_dir=tmp_path / "out", html=False, log=False, check=False)
    assert result.notebook.stat().st_size < 1.1 * CELL_CHARACTERS, "it would open in no browser"
    *_, shown, failed = nbformat.read(result.notebook, as_version=4).cells
    dropped = [str(output.data).count("was dropped") for output in shown.outputs]
    assert dropped == [0, 1, 1, 0, 0, 1]
    assert max(len(str(output.data)) for output in shown.outputs) < 2000
    assert result.metrics == {"R@1": 50.0}, "what is small is kept beside it"
    assert failed.outputs[0].evalue == "e" * CELL_CHARACTERS
    assert "ValueError: eee" in str(result.error)


@pytest.mark.slow
def test_an_output_that_the_terminal_lacks_fails_nothing(tmp_path: Path) -> None:
    path = save(book(parameters("seed: int = 1"), code("print('→')  # ←")), tmp_path)
    program = f"from tireid.experiments import run; print(run({str(path)!r}, html=False).ok)"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert rb"\u2192" in done.stdout
    assert b"True" in done.stdout


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e308, True, "5"])
def test_a_limit_that_is_none_is_refused(tmp_path: Path, timeout: float) -> None:
    path = save(book(parameters("seed: int = 1")), tmp_path)
    with pytest.raises(ValueError, match="timeout must be a number of seconds above 0"):
        run(path, output_dir=tmp_path / "out", timeout=timeout)
    assert not (tmp_path / "out").exists()


def test_what_a_magic_command_said_is_told_and_not_all_of_a_long_error(tmp_path: Path) -> None:
    path = save(book(parameters("seed: int = 1"), code("%nosuch")), tmp_path)
    error = run(path, output_dir=tmp_path / "out", check=False, html=False, log=False).error
    assert str(error) == "book.ipynb, cell 2 ('%nosuch'): UsageError: Line magic function `%nosuch` not found."
    path = save(book(parameters("seed: int = 1"), code("raise ValueError('x' * 10**6)")), tmp_path)
    error = run(path, output_dir=tmp_path / "out", check=False, html=False, log=False).error
    assert 2_000 < len(str(error)) < 2_200


LINES = st.lists(st.sampled_from(["a", "b", "\n", "a\r", "\r\n"]), max_size=30).map("".join)
ONCE = LINES.filter(lambda text: "\r\r" not in text)


@given(ONCE)
def test_a_line_shows_what_was_written_over_it(text: str) -> None:
    """Against nbclient's own expression, which is slow, and erases what two carriage returns follow."""
    from nbclient.client import _RGX_CARRIAGERETURN

    assert "\n".join(map(_overwritten, text.split("\n"))) == _RGX_CARRIAGERETURN.sub("", text)


def test_streams_are_one_output_each_in_a_fixed_order() -> None:
    cell = code("1")
    cell.outputs = [
        v4.new_output("stream", name="stderr", text="e1\n"),
        v4.new_output("stream", name="stdout", text="50%\r"),
        v4.new_output("stream", name="stderr", text="e2\n"),
        v4.new_output("stream", name="stdout", text="100%\n"),
        v4.new_output("display_data", data={"text/plain": "x"}),
    ]
    _merge_streams(cell)
    assert [(out.get("name"), out.get("text")) for out in cell.outputs] == [
        ("stdout", "100%\n"), ("stderr", "e1\ne2\n"), (None, None),
    ]  # fmt: skip
