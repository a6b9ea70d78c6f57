"""What is searched: pictures by rows of features, with whom they show, and the filters that choose among them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import numpy as np
import pandas as pd

from tireid.basics.arguments import COLLECTION, COUNT, PATH, ArgumentError, checked
from tireid.basics.hints import nearest
from tireid.domain import describe
from tireid.search.approximate import Graph
from tireid.search.encoder import Encoder, Float32s, OnProgress, encode
from tireid.search.features import CAMERA, Floats, Ints, normalised_rows
from tireid.search.hits import Hit, Hits
from tireid.search.index import Index, Mask
from tireid.search.likeness import Among, Likeness, Query, marked_names
from tireid.search.names import Paths
from tireid.search.query import encoded, parse, readable, unread
from tireid.search.seal import withheld_note


class Filters(TypedDict, total=False):
    """Which pictures may be found."""

    exclude: Iterable[str | Path]
    """Paths, or names as in `names`, that are not to be found, as the query's own picture; those that are not in the
    gallery do not matter."""
    person_ids: Collection[int] | None
    """Only the pictures of these people."""
    cameras: Collection[int] | None
    """Only the pictures of these cameras."""


class Searchable(ABC):
    """Pictures that are ranked for a query; :class:`~tireid.search.gallery.Gallery` makes and keeps them."""

    root: Path | None
    names: Sequence[str]
    """Per picture its path relative to `root`, with forward slashes."""
    paths: Paths
    upright: bool
    """Whether pictures are encoded, and shown, turned as their EXIF orientation says; see :attr:`Split.upright`."""
    person_ids: Ints | None
    """(N,) int64, or None where unknown"""
    cameras: list[int | None] | None
    likeness: Float32s | None
    """(N,) p-value of each picture, small where it is unlike what the model was trained on; None where unknown."""
    index: Index
    _graph: Graph | None
    _graph_files: Sequence[Path]

    @property
    @abstractmethod
    def model(self) -> Encoder:
        """What encodes queries."""

    def build_graph(self, on_progress: OnProgress | None = None) -> Self:
        """Make the graph that `search(..., approximate=True)` walks; :meth:`save` keeps it. Returns the gallery.

        Raises:
            MissingExtraError: usearch is missing; names the extra that brings it.
        """
        self._graph = Graph.build(self.index.parts, on_progress)
        return self

    @property
    def graph(self) -> Graph:
        """What :meth:`build_graph` made, or what was saved with the gallery. Raises ValueError where there is none."""
        if self._graph is None and self._graph_files and all(file.is_file() for file in self._graph_files):
            self._graph = Graph.view(self._graph_files, self.index.width)
        if self._graph is None:
            raise ValueError(
                "this gallery has no graph yet: `tireid index --graph`, or build_graph() and save() to keep it"
            )
        return self._graph

    @cached_property
    def features(self) -> Float32s:
        """(N, D) float32; a view of the stored ones, or a copy where they are float16 or in shards."""
        features: Float32s = self.index.features.float().numpy()
        return features

    def __len__(self) -> int:
        return len(self.names)

    @property
    def table(self) -> pd.DataFrame:
        """A row per picture: name, person_id, camera (missing where unknown), path (text)."""
        table = pd.DataFrame({"name": list(self.names)}, dtype=object)  # Arrow's text takes no name outside UTF-8
        table["person_id"] = pd.array([None] * len(self) if self.person_ids is None else self.person_ids, "Int64")
        table["camera"] = pd.array(self.cameras or [None] * len(self), "Int64")
        return table.assign(path=pd.Series([str(path) for path in self.paths], dtype=object))

    @checked(k=COUNT)
    def search(
        self,
        query: Any = None,
        *,
        text: str | None = None,
        image: Any = None,
        k: int = 10,
        text_weight: float = 0.5,
        person_id: int | None = None,
        approximate: bool = False,
        **filters: Unpack[Filters],
    ) -> Hits:
        """The k most similar pictures, best first; pictures of equal score by their name.

        Args:
            query: a description (str), a picture (:class:`pathlib.Path` or PIL), or a pair (description, picture).
            text: a description, instead of `query`.
            image: a picture (str or Path, PIL, array), instead of `query`. With `text`, both count: the query is
                text_weight * text + (1 - text_weight) * picture, each of length one, brought to length one again.
            k: how many; all where the gallery has fewer.
            text_weight: 0..1, used where both are given.
            person_id: whom the query describes, where known: hits are then marked as right or wrong.
            approximate: walk the graph of :meth:`build_graph`, which is faster in large galleries and finds most of
                what the exact search finds, with the same scores; a search with filters is exact.
            filters: `exclude`, `person_ids` and `cameras`, see :class:`Filters`.

        Raises:
            ValueError: no query or two, an empty description, a picture that cannot be read, k < 1, a weight outside
                0..1, filters that the gallery has no data for or that leave nothing, `approximate` without a graph.
        """
        text, image = parse(query, text, image)
        asked = encoded(self.model, text, image, text_weight, width=self.index.width)
        allowed = self.allowed(**filters)
        if approximate and allowed is None:
            rows, scores = self.index.best(asked.vector, k, self.graph.near(asked.vector, k))
            found = Hits(self._hits(rows, scores, person_id), among=len(self))
        else:
            found = self.nearest(asked.vector, k, allowed, person_id)
        return replace(self._told(found, asked, Among.of(self, allowed)), image=image)

    @checked(k=COUNT)
    def search_many(self, texts: Sequence[str], *, k: int = 10, **filters: Unpack[Filters]) -> list[Hits]:
        """:meth:`search` for each of many descriptions, which reads the features once for 64 of them."""
        for text in texts:
            parse(text=text)
        allowed = self.allowed(**filters)
        among, found = Among.of(self, allowed), list[Hits]()
        for begin in range(0, len(texts), 64):
            part = list(texts[begin : begin + 64])
            features = encode(self.model.encode_texts, [readable(text) for text in part], batch_size=64)
            vectors = normalised_rows(features, "text features")
            for text, vector, answer in zip(part, vectors, self.index.search_many(vectors, k, allowed), strict=True):
                hits = Hits(self._hits(*answer, None), among=among.total)
                found.append(self._told(hits, Query(vector, text, vector), among))
        return found

    def _told(self, found: Hits, query: Query, among: Among) -> Hits:
        """What was found, with what the model's domain says of it."""
        marked = marked_names(self, np.array([hit.row for hit in found], np.int64))
        likeness = Likeness.told(self.model, query, among, marked, len(found), found[0].score)
        domain = describe(self.model) if hasattr(self.model, "domain") else ""
        notes = (*unread(self.model, query.text), *likeness.notes, *withheld_note(hit.path for hit in found))
        return replace(found, text=query.text, notes=notes, domain=domain)

    def nearest(self, vector: Floats, k: int, allowed: Mask | None = None, person_id: int | None = None) -> Hits:
        """As :meth:`search`, with a query (D,) of length one and a mask (N,) of the pictures that may be found.

        Scores are float64 cosines with the features (N, D); without `allowed` every picture may be found.
        """
        rows, scores = self.index.search(vector, k, allowed)
        first = None
        if self.person_ids is not None and person_id is not None:
            first = self.index.first(vector, self.person_ids == person_id, rows, allowed)
        among = len(self) if allowed is None else int(allowed.sum())
        return Hits(self._hits(rows, scores, person_id), among=among, first_right=first)

    def _hits(self, rows: Ints, scores: Floats, person_id: int | None) -> tuple[Hit, ...]:
        pairs = enumerate(zip(rows, scores, strict=True), start=1)
        return tuple(self.hit(rank, int(row), score, person_id) for rank, (row, score) in pairs)

    def hit(self, rank: int, row: int, score: float | None, person_id: int | None = None) -> Hit:
        """A picture with what the gallery knows of it; right or wrong where `person_id` is wanted."""
        shown = None if self.person_ids is None else int(self.person_ids[row])
        return Hit(
            rank,
            self.paths[row],
            self.names[row],
            None if score is None else float(score),
            shown,
            None if shown is None or person_id is None else shown == person_id,
            camera=None if self.cameras is None else self.cameras[row],
            row=int(row),
            upright=self.upright,
        )

    def allowed(self, **filters: Unpack[Filters]) -> Mask | None:
        """(N,) which pictures the filters leave; None for all.

        Raises:
            ValueError: filters that the gallery has no data for or that leave nothing.
        """
        check_names(filters)
        unwanted = names_of(filters.get("exclude", ()))
        allowed = np.ones(len(self), np.bool_)
        if unwanted:
            pairs = zip(self.names, self.paths, strict=True)
            allowed &= np.array([name not in unwanted and str(path) not in unwanted for name, path in pairs])
        known: tuple[tuple[str, Sequence[int | None] | Ints | None, Collection[int] | None], ...] = (
            ("person_ids", self.person_ids, filters.get("person_ids")),
            ("cameras", self.cameras, filters.get("cameras")),
        )
        for word, own, wanted in known:
            if wanted is not None and own is None:
                raise ValueError(f"this gallery has no {word}, so it cannot be searched by them")
            if wanted is not None and own is not None:
                chosen = {CAMERA(f"each of {word}", value) for value in COLLECTION(word, wanted)}
                allowed &= np.array([value in chosen for value in own])
        if not allowed.any():
            raise ValueError("no picture is left: the filters exclude all of them")
        return None if allowed.all() else allowed


def names_of(paths: str | Path | Iterable[str | Path]) -> set[str]:
    """One path, or several, as text."""
    several = [paths] if isinstance(paths, str | Path) else COLLECTION("exclude", paths)
    return {str(PATH("each of exclude", path)) for path in several}


def check_names(filters: Filters) -> None:
    """Raise ArgumentError for a filter that there is not, so that a mistyped one does not let everything pass."""
    for name in filters.keys() - Filters.__annotations__.keys():
        raise ArgumentError(f"there is no filter {name!r}; {nearest(name, Filters.__annotations__)}")
