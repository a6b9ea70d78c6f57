"""What the demo searches: one gallery or two, their splits and captions, and the user's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from tireid.data.dataset import Split
from tireid.demo.state import FIND, View
from tireid.search.encoder import Float32s, encode, fingerprint
from tireid.search.gallery import Gallery
from tireid.search.index import ExactIndex
from tireid.search.metrics import Floats, Ints

Mask = npt.NDArray[np.bool_]
Kind = Literal["pictures", "captions"]
TYPES = {
    "rank": "int64",
    "score": "float64",
    "person_id": "Int64",
    "camera": "Int64",
    "correct": "boolean",
    "moved": "Int64",
    "change": "Int64",
}


@dataclass(frozen=True)
class Answer:
    """A ranked list, or the reason why there is none."""

    kind: Kind
    rows: Ints
    """(k,) places in the gallery, or numbers of captions, best first."""
    columns: dict[str, list[Any]]
    """Of every result rank, name, score, person_id, camera, split, correct, moved; of captions caption, not name. None
    where something is not known."""
    among: int = 0
    """How many items were ranked."""
    first_right: int | None = None
    """Rank of the first right one among them; None where nobody knows who is right, or where nobody is."""
    message: str = ""

    @classmethod
    def none(cls, message: str, kind: Kind = "pictures") -> Answer:
        """No results, with the reason."""
        return cls(kind, np.zeros(0, np.int64), _columns(kind, 0), message=message)

    @classmethod
    def pictures(cls, gallery: Gallery, rows: Ints, scores: Floats | None, **more: Any) -> Answer:
        """Rows of `gallery`, best first, with what the gallery knows of them."""
        columns = _columns("pictures", len(rows))
        columns["name"] = [gallery.names[row] for row in rows]
        if scores is not None:
            columns["score"] = scores.tolist()
        if gallery.person_ids is not None:
            columns["person_id"] = gallery.person_ids[rows].tolist()
        if gallery.cameras is not None:
            columns["camera"] = [gallery.cameras[row] for row in rows]
        return cls("pictures", rows, columns, **more)

    def with_columns(self, **columns: list[Any] | None) -> Answer:
        """The same results with more, or other, columns; None leaves a column as it is."""
        return replace(
            self, columns=self.columns | {name: value for name, value in columns.items() if value is not None}
        )

    @property
    def results(self) -> list[dict[str, Any]]:
        """A dict per result."""
        return [dict(zip(self.columns, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    @property
    def judged(self) -> bool:
        """Whether it is known which results are right."""
        return any(correct is not None for correct in self.columns["correct"])

    @property
    def table(self) -> pd.DataFrame:
        """A row per result, with missing values where something is not known."""
        kinds = {name: TYPES[name] for name in self.columns if name in TYPES}
        return pd.DataFrame(self.columns).astype(kinds)


def words_of(text: str) -> list[str]:
    """The words of a text as they can be left out: parts between white space.

    >>> words_of("a man  in blue.")
    ['a', 'man', 'in', 'blue.']
    """
    return text.split()


def kept_text(text: str, off: Sequence[int]) -> str:
    """`text` without the words at the places `off`; the text itself where none is left out.

    >>> kept_text("a man in blue", [1, 2])
    'a blue'
    """
    if not off:
        return text
    return " ".join(word for place, word in enumerate(words_of(text)) if place not in off)


class Source:
    """A gallery with what is known about it.

    Args:
        gallery: the pictures, with the model that encoded them.
        splits: where captions, identities and the filter by split come from.
        compare: the same pictures, encoded by a second model.

    Raises ValueError if `compare` has other pictures.
    """

    def __init__(self, gallery: Gallery, splits: Sequence[Split] = (), compare: Gallery | None = None) -> None:
        if compare is not None and compare.names != gallery.names:
            raise ValueError(
                f"compare must hold the same pictures in the same order: {len(compare)} pictures, "
                f"the gallery has {len(gallery)}"
            )
        self.gallery, self.splits, self.other = gallery, tuple(splits), compare
        self.captions: list[str] = [caption for split in self.splits for caption in split.captions]
        parts = [split.caption_person_ids for split in self.splits]
        self.caption_people: Ints = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        self.row_of = {name: row for row, name in reversed(list(enumerate(gallery.names)))}
        self.uploaded: Gallery | None = None
        self._indexes: dict[int, ExactIndex] = {}
        self._caption_features: dict[int, Float32s] = {}

    @cached_property
    def split_of_row(self) -> list[str]:
        """Per picture the name of its split; '' where it is in none."""
        names = {path: split.name for split in self.splits for path in split.image_paths}
        return [names.get(path, "") for path in self.gallery.paths]

    @cached_property
    def fingerprint(self) -> str:
        """Of the gallery's model, 8 digits; '' where a model has none."""
        try:
            return fingerprint(self.gallery.model)[:8]
        except TypeError:
            return ""

    def searched(self, view: View) -> Gallery:
        """The gallery that the view searches."""
        return self.uploaded if view.gallery == "uploaded" and self.uploaded is not None else self.gallery

    def home(self, name: str) -> tuple[Gallery, int] | None:
        """Where a picture of this name is: its gallery and its row there."""
        if name in self.row_of:
            return self.gallery, self.row_of[name]
        if self.uploaded is not None and name in self.uploaded.names:
            return self.uploaded, self.uploaded.names.index(name)
        return None

    def caption_features(self, gallery: Gallery) -> Float32s:
        """(M, D) of all captions by the gallery's model; encoded when first asked for."""
        key = id(gallery.model)
        if key not in self._caption_features:
            self._caption_features[key] = encode(gallery.model.encode_texts, self.captions, batch_size=256)
        return self._caption_features[key]

    def query(self, view: View, gallery: Gallery, whole: bool = False) -> Floats:
        """(D,) float64 of length one: what the view searches with; `whole` counts the words that are left out."""
        if view.find != FIND[0]:
            home = self.home(view.picture)
            if home is None:
                raise ValueError("click a picture first: it is what is searched with")
            return _unit(home[0].features[home[1]] if gallery.model is home[0].model else self._other_row(home[1]))
        text = view.text if whole else kept_text(view.text, view.off)
        if not text.strip():
            every = "every word is switched off" if view.text.strip() else "type a description, or pick a caption"
            raise ValueError(f"nothing to search for: {every}")
        return _unit(encode(gallery.model.encode_texts, [_encodable(text)], batch_size=1)[0])

    def answer(self, view: View, second: bool = False) -> Answer:
        """The ranked list of a view; by the second model where `second`. Never raises for what a user may enter."""
        kind: Kind = "captions" if view.find == FIND[1] else "pictures"
        try:
            gallery = self.other if second and self.other is not None else self.searched(view)
            query = self.query(view, gallery)
            if kind == "captions":
                return self._captions(view, gallery, query)
            whole = self.query(view, gallery, whole=True) if view.off else None
            return self._pictures(view, gallery, query, whole)
        except ValueError as error:
            return Answer.none(str(error), kind)

    def allowed(self, view: View, gallery: Gallery) -> Mask | None:
        """(N,) pictures that the filters leave; None for all. Raises ValueError where they leave none."""
        mask = np.ones(len(gallery), np.bool_)
        if gallery is not self.uploaded:
            if view.people:
                mask &= np.isin(_known(gallery.person_ids, "person numbers"), view.people)
            if view.cameras:
                chosen = set(view.cameras)
                mask &= np.array([camera in chosen for camera in _known(gallery.cameras, "cameras")])
            if view.split != "all":
                mask &= np.array([name == view.split for name in self.split_of_row])
        if view.find == FIND[2] and (home := self.home(view.picture)) is not None and home[0] is gallery:
            mask[home[1]] = False
        if not mask.any():
            raise ValueError("no picture is left: the filters, or the query itself, exclude all of them")
        return None if mask.all() else mask

    def likest(self, view: View, gallery: Gallery, rows: Ints) -> tuple[Ints, Floats | None]:
        """`rows` in the order of their similarity with the query, and those; as they are where there is no query."""
        try:
            scores = gallery.features[rows] @ self.query(view, gallery)
        except ValueError:
            return rows, None
        order = np.argsort(-scores, kind="stable")
        return rows[order], scores[order]

    def _pictures(self, view: View, gallery: Gallery, query: Floats, whole: Floats | None) -> Answer:
        allowed = self.allowed(view, gallery)
        rows, scores = self._index(gallery).search(query, view.k, allowed)
        person = self._wanted(view)
        people = gallery.person_ids
        right = None if people is None or person is None else people == person
        answer = Answer.pictures(gallery, rows, scores, among=len(gallery) if allowed is None else int(allowed.sum()))
        if gallery is not self.uploaded:
            answer = answer.with_columns(split=[self.split_of_row[row] or None for row in rows])
        if whole is not None:
            moved = ranks_of(gallery.features, whole, rows, allowed) - np.arange(1, len(rows) + 1)
            answer = answer.with_columns(moved=moved.tolist())
        if right is None:
            return answer
        first = first_rank(rows, right, gallery.features, query, allowed)
        return replace(answer.with_columns(correct=right[rows].tolist()), first_right=first)

    def _captions(self, view: View, gallery: Gallery, query: Floats) -> Answer:
        if not self.captions:
            raise ValueError("there are no captions to rank: give the demo a split")
        features = self.caption_features(gallery)
        place = np.empty(len(features), np.int64)
        place[sorted(range(len(features)), key=self.captions.__getitem__)] = np.arange(len(features))
        rows, scores = ExactIndex(features, place).search(query, view.k)
        person = self._wanted(view)
        right = None if person is None else self.caption_people == person
        columns = _columns("captions", len(rows)) | {
            "caption": [self.captions[row] for row in rows],
            "score": scores.tolist(),
            "person_id": self.caption_people[rows].tolist(),
        }
        answer = Answer("captions", rows, columns, len(features))
        if right is None:
            return answer
        first = first_rank(rows, right, features, query, None)
        return replace(answer.with_columns(correct=right[rows].tolist()), first_right=first)

    def _wanted(self, view: View) -> int | None:
        """Who is right: whom the text describes, or whom the query picture shows."""
        if view.find == FIND[0]:
            return view.person
        home = self.home(view.picture)
        if home is None or home[0].person_ids is None:
            return None
        return int(home[0].person_ids[home[1]])

    def _other_row(self, row: int) -> Float32s:
        if self.other is None:
            raise ValueError("this picture was not encoded by the second model")
        features: Float32s = self.other.features[row]
        return features

    def _index(self, gallery: Gallery) -> ExactIndex:
        if id(gallery) not in self._indexes:
            place = np.empty(len(gallery), np.int64)
            place[sorted(range(len(gallery)), key=gallery.names.__getitem__)] = np.arange(len(gallery))
            self._indexes[id(gallery)] = ExactIndex(gallery.features, place)
        return self._indexes[id(gallery)]


