"""Nearest neighbours by cosine, nearly: a graph that is walked instead of reading every feature.

Hierarchical navigable small worlds (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", 2018), from usearch. The graph holds the features as 8-bit integers; what it
finds is scored again with the gallery's own features, so scores and ties are those of the exact search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tireid.basics.extras import extra
from tireid.basics.files import atomic_path
from tireid.search.features import Floats, Ints

CONNECTIONS, BUILDING, SEARCHING, MORE = 24, 96, 192, 4
"""Neighbours of a node; candidates that are kept while building and while searching; how many times k is rescored."""
BLOCK = 1 << 16


class Graph:
    """Graphs over parts of features (N, D) of length one; made by :meth:`build` or :meth:`view`."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts

    @classmethod
    def build(cls, parts: Sequence[Tensor], on_progress: Callable[[int, int], None] | None = None) -> Graph:
        """A graph of each part (n, D), on all processors; `on_progress` is called with (done, N).

        Raises:
            MissingExtraError: usearch is missing.
        """
        graph, total = cls([_empty(part.shape[1]) for part in parts]), sum(map(len, parts))
        for index, features in zip(graph._parts, parts, strict=True):
            for begin in range(0, len(features), BLOCK):
                block = features[begin : begin + BLOCK].float().numpy()
                index.add(np.arange(begin, begin + len(block)), block)
                if on_progress is not None:
                    on_progress(len(graph), total)
        return graph

    @classmethod
    def view(cls, files: Sequence[Path], width: int) -> Graph:
        """Saved graphs, mapped into memory. Raises ValueError for a file that is none of `width` dimensions."""
        parts = [_empty(width) for _ in files]
        for file, index in zip(files, parts, strict=True):
            try:
                index.view(str(file))
            except (RuntimeError, OSError) as error:
                raise ValueError(f"{file} is no graph of {width} dimensions ({error}): remove it") from error
            index.expansion_search = SEARCHING
        return cls(parts)

    def save(self, files: Sequence[Path]) -> None:
        """Write each part to its file, unless it is there; it appears whole or not at all."""
        for file, index in zip(files, self._parts, strict=True):
            if not file.is_file():
                with atomic_path(file) as temporary:
                    index.save(str(temporary))

    def near(self, query: Floats, k: int) -> Ints:
        """Rows that are likely to hold the k best, in no order."""
        begins = np.cumsum([0, *map(len, self._parts)])
        found = [part.search(query.astype(np.float32), MORE * k).keys.astype(np.int64) for part in self._parts]
        return np.concatenate([begin + rows for begin, rows in zip(begins, found, strict=False)])

    def __len__(self) -> int:
        return sum(map(len, self._parts))


def _empty(width: int) -> Any:
    with extra("approximate"):
        from usearch.index import Index
    options: dict[str, Any] = {"connectivity": CONNECTIONS, "expansion_add": BUILDING, "expansion_search": SEARCHING}
    return Index(ndim=width, metric="cos", dtype="i8", enable_key_lookups=False, **options)
