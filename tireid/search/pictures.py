"""Find the pictures of a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Accepted file names, in upper or lower case."""


def find_pictures(folder: str | Path, *, recursive: bool = True, patterns: Sequence[str] | str = "*") -> list[Path]:
    """Pictures in a folder, sorted by path; hidden files and folders and ``__MACOSX`` are ignored.

    Args:
        folder: where to look; links to other folders are not followed.
        recursive: also in the folders below.
        patterns: shell patterns, of which the path relative to `folder` or the file name must match one.

    Raises:
        NotADirectoryError: no such folder.
        FileNotFoundError: no picture in it; names the accepted extensions.
    """
    root = Path(folder)
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    found = []
    for place, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not _ignored(name)] if recursive else []
        for name in files:
            path = Path(place, name)
            relative = path.relative_to(root).as_posix()
            if path.suffix.lower() not in EXTENSIONS or _ignored(name):
                continue
            if any(fnmatchcase(relative, pattern) or fnmatchcase(name, pattern) for pattern in wanted):
                found.append((relative, path))
    if not found:
        below = " or the folders below it" if recursive else ""
        matching = "" if wanted == ["*"] else f" that match {wanted}"
        raise FileNotFoundError(f"no pictures{matching} in {root}{below}; accepted are {', '.join(EXTENSIONS)}")
    return [path for _, path in sorted(found)]


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
