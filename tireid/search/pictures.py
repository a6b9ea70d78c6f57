"""Find the pictures of a folder and read them batch by batch."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor

from tireid.basics.arguments import COUNT, WHOLE, Kind, checked
from tireid.basics.terminal import printable
from tireid.data.images import ImageError, load_image, open_image
from tireid.data.walk import EXTENSIONS, is_picture, left_out, walk

THREADS = min(8, os.cpu_count() or 1)


class Which(TypedDict, total=False):
    """Which pictures of a folder are meant; without anything, all."""

    recursive: bool
    """Also those in the folders below, which is so unless told otherwise."""
    patterns: Sequence[str] | str
    """Shell patterns, of which the path relative to the folder or the file name must match one."""
    share: tuple[int, int]
    """(i, n): the i-th of n shares, from 0. A picture's name tells its share, whatever else is in the folder."""


def _patterns(value: Any) -> list[str]:
    several = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(pattern, str) for pattern in several):
        raise TypeError
    return several


def _share(value: Any) -> tuple[int, int]:
    shard, of = value
    if not 0 <= WHOLE.read(shard) < COUNT.read(of):
        raise ValueError
    return shard, of


@checked(
    patterns=Kind("a shell pattern, or a list of them", _patterns),
    share=Kind("(i, n), the i-th of n shares, from 0", _share),
)
def find_pictures(
    folder: str | Path,
    *,
    recursive: bool = True,
    patterns: Sequence[str] | str = "*",
    share: tuple[int, int] = (0, 1),
) -> list[Path]:
    """Pictures in a folder, sorted by path; hidden files and folders and ``__MACOSX`` are ignored.

    Args:
        folder: where to look; one warning counts the folders below that are links, which are not followed, or that
            cannot be listed, another one the pictures of kinds that are not read.
        recursive: see :class:`Which`.
        patterns: see :class:`Which`.
        share: see :class:`Which`.

    Raises:
        NotADirectoryError: no such folder.
        FileNotFoundError: no picture in it; names the accepted extensions.
    """
    root = Path(folder)
    if not os.path.isdir(root):  # noqa: PTH112 (Path's raises for a name that is too long)
        raise NotADirectoryError(f"{printable(root)} is not a folder; name the folder that holds the pictures")
    wanted, (shard, of) = [patterns] if isinstance(patterns, str) else patterns, share
    files, closed = walk(root, recursive=recursive)
    named = [(path.relative_to(root).as_posix(), path) for path in files]
    asked = [(name, path) for name, path in named if any(_matches(name, pattern) for pattern in wanted)]
    found = [(name, path) for name, path in asked if is_picture(path) and (of == 1 or share_of(name, of) == shard)]
    if closed:
        warnings.warn(
            f"{root}: {len(closed)} of the folders are not searched, since they are links or cannot be listed; the "
            f"first is {printable(min(closed))}: put the folder itself there, or index it on its own",
            stacklevel=3,
        )
    others = left_out(path for _, path in asked)
    if others:
        warnings.warn(f"{printable(root)}: {others}", stacklevel=3)
    if not found:
        below = " or the folders below it" if recursive else ""
        matching = "" if wanted == ["*"] else f" that match {wanted}"
        raise FileNotFoundError(f"no pictures{matching} in {root}{below}; accepted are {', '.join(EXTENSIONS)}")
    return [path for _, path in sorted(found)]


def _matches(relative: str, pattern: str) -> bool:
    return fnmatchcase(relative, pattern) or fnmatchcase(relative.rpartition("/")[2], pattern)


def share_of(name: str, of: int) -> int:
    """Which of so many shares, from 0, the picture of that name, relative to its folder, belongs to."""
    return _number(os.fsencode(name)) % of


@dataclass
class Batch:
    """Pictures that were read, their paths and stamps, and those that cannot be read with the reason."""

    paths: list[Path] = field(default_factory=list)
    pictures: list[Any] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def images(self) -> Any:
        """What a model encodes: one tensor (B, 3, H, W) where the pictures have the model's size already."""
        return torch.stack(self.pictures) if isinstance(self.pictures[0], Tensor) else self.pictures


def read_batches(
    paths: Sequence[Path],
    batch_size: int,
    size: tuple[int, int] | None = None,
    *,
    strict: bool = False,
    known: Set[Path] = frozenset(),
) -> Iterator[Batch]:
    """The pictures at `paths`, so many at a time; the next ones are read while the caller works on these.

    Each is brought to `size` (height, width) as soon as it is read, so that large photographs take no memory; without
    it they are PIL pictures of their own size. Those in `known` are left out of the batches that they would be in: what
    a model makes of a picture depends, in the last digits, on the number of pictures in its batch.

    Raises:
        ImageError: a picture that cannot be read, where `strict`.
    """
    whole = (paths[begin : begin + batch_size] for begin in range(0, len(paths), batch_size))
    parts = [part for batch in whole if (part := [path for path in batch if path not in known])]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="pictures") as threads:

        def ask(number: int) -> list[Future[tuple[Any, int]]]:
            return [threads.submit(_read, path, size) for part in parts[number : number + 1] for path in part]

        coming = ask(0)
        for following, part in enumerate(parts, start=1):
            asked, coming = coming, ask(following)
            batch = Batch()
            for path, answer in zip(part, asked, strict=True):
                try:
                    picture, stamp = answer.result()
                except ImageError as error:
                    if strict:
                        raise
                    batch.unreadable.append((path, str(error).removeprefix(f"{path}: ")))
                else:
                    batch.paths.append(path)
                    batch.pictures.append(picture)
                    batch.stamps.append(stamp)
            yield batch


def stamp_of(path: Path) -> int:
    """A number that changes when a file does: of its length and the time of its last change; 0 where there is none."""
    try:
        told = path.stat()
    except OSError:
        return 0
    return _number(f"{told.st_mtime_ns} {told.st_size}".encode())


def _number(content: bytes) -> int:
    """64 bits, with a sign, that are the same for the same bytes everywhere."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)


def _read(path: Path, size: tuple[int, int] | None) -> tuple[Any, int]:
    stamp = stamp_of(path)  # before it is read: a change in the meantime is noticed by the next update
    upright = True  # photographs of one's own
    return open_image(path, upright=upright) if size is None else load_image(path, size, upright=upright), stamp
