"""Find the pictures of a folder and read them batch by batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from PIL import Image

from tireid.data.images import ImageError, Size, open_image

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


@dataclass
class Batch:
    """Pictures that were read, their paths, and those that cannot be read with the reason."""

    paths: list[Path] = field(default_factory=list)
    pictures: list[Image.Image] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def read_batches(
    paths: Sequence[Path], batch_size: int, *, size: Size | None = None, strict: bool = False
) -> Iterator[Batch]:
    """The pictures at `paths`, so many at a time, turned as their EXIF orientation says.

    `size` is the (height, width) that they will be resized to, so that a large photograph is not decoded whole.

    Raises:
        ImageError: a picture that cannot be read, where `strict`.
    """
    for begin in range(0, len(paths), batch_size):
        batch = Batch()
        for path in paths[begin : begin + batch_size]:
            try:
                batch.pictures.append(open_image(path, size, upright=True))
                batch.paths.append(path)
            except ImageError as error:
                if strict:
                    raise
                batch.unreadable.append((path, str(error).removeprefix(f"{path}: ")))
        yield batch


def _ignored(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
