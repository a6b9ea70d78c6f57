"""Files and folders that are whole or absent: written under a temporary name beside their own, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; what was written there takes its name when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes.

    >>> import tempfile; folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "a.txt", "ä")
    >>> (folder / "a.txt").read_text(encoding="utf-8")
    'ä'
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: str | Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of JSON values, indented."""
    write_atomically(path, json.dumps(tree, indent=2) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """Read what :func:`write_json` wrote."""
    tree: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return tree


def replace_directory(target: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill an empty directory beside `target`, which then takes its place."""
    fresh, old = target.with_name(target.name + ".new"), target.with_name(target.name + ".old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def read_regular(path: str | Path, limit: int) -> bytes:
    """The bytes of a stranger's file.

    Raises OSError if it is absent, not a regular file (reading a pipe would wait for ever) or has more than `limit`
    bytes; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no regular file at {path}")
    size = path.stat().st_size
    if size > limit:
        raise OSError(f"{path} has {size:,} bytes, expected at most {limit:,}; it is not the file it should be")
    return path.read_bytes()