def ranks_of(features: Float32s, query: Floats, rows: Ints, allowed: Mask | None = None) -> Ints:
    """Rank, from 1, that each of `rows` has for the query among the allowed rows: one more than score better.

    >>> ranks_of(np.eye(3, dtype=np.float32), np.array([0.0, 1.0, 0.5]), np.array([2, 0]))
    array([2, 3])
    """
    scores = features @ query.astype(np.float32)
    among = np.sort(scores if allowed is None else scores[allowed])
    ranks: Ints = 1 + len(among) - np.searchsorted(among, scores[rows], side="right")
    return ranks


def first_rank(rows: Ints, right: Mask, features: Float32s, query: Floats, allowed: Mask | None) -> int | None:
    """Rank of the first right item: among `rows`, the best ones, or behind them; None if no allowed item is right."""
    among = np.flatnonzero(right[rows])
    if len(among):
        return int(among[0]) + 1
    candidates = np.flatnonzero(right if allowed is None else right & allowed)
    if not len(candidates):
        return None
    return max(len(rows) + 1, int(ranks_of(features, query, candidates, allowed).min()))


def side_by_side(first: Answer, second: Answer, source: Source, view: View) -> tuple[Answer, Answer]:
    """Both answers with a column `change`: places won (+) or lost (-) by the second model against the first."""
    if source.other is None or first.kind != "pictures" or not len(first.rows) or not len(second.rows):
        return first, second
    allowed = source.allowed(view, source.gallery)
    models = [(gallery.features, source.query(view, gallery)) for gallery in (source.gallery, source.other)]
    changed = []
    for answer in (first, second):
        before, after = (ranks_of(*model, answer.rows, allowed) for model in models)
        changed.append(answer.with_columns(change=(before - after).tolist()))
    return changed[0], changed[1]


def _columns(kind: Kind, number: int) -> dict[str, list[Any]]:
    """Every column, with ranks from 1 and nothing else known."""
    names = ["name", "score", "person_id", "camera", "split", "correct", "moved"]
    names = names if kind == "pictures" else ["caption", "score", "person_id", "correct"]
    return {"rank": list(range(1, number + 1))} | {name: [None] * number for name in names}


def _unit(vector: npt.NDArray[Any]) -> Floats:
    double = np.asarray(vector, np.float64)
    length = float(np.linalg.norm(double))
    if not np.isfinite(length) or length == 0:
        raise ValueError("the model gives no direction for this query: its feature is zero or not a number")
    return double / length


def _encodable(text: str) -> str:
    """Lone halves of a character, which a browser may send, cannot be encoded: question marks in their place."""
    return text.encode("utf-8", "replace").decode()


def _known(values: Any, name: str) -> Any:
    if values is None:
        raise ValueError(f"this gallery has no {name}, so it cannot be filtered by them")
    return values
