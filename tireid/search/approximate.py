"""Nearest neighbours by cosine, nearly: a graph that is walked instead of reading every feature.

Hierarchical navigable small worlds (Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", 2018), from usearch. The graph holds the features as 8-bit integers; what it
finds is scored again with the gallery's own features, so scores and ties are those of the exact search.
"""

from __future__ import annotations

from collections.abc import Callable
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
    """A graph over features (N, D) of length one; made by :meth:`build` or :meth:`view`."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def build(cls, features: Tensor, on_progress: Callable[[int, int], None] | None = None) -> Graph:
        """The graph of features (N, D), on all processors; `on_progress` is called with (done, N).

        Raises:
            MissingExtraError: usearch is missing.
        """
        graph = cls(_empty(features.shape[1]))
        for begin in range(0, len(features), BLOCK):
            part = features[begin : begin + BLOCK].float().numpy()
            graph._index.add(np.arange(begin, begin + len(part)), part)
            if on_progress is not None:
                on_progress(begin + len(part), len(features))
        return graph

    @classmethod
    def view(cls, file: Path, width: int) -> Graph:
        """A saved graph, mapped into memory. Raises ValueError for a file that is none of `width` dimensions."""
        index = _empty(width)
        try:
            index.view(str(file))
        except (RuntimeError, OSError) as error:
            raise ValueError(f"{file} is no graph of {width} dimensions ({error}): remove it") from error
        index.expansion_search = SEARCHING
        return cls(index)

    def save(self, file: Path) -> None:
        """Write it; the file appears whole or not at all."""
        with atomic_path(file) as temporary:
            self._index.save(str(temporary))

    def near(self, query: Floats, k: int) -> Ints:
        """Rows that are likely to hold the k best, in no order."""
        found = self._index.search(query.astype(np.float32), MORE * k)
        rows: Ints = np.asarray(found.keys, np.int64)
        return rows

    def __len__(self) -> int:
        return len(self._index)


def _empty(width: int) -> Any:
    with extra("approximate"):
        from usearch.index import Index
    options: dict[str, Any] = {"connectivity": CONNECTIONS, "expansion_add": BUILDING, "expansion_search": SEARCHING}
    return Index(ndim=width, metric="cos", dtype="i8", enable_key_lookups=False, **options)
