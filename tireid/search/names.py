"""Names of pictures that are made when they are asked for: a million of them cost no object before they are shown."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TypeVar, overload

import numpy as np
import torch
from torch import Tensor

T = TypeVar("T")


class Lazy(Sequence[T]):
    """A sequence whose items are made one by one; it equals another sequence of the same items."""

    @abstractmethod
    def _item(self, row: int) -> T:
        """Of a row from 0 to the length less one."""

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        rows = range(len(self))[place]
        return self._item(rows) if isinstance(rows, int) else [self._item(row) for row in rows]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self)) if len(self) <= 20 else f"[{', '.join(map(repr, self[:20]))}, ... {len(self)} in all]"


class Packed(Lazy[str]):
    """Texts in one run of UTF-8; each is decoded when it is asked for.

    Args:
        text: (bytes,) uint8.
        ends: (N,) int64, where each text ends.

    >>> names = Packed.of(["a.jpg", "ü"])
    >>> names[1], len(names), names == ["a.jpg", "ü"]
    ('ü', 2, True)
    """

    def __init__(self, text: Tensor, ends: Tensor) -> None:
        self.text, self.ends = text, ends
        self._text, self._ends = text.numpy(), ends.numpy()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Packed:
        """Pack texts; file names that are not UTF-8 keep their bytes."""
        encoded = [text.encode("utf-8", "surrogateescape") for text in texts]
        text = torch.frombuffer(bytearray(b"".join([*encoded, b"\0"])), dtype=torch.uint8)  # which takes no empty one
        ends = np.cumsum([len(part) for part in encoded], dtype=np.int64)
        return cls(text[:-1], torch.from_numpy(ends))

    def _item(self, row: int) -> str:
        begin = self._ends[row - 1] if row else 0
        return self._text[begin : self._ends[row]].tobytes().decode("utf-8", "surrogateescape")

    def __len__(self) -> int:
        return len(self._ends)


class Joined(Lazy[T]):
    """Sequences one after another; none is copied.

    >>> Joined(["ab", "", "c"])[1:]
    ['b', 'c']
    """

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts, self._ends = parts, list(accumulate(map(len, parts)))

    def _item(self, row: int) -> T:
        part = bisect_right(self._ends, row)
        return self._parts[part][row - self._ends[part]]  # counted from the end of the part

    def __len__(self) -> int:
        return self._ends[-1]


class Paths(Lazy[Path]):
    """Names under a root as paths, each made by `path_of`."""

    def __init__(self, root: Path | None, names: Sequence[str], path_of: Callable[[Path | None, str], Path]) -> None:
        self._root, self._names, self._path_of = root, names, path_of

    def _item(self, row: int) -> Path:
        return self._path_of(self._root, self._names[row])

    def __len__(self) -> int:
        return len(self._names)


def beneath(root: Path | None, name: str) -> Path:
    """The path of a name that may lead anywhere.

    >>> beneath(Path("d"), "a.jpg").as_posix(), beneath(None, "a.jpg").as_posix()
    ('d/a.jpg', 'a.jpg')
    """
    return (root or Path()) / name
