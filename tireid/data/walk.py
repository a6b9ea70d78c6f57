"""The files of a folder: those that are read as pictures, those that are left out, and folders that nobody entered."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

EXTENSIONS = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Of pictures that are read, see :data:`tireid.data.images.FORMATS`, in upper or lower case."""
OTHERS = (
    *(".arw", ".cr2", ".cr3", ".dng", ".eps", ".heic", ".heif", ".ico", ".j2k", ".jxl", ".nef"),
    *(".orf", ".pcx", ".pgm", ".psd", ".raf", ".rw2", ".svg", ".tga", ".xcf"),
)
"""Of pictures that are not."""


def walk(folder: str | Path, *, recursive: bool = True) -> tuple[list[Path], list[str]]:
    """All files of a folder and, if `recursive`, of those below it; and the folders that were not entered.

    Those are links, and what cannot be listed, such as a folder that lies too deep. Hidden files and folders, and
    ``__MACOSX``, are in neither list.
    """
    files, closed, waiting = list[Path](), list[str](), [str(folder)]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                shown = [entry for entry in entries if not (entry.name.startswith(".") or entry.name == "__MACOSX")]
        except OSError:
            closed.append(place)
            continue
        for entry in shown:
            if entry.is_dir(follow_symlinks=False):
                waiting += [entry.path] * recursive
            elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112 (it may be a link to itself)
                closed += [entry.path] * recursive
            else:
                files.append(Path(entry.path))
    return files, closed


def is_picture(path: Path) -> bool:
    """Whether a file is read as a picture, by its name.

    >>> is_picture(Path("a.JPG")), is_picture(Path("a.txt"))
    (True, False)
    """
    return path.suffix.lower() in EXTENSIONS


def left_out(files: Iterable[Path]) -> str:
    """What to tell about the pictures among `files` that are not read; nothing where there are none.

    >>> left_out([Path("a.heic"), Path("b.HEIC"), Path("c.jpg"), Path("c.txt")])
    '2 pictures are of a kind that is not read (2 .heic) and are left out: save them as .jpg or .png'
    >>> left_out([Path("a.svg")])
    '1 picture is of a kind that is not read (1 .svg) and is left out: save it as .jpg or .png'
    """
    kinds = Counter(suffix for file in files if (suffix := file.suffix.lower()) in OTHERS)
    told = ", ".join(f"{count} {suffix}" for suffix, count in sorted(kinds.items()))
    several = kinds.total() > 1
    many = f"{kinds.total():,} {'pictures are' if several else 'picture is'} of a kind that is not read ({told})"
    rest = "and are left out: save them" if several else "and is left out: save it"
    return f"{many} {rest} as .jpg or .png" if kinds else ""
