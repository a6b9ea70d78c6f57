"""A file is whole or absent; what a killed writer leaves is found, what a living one writes is left alone."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError

from tireid.basics import files
from tireid.basics.files import (
    atomic_path,
    read_json,
    recover_directory,
    remove_leftovers,
    replace_directory,
    temporary_directory,
    writable,
    write_atomically,
)
from tireid.basics.yaml import read_yaml
from tireid.runner.notebook import read_notebook


def hold(folder: Path, queue: Any) -> None:
    """Write a file as safetensors does, by a name of its own, and a directory, and never finish."""
    with atomic_path(folder / "a.bin") as file, temporary_directory(folder / "b") as directory:
        file.with_name(".tmpXYZ").write_bytes(b"x" * 1000)
        file.with_name(".tmpXYZ").rename(file)
        file.with_name(".tmpZYX").write_bytes(b"x" * 1000)
        (directory / "deep").mkdir()
        (directory / "deep" / "c.bin").write_bytes(b"y" * 2000)
        queue.put("written")
        signal.pause()


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    told = {"file": "file is no folder", "file/deep/below": "file is no folder", "gone": "gone is no folder"}
    told |= {"x" * 300: "name too long", f"a/b/{'x' * 300}": "name too long"}
    for name, reason in told.items():
        with pytest.raises(OSError, match=f"(?i)cannot be written: .*{reason}; name another place$"):
            writable(tmp_path / name)
    for name in ("file/below", "gone/below", "x" * 250):  # as a temporary file's name, the last is too long
        with pytest.raises(OSError, match="cannot be written: "):
            writable(tmp_path / name, folder=False)
    with pytest.raises(OSError, match="it is a folder, expected a file"):
        writable(tmp_path, folder=False)
    with pytest.raises(OSError, match="cannot be written: 1500 folders of it are missing, expected at most 100; name"):
        writable(f"{tmp_path}{1500 * '/a'}")
    for path, folder in ((tmp_path, True), (tmp_path / "a/b", True), (tmp_path / "file", False), (Path("new"), True)):
        assert writable(path, folder=folder) == path
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "precious"


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
    assert all((path / name).exists() for path, name in zip(sorted(tmp_path.iterdir()), ("a.bin", "deep"), strict=True))
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    (tmp_path / ".bashrc").write_text("somebody else's")
    assert remove_leftovers(tmp_path) >= 4000
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


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, error: Exception) -> None:
    """Neither a write nor safetensors tells the name of what they could not write."""
    path = tmp_path / "features"
    path.write_bytes(b"before")
    with pytest.raises(OSError, match="No space left on device; free some") as told, atomic_path(path):
        raise error
    assert told.value.filename == str(path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


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
    make, names = files._make_directory, []

    def made_and_removed(path: Path) -> Path:
        temporary = make(path)
        names.append(temporary)
        if len(names) == 1:
            remove_leftovers(tmp_path)
        return temporary

    monkeypatch.setattr(files, "_make_directory", made_and_removed)
    write_atomically(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert len(names) == 2


def two_halves(text: str, folder: Path) -> None:
    (folder / "a").write_text(text)
    (folder / "b").write_text(text)


def content(folder: Path) -> tuple[str, str]:
    return (folder / "a").read_text(), (folder / "b").read_text()


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "best"
    replace_directory(target, lambda folder: two_halves("old", folder))

    def fail(folder: Path) -> None:
        (folder / "a").write_text("new")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        replace_directory(target, fail)
    assert content(target) == ("old", "old")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_kill_between_the_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "best"
    replace_directory(target, lambda folder: two_halves("old", folder))
    rename = Path.rename

    def killed(path: Path, other: Path) -> Path:
        if path.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", killed)
    monkeypatch.setattr(files.shutil, "rmtree", lambda *_, **__: None)  # a killed process cleans up nothing
    with pytest.raises(KeyboardInterrupt):
        replace_directory(target, lambda folder: two_halves("new", folder))
    monkeypatch.undo()
    assert not target.exists()
    recover_directory(target)
    assert content(target) == ("old", "old")
    replace_directory(target, lambda folder: two_halves("newer", folder))
    assert content(target) == ("newer", "newer")


def test_a_previous_one_that_vanishes_while_it_is_looked_for_is_none(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Path, "glob", lambda folder, _: iter([folder / ".best.old-gone"]))
    recover_directory(tmp_path / "best")
    assert not (tmp_path / "best").exists()


def test_a_directory_that_comes_and_goes_between_two_looks_is_no_error(tmp_path: Path, monkeypatch) -> None:
    """Another writer's stood there at the rename, and a third one has moved it away before it is looked for."""
    target, rename = tmp_path / "best", Path.rename
    taken = [OSError(errno.ENOTEMPTY, "Directory not empty")]

    def renamed(path: Path, other: Path) -> Path:
        if other == target and taken:
            raise taken.pop()
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", renamed)
    replace_directory(target, lambda folder: two_halves("new", folder))
    assert not taken
    assert content(target) == ("new", "new")


def test_of_many_writers_one_stays_whole(tmp_path: Path) -> None:
    target = tmp_path / "best"
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            for _ in range(30):
                replace_directory(target, lambda folder: two_halves(name, folder))
        except BaseException as error:  # reported below, in the main thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    first, second = content(target)
    assert first == second
    assert first in {"x", "y", "z"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[1]", "null", "\x00"])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    write_atomically(tmp_path / "progress.json", text)
    with pytest.raises(ValueError, match=r"progress\.json"):
        read_json(tmp_path / "progress.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.timeout(60)
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe.json")
    for read in (read_json, read_yaml, read_notebook):
        with pytest.raises((OSError, ValueError), match=f"{pipe} is no regular file"):
            read(pipe)
