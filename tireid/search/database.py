"""A gallery in a vector database, which keeps its index on disk or in object storage: LanceDB.

It answers the same :meth:`~Database.search` as a gallery does. What the database finds is scored again in float64, so
scores and the order of ties are those of the gallery. `uri` is a folder here, or a bucket such as ``s3://bucket/people``
that many machines read: the calls are the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, Unpack

import numpy as np

from tireid.basics.arguments import COLLECTION, COUNT, checked
from tireid.basics.extras import require
from tireid.domain import describe
from tireid.domain.conformal import FALSE_ALARMS
from tireid.search.encoder import Encoder
from tireid.search.features import CAMERA, Floats
from tireid.search.hits import Hit, Hits
from tireid.search.index import Index
from tireid.search.likeness import Among, Likeness
from tireid.search.query import encoded, parse, unread
from tireid.search.saved import Saved, check_model, named_model
from tireid.search.seal import is_sealed, opened, withheld_note
from tireid.search.searchable import Filters, check_names, names_of
from tireid.search.storage import GalleryError, Header

TABLE, KEY = "pictures", b"tireid.gallery"
MORE, WALKED = 4, 192
"""How many times k is fetched to be scored again; candidates that are kept while the graph is walked."""


class Database:
    """Pictures in a table of LanceDB; made by :meth:`export` or :meth:`open`.

    >>> Database.export(gallery, "people.lance").build_index()              # doctest: +SKIP
    >>> Database.open("people.lance").search("a man in red", k=5)           # doctest: +SKIP
    """

    def __init__(self, table: Any, model: Encoder | None = None, *, root: str | Path | None = None) -> None:
        self._table, self._model = table, model
        try:
            self._header = Header.model_validate(json.loads((table.schema.metadata or {})[KEY]))
        except (KeyError, ValueError) as error:
            raise GalleryError(f"the table {table.name!r} was not written by Database.export ({error!r})") from error
        place = self._header.root if root is None and is_sealed(self._header.seal, self._header.root, None) else root
        self.root = None if place is None else Path(place)
        if model is not None:
            check_model(model, self._header, Path(table.name))

    @classmethod
    def export(cls, gallery: Saved, uri: str | Path, **options: Any) -> Self:
        """Write a gallery, in shards or not, as the table ``pictures``; one that is there is replaced.

        `options` are those of ``lancedb.connect``, such as `storage_options` with the access to a bucket.

        Raises:
            MissingExtraError: lancedb is missing; names the extra that brings it.
        """
        arrow = require("pyarrow", "database")
        kinds = {"person_id": arrow.int64(), "camera": arrow.int64(), "likeness": arrow.float32()}
        fields = [("name", arrow.binary()), ("vector", arrow.list_(arrow.float32(), gallery.index.width))]
        fields += [(name, kinds[name]) for name, values in _known(gallery).items() if values is not None]
        schema = arrow.schema(fields, metadata={KEY: gallery.header("").model_dump_json().encode()})
        database = require("lancedb", "database").connect(uri, **options)
        made = database.create_table(TABLE, data=_batches(gallery, schema), schema=schema, mode="overwrite")
        return cls(made, gallery._model)

    @classmethod
    def open(
        cls, uri: str | Path, model: Encoder | None = None, *, root: str | Path | None = None, **options: Any
    ) -> Self:
        """What :meth:`export` wrote; without `model` the one that it names is loaded at the first query.

        Others may write rows into a table. So only pictures below its folder are opened, links followed; of a table
        that this user did not make here, those below `root`.

        Raises:
            FileNotFoundError: no such table there.
            GalleryError: it is of another model, or not a gallery.
        """
        database = require("lancedb", "database").connect(uri, **options)
        try:
            return cls(database.open_table(TABLE), model, root=root)
        except (ValueError, FileNotFoundError) as error:
            if isinstance(error, GalleryError):
                raise
            raise FileNotFoundError(f"{uri} holds no table {TABLE!r}: write it with Database.export") from error

    def build_index(self) -> Self:
        """Make the graph that `search` walks: until then it reads every vector. Returns the database."""
        kinds = require("lancedb.index", "database")
        self._table.create_index("vector", config=kinds.HnswSq(distance_type="cosine", num_partitions=1), replace=True)
        return self

    @property
    def model(self) -> Encoder:
        """What encodes queries. Raises GalleryError where it is not known or not here."""
        if self._model is None:
            self._model = named_model(self._header)
        return self._model

    def __len__(self) -> int:
        return int(self._table.count_rows())

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
        approximate: bool = True,
        **filters: Unpack[Filters],
    ) -> Hits:
        """As :meth:`tireid.Gallery.search`; without `approximate`, every vector is read.

        Of more than 4 k pictures that are equally near, the database chooses which compete. It does not count people,
        so that perhaps nobody fits is told less often than by a gallery that knows them.
        """
        text, image = parse(query, text, image)
        where, unwanted = self._where(filters), names_of(filters.get("exclude", ()))
        width = self._table.schema.field("vector").type.list_size
        query = encoded(self.model, text, image, text_weight, width=width)
        near = self._table.search(query.vector.astype(np.float32)).distance_type("cosine")
        asked = near.limit(MORE * k + len(unwanted))
        asked = asked.ef(max(WALKED, MORE * k + len(unwanted))) if approximate else asked.bypass_vector_index()
        found = [self._picture(row) for row in (asked if where is None else asked.where(where)).to_list()]
        found = [row for row in found if row["name"] not in unwanted and str(row["path"]) not in unwanted]
        if not found:
            raise ValueError("no picture is left: the filters exclude all of them")
        domain = describe(self.model) if hasattr(self.model, "domain") else ""
        hits, among = _best(found, query.vector, k, person_id, self._header.upright), self._among(where)
        unlike = {row["name"] for row in found if row.get("likeness", 1.0) <= FALSE_ALARMS}
        marked = [hit.name for hit in hits if hit.name in unlike]
        notes = Likeness.told(self.model, query, among, marked, len(hits), hits[0].score).notes
        notes = (*unread(self.model, text), *notes, *withheld_note(hit.path for hit in hits))
        return Hits(hits, text, image, among=among.total, notes=notes, domain=domain)

    def _among(self, where: str | None) -> Among:
        """The pictures that take part."""
        total, marked = int(self._table.count_rows(where)), f"likeness <= {FALSE_ALARMS}"
        if "likeness" not in self._table.schema.names:
            return Among(total)
        return Among(total, int(self._table.count_rows(marked if where is None else f"({where}) AND {marked}")))

    def _picture(self, row: dict[str, Any]) -> dict[str, Any]:
        name = row["name"].decode("utf-8", "surrogateescape")
        return {**row, "name": name, "path": opened(self.root, name)}

    def _where(self, filters: Filters) -> str | None:
        """The filters in the database's words: numbers only. Raises ValueError for what it knows nothing of."""
        check_names(filters)
        wanted = {"person_id": filters.get("person_ids"), "camera": filters.get("cameras")}
        clauses = []
        for column, values in wanted.items():
            if values is None:
                continue
            if column not in self._table.schema.names:
                raise ValueError(f"this gallery has no {column}s, so it cannot be searched by them")
            numbers = [str(CAMERA(f"each of {column}s", value)) for value in COLLECTION(f"{column}s", values)]
            clauses.append(f"{column} IN ({', '.join(numbers) or 'NULL'})")
        return " AND ".join(clauses) or None


