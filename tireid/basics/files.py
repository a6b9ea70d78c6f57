"""Files and folders that are whole or absent: written under a temporary name beside their own, then renamed.

A temporary file or directory is locked while its writer lives. So what a killed writer left can be told from what
another one is still writing, and :func:`remove_leftovers` removes only the former.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

try:
    import fcntl
except ImportError:  # not on Windows: there, what is older than a day counts as abandoned
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"
DEEPEST = 100
"""New folders in each other. Python makes them by a function that calls itself, which ends at a thousand."""
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
"""A directory cannot be renamed to one that has content."""
FULL = (errno.ENOSPC, errno.EDQUOT)
"""No space left on the disk, or of what the user may have."""


def _make_locked(path: Path, make: Callable[[Path], Path]) -> tuple[Path, int | None]:
    """A fresh temporary file or directory beside `path`, and the handle that locks it; None without locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        return make(path), None
    while True:
        temporary = make(path)
        try:
            handle = os.open(temporary, os.O_RDONLY)
        except FileNotFoundError:  # remove_leftovers came between
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if temporary.exists():
            return temporary, handle
        os.close(handle)


@contextmanager
def _names_what_is_full(path: Path) -> Iterator[None]:
    """A write that fails tells no name: of a full disk, it is the file or folder that could not be made."""
    try:
        yield
    except Exception as error:  # safetensors has its own kind
        full = next((code for code in FULL if os.strerror(code) in str(error)), None)
        if full is None or getattr(error, "filename", None) == str(path):
            raise
        raise OSError(full, f"{os.strerror(full)}; free some and do the same again", str(path)) from error


@contextmanager
def _held(path: Path, make: Callable[[Path], Path]) -> Iterator[Path]:
    """A temporary file or directory, locked until the block ends, and then gone, unless renamed."""
    with _names_what_is_full(path):
        temporary, handle = _make_locked(path, make)
    try:
        with _names_what_is_full(path):
            yield temporary
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def _make_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent)
    os.close(handle)
    return Path(name)


def _make_directory(path: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SUFFIX, dir=path.parent))


def temporary_file(path: str | Path) -> AbstractContextManager[Path]:
    """An empty file beside `path`, to be written and put in its place; gone when the block ends, unless renamed."""
    return _held(Path(path), _make_file)


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a finished file.

    The content reaches the disk before the name does, so that a power cut leaves the old file or the new one.
    """
    temporary.chmod(0o644)
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "cannot be written: it is a folder, expected a file", str(path))
    temporary.replace(path)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path near `path`; what was written there takes its name when the block ends without an error.

    It lies in a locked directory of its own: safetensors writes under a name that it invents, and renames that.
    """
    with temporary_directory(path) as folder:
        temporary = folder / Path(path).name
        yield temporary
        put_in_place(temporary, Path(path))


def temporary_directory(path: str | Path) -> AbstractContextManager[Path]:
    """An empty directory beside `path`, to be filled and renamed to it; gone when the block ends, unless renamed."""
    return _held(Path(path), _make_directory)


def remove_leftovers(folder: str | Path, *, dry_run: bool = False) -> int:
    """Remove the temporary files and directories that killed writers left in `folder`; returns how many bytes.

    What somebody is still writing stays, and with `dry_run` everything. A folder that does not exist has none.

    >>> remove_leftovers("/nowhere")
    0
    """
    freed = 0
    for path in Path(folder).glob(f".*{_SUFFIX}"):
        with suppress(OSError):  # another process may be removing it too
            freed += _remove_if_abandoned(path, dry_run)
    return freed


def _remove_if_abandoned(path: Path, dry_run: bool) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if fcntl else None  # a pipe would wait for ever
    try:
        if handle is None:
            if time.time() - path.stat().st_mtime < 86_400:
                return 0
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its writer lives
        size = sum(part.lstat().st_size for part in [path, *path.rglob("*")])
        if not dry_run:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return size
    finally:
        if handle is not None:
            os.close(handle)


