"""A file is whole or absent; what a killed writer leaves is found, what a living one writes is left alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tireid.basics import files
from tireid.basics.files import atomic_path, remove_leftovers, temporary_directory, write_atomically


def hold(folder: Path, queue: Any) -> None:
    """Write a file and a directory, and never finish."""
    with atomic_path(folder / "a.bin") as file, temporary_directory(folder / "b") as directory:
        file.write_bytes(b"x" * 1000)
        (directory / "deep").mkdir()
        (directory / "deep" / "c.bin").write_bytes(b"y" * 2000)
        queue.put("written")
        signal.pause()


@pytest.fixture
def writer(tmp_path: Path) -> Any:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=hold, args=(tmp_path, queue), daemon=True)
    process.start()
    assert queue.get(timeout=60) == "written"
    yield process
    process.kill()
    process.join()


def test_leftovers_of_a_killed_writer_are_removed_and_those_of_a_living_one_are_not(
    writer: Any, tmp_path: Path
) -> None:
    held = {path.name for path in tmp_path.iterdir()}
    assert len(held) == 2
    assert remove_leftovers(tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == held
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    (tmp_path / ".bashrc").write_text("somebody else's")
    assert remove_leftovers(tmp_path) >= 3000
    assert [path.name for path in tmp_path.iterdir()] == [".bashrc"]


def test_an_error_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.txt", "old")

    def interrupted() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(files.os, "fsync", lambda handle: (done.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(Path, "replace", lambda self, target: (done.append("replace"), replace(self, target))[1])
    write_atomically(tmp_path / "a.txt", "new")
    assert done == ["fsync", "replace"]


def test_a_cleaner_that_comes_between_makes_the_writer_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, names = files._make_file, []

    def made_and_removed(path: Path) -> Path:
        temporary = make(path)
        names.append(temporary)
        if len(names) == 1:
            remove_leftovers(tmp_path)
        return temporary

    monkeypatch.setattr(files, "_make_file", made_and_removed)
    write_atomically(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert len(names) == 2