def _known(gallery: Saved) -> dict[str, Any]:
    """(N,) of each optional column; None where the gallery does not know it."""
    return {"person_id": gallery.person_ids, "camera": gallery.cameras, "likeness": gallery.likeness}


def _batches(gallery: Saved, schema: Any) -> Iterator[Any]:
    """The pictures as record batches."""
    arrow = require("pyarrow", "database")
    for begin, block in gallery.index.blocks():
        rows = slice(begin, begin + len(block))
        columns = {
            "name": [name.encode("utf-8", "surrogateescape") for name in gallery.names[rows]],
            "vector": arrow.FixedSizeListArray.from_arrays(block.float().reshape(-1).numpy(), block.shape[1]),
            **{name: None if values is None else values[rows] for name, values in _known(gallery).items()},
        }
        yield arrow.record_batch(
            [arrow.array(columns[name], type) for name, type in zip(schema.names, schema.types, strict=True)],
            schema=schema,
        )


def _best(found: list[dict[str, Any]], vector: Floats, k: int, person_id: int | None, upright: bool) -> tuple[Hit, ...]:
    """The k best of what was found, scored in float64, equal scores by name."""
    index = Index(np.array([row["vector"] for row in found], np.float32), [row["name"] for row in found])
    hits = []
    for rank, (place, score) in enumerate(zip(*index.best(vector, k, np.arange(len(found))), strict=True), start=1):
        row = found[int(place)]
        person = row.get("person_id")
        right = None if person is None or person_id is None else person == person_id
        camera = row.get("camera")
        hits.append(Hit(rank, row["path"], row["name"], float(score), person, right, camera, upright=upright))
    return tuple(hits)