def writable(path: str | Path, *, folder: bool = True) -> Path:
    """`path`, a folder or a file to be written: to be asked before the work, not after it. Nothing is left there.

    Raises OSError naming what is in the way: a file where a folder should be, or the reverse, a name that is too long,
    a place that cannot be written.

    >>> writable("/dev/null/runs")
    Traceback (most recent call last):
        ...
    OSError: /dev/null/runs cannot be written: /dev/null is no folder; name another place
    """
    path = Path(path)
    try:
        if not folder and path.is_dir():
            raise IsADirectoryError(None, "it is a folder, expected a file")
        places = (path, *path.absolute().parents)[not folder :]
        there = next(place for place in places if place.is_symlink() or place.exists())
        if not there.is_dir():
            raise NotADirectoryError(None, f"{there} is no folder")
        if (missing := places.index(there)) > DEEPEST:
            raise OSError(None, f"{missing} folders of it are missing, expected at most {DEEPEST}")
        with temporary_file(there / ("new" if there == path else path.name)):
            return path
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}; name another place") from None


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "a.txt", "ä")
    >>> (folder / "a.txt").read_text(encoding="utf-8")
    'ä'
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index; bytes of file names that are no UTF-8 become escapes."""
    write_atomically(path, table.to_csv(index=False, lineterminator="\n").encode("utf-8", "backslashreplace"))


def write_json(path: str | Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of JSON values, indented."""
    write_atomically(path, json.dumps(tree, indent=2) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote. Raises ValueError naming a file that holds something else."""
    try:
        tree = json.loads(read_regular(path))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it, or bring it back from a copy") from None
    if not isinstance(tree, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, got {type(tree).__name__}")
    return tree


def file_digest(path: str | Path) -> str:
    """BLAKE2b of a file's bytes, 32 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def flush(path: str | Path) -> None:
    """Have the system write a file or a directory's list of names to the disk: a rename must not overtake its content.

    A system that cannot flush a directory is left alone.
    """
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # directories, on Windows
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def flush_tree(folder: str | Path) -> None:
    """Flush every file and directory below `folder`, and `folder`."""
    for path in Path(folder).rglob("*"):
        flush(path)
    flush(folder)


def replace_directory(target: str | Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill an empty directory beside `target`, which then takes its place.

    If `write` raises, `target` is as before. Of several writers at once the last one stays, whole. A process that is
    killed between the two renames leaves no `target`, but what was there beside it: see :func:`recover_directory`.
    """
    target = Path(target)
    recover_directory(target)
    with temporary_directory(target) as fresh:
        write(fresh)
        fresh.chmod(0o755)
        flush_tree(fresh)
        old = swap_directory(fresh, target)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)


def swap_directory(fresh: Path, target: Path) -> Path | None:
    """Rename `fresh` to `target`; returns the hidden name under which the previous one now lies, if there was one."""
    old = None
    while True:
        if target.is_dir():
            old = fresh.with_name(f".{target.name}.old-{fresh.name}")
            shutil.rmtree(old, ignore_errors=True)
            with suppress(FileNotFoundError):  # another writer was faster
                target.rename(old)
        try:
            fresh.rename(target)
        except OSError as error:
            if error.errno not in TAKEN and not target.is_dir():
                raise
            continue  # another writer's has come in between: it is the previous one now, or has been replaced already
        flush(target.parent)
        return old


def recover_directory(target: str | Path) -> None:
    """If `target` is missing because a writer was killed between two renames, bring the previous one back."""
    target = Path(target)
    if target.exists():
        return
    with suppress(OSError):  # another process has just done it, or its writer has removed what it replaced
        previous = sorted(target.parent.glob(f".{target.name}.old-*"), key=lambda path: path.stat().st_mtime)
        if previous:
            previous[-1].rename(target)


def read_regular(path: str | Path, limit: int = 2**30) -> bytes:
    """The bytes of a stranger's file.

    Raises OSError if it is absent, not a regular file (reading a pipe would wait for ever) or has more than `limit`
    bytes; the message names it.
    """
    path = Path(path)
    size = path.stat().st_size
    if not path.is_file():
        raise OSError(f"{path} is no regular file")
    if size > limit:
        raise OSError(f"{path} has {size:,} bytes, expected at most {limit:,}; it is not the file it should be")
    return path.read_bytes()


def utf8_json(content: bytes) -> bytes:
    """JSON as pydantic reads it: without the byte order mark that editors add, and from UTF-16.

    >>> utf8_json("{}".encode("utf-16")), utf8_json("{}".encode("utf-8-sig"))
    (b'{}', b'{}')
    """
    encoding = json.detect_encoding(content)
    return content if encoding == "utf-8" else content.decode(encoding, "replace").encode()
