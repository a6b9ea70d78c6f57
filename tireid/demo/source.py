"""What the demo shows: one gallery or two, their splits and captions, and the user's own pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tireid.data.split import Split
from tireid.demo.answer import Answer, Kind
from tireid.demo.state import ALL, BY_BOTH, BY_TEXT, CAPTIONS, UPLOADED, Known, View
from tireid.demo.thumbnails import Thumbnails
from tireid.demo.uploads import encoded, unused
from tireid.explain.confidence import QuerySpread
from tireid.search.encoder import encode, fingerprint
from tireid.search.gallery import Gallery
from tireid.search.hits import Hits
from tireid.search.index import Index, Mask
from tireid.search.likeness import Among, Likeness, Query, marked_names
from tireid.search.metrics import Floats, Ints, normalised_rows
from tireid.search.query import encode_query
from tireid.search.seal import withheld_note
from tireid.show.cards import Card


class Place(NamedTuple):
    """Where a picture is: its gallery, and its row there."""

    gallery: Gallery
    row: int

    @property
    def name(self) -> str:
        """Of the picture."""
        return self.gallery.names[self.row]

    @property
    def path(self) -> Path:
        """Of its file."""
        return self.gallery.paths[self.row]

    @property
    def upright(self) -> bool:
        """Whether it is turned as its EXIF orientation says."""
        return self.gallery.upright

    @property
    def person(self) -> int | None:
        """Whom it shows, where that is known."""
        return None if self.gallery.person_ids is None else int(self.gallery.person_ids[self.row])

    @property
    def feature(self) -> Floats:
        """(D,) float64 of length one."""
        return np.asarray(normalised_rows(self.gallery.features[self.row][None], "the picture's feature")[0])


def _check_same(gallery: Gallery, compare: Gallery) -> None:
    """Raises ValueError if the two do not hold the same pictures, turned alike."""
    if compare.names != gallery.names:
        told = f"{len(compare)} pictures, the gallery has {len(gallery)}"
        raise ValueError(f"compare must hold the same pictures in the same order: {told}")
    if compare.upright != gallery.upright:
        turned, kept = ("compare", "the gallery")[:: 1 if compare.upright else -1]
        raise ValueError(
            f"{turned} was encoded with pictures turned as their EXIF orientation says, "
            f"{kept} with pictures as they are stored: encode both in one way (upright=)"
        )


class Source:
    """A gallery with what is known about it, and the answers to what is asked.

    Args:
        gallery: the pictures, with the model that encoded them.
        split: one or several, where captions, identities of captions and the filter by split come from.
        compare: the same pictures, encoded by a second model.
        names: of the model and the second model.
        spread: how much descriptions of one person differ; that of drawn people where absent.
        attributes: per person what is known of it, to say how two people differ.

    Raises ValueError if `compare` has other pictures, or has them turned otherwise.
    """

    def __init__(
        self,
        gallery: Gallery,
        split: Split | Sequence[Split] | None = None,
        compare: Gallery | None = None,
        *,
        names: tuple[str, str] = ("the model", "the second model"),
        spread: QuerySpread | None = None,
        attributes: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        _check_same(gallery, gallery if compare is None else compare)
        self.gallery, self.other, self.names, self.attributes = gallery, compare, names, attributes
        self.splits = () if split is None else (split,) if isinstance(split, Split) else tuple(split)
        self.captions: list[str] = [caption for part in self.splits for caption in part.captions]
        people = (part.caption_person_ids for part in self.splits)
        self.caption_people: Ints = np.concatenate([np.zeros(0, np.int64), *people])
        self.row_of = {name: row for row, name in reversed(list(enumerate(gallery.names)))}
        self.uploaded: Gallery | None = None
        self.photographs: dict[str, Gallery] = {}
        self.thumbnails = Thumbnails()
        self._spread = spread
        self._caption_indexes: dict[int, Index] = {}

    @cached_property
    def known(self) -> Known:
        """What a view may refer to."""
        return Known(
            captions=self.captions,
            caption_people=self.caption_people.tolist(),
            names=frozenset(self.gallery.names),
            people=frozenset(() if self.gallery.person_ids is None else self.gallery.person_ids.tolist()),
            cameras=frozenset(camera for camera in self.gallery.cameras or () if camera is not None),
            splits=tuple(split.name for split in self.splits) if len(self.splits) > 1 else (),
            compare=self.other is not None,
        )

    @cached_property
    def spread(self) -> QuerySpread:
        """How much descriptions of one person differ; made when first asked for."""
        return self._spread or QuerySpread.default(self.gallery.model)

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

    @property
    def named(self) -> frozenset[str]:
        """Names of all pictures: those of the gallery, and the user's own."""
        return frozenset([*self.gallery.names, *(self.uploaded.names if self.uploaded else ()), *self.photographs])

    def receive(self, folder: str | Path) -> None:
        """Let the uploaded pictures in `folder` be searched."""
        self.uploaded = Gallery.from_folder(self.gallery.model, folder)

    def photograph(self, path: Path) -> str:
        """Let a picture that no gallery holds be searched with; its name from now on."""
        name = unused(path.name, self.named)
        self.photographs[name] = encoded(self.gallery.model, path)
        return name

    def searched(self, view: View) -> Gallery:
        """The gallery that the view searches."""
        return self.uploaded if view.gallery == UPLOADED and self.uploaded is not None else self.gallery

    def home(self, name: str) -> Place | None:
        """Where a picture of this name is, if anywhere."""
        if name in self.row_of:
            return Place(self.gallery, self.row_of[name])
        if name in self.photographs:
            return Place(self.photographs[name], 0)
        if self.uploaded is not None and name in self.uploaded.names:
            return Place(self.uploaded, self.uploaded.names.index(name))
        return None

    def query(self, view: View, gallery: Gallery) -> Floats:
        """(D,) float64 of length one: what the view searches with; ValueError where it says nothing."""
        if view.find == BY_TEXT:
            return self._described(view, gallery)
        pictured = self._pictured(view, gallery)
        if view.find != BY_BOTH:
            return pictured
        mixed = view.weight * self._described(view, gallery) + (1 - view.weight) * pictured
        return np.asarray(normalised_rows(mixed[None], "text and picture together")[0])

    def _described(self, view: View, gallery: Gallery) -> Floats:
        if not view.description.strip():
            every = "every word is switched off" if view.text.strip() else "type a description, or pick a caption"
            raise ValueError(f"nothing to search for: {every}")
        return encode_query(gallery.model, view.description)

    def _pictured(self, view: View, gallery: Gallery) -> Floats:
        home = self.home(view.picture)
        if home is None:
            raise ValueError("click a picture first: it is what is searched with")
        if gallery.model is home.gallery.model:
            return home.feature
        if home.gallery is not self.gallery:
            raise ValueError("this picture was not encoded by the second model")
        return Place(gallery, home.row).feature

    def answer(self, view: View, second: bool = False) -> Answer:
        """The ranked list of a view; by the second model where `second`. Never raises for what a user may enter."""
        kind: Kind = "captions" if view.find == CAPTIONS else "pictures"
        try:
            gallery = self.other if second and self.other is not None else self.searched(view)
            query = self.query(view, gallery)
            if kind == "captions":
                return self.nearest_captions(gallery, query, view.k, self._wanted(view))
            return self._pictures(view, gallery, query)
        except ValueError as error:
            return Answer(kind, message=str(error))

    def both(self, view: View) -> tuple[Answer, Answer]:
        """The answers of both models, each with the places won by the second one."""
        first, second = self.answer(view), self.answer(view, second=True)
        if self.other is None or first.kind != "pictures" or not len(first.rows) or not len(second.rows):
            return first, second
        allowed = self.allowed(view, self.gallery)
        models = [(gallery.index, self.query(view, gallery)) for gallery in (self.gallery, self.other)]

        def compared(answer: Answer) -> Answer:
            before, after = (index.ranks(query, answer.rows, allowed) for index, query in models)
            return replace(answer, change=(before - after).tolist())

        return compared(first), compared(second)

    def allowed(self, view: View, gallery: Gallery) -> Mask | None:
        """(N,) pictures that the filters leave; None for all. Raises ValueError where they leave none."""
        home = self.home(view.pictured)
        exclude = [home.name] if home is not None and home.gallery is gallery else []
        if gallery is self.uploaded:
            return gallery.allowed(exclude=exclude)
        mask = gallery.allowed(exclude=exclude, person_ids=view.people or None, cameras=view.cameras or None)
        if view.split == ALL:
            return mask
        inside = np.array([name == view.split for name in self.split_of_row])
        inside &= True if mask is None else mask
        if not inside.any():
            raise ValueError("no picture is left: the filters exclude all of them")
        return inside

    def caption_index(self, gallery: Gallery) -> Index:
        """All captions by the gallery's model; encoded when first asked for."""
        key = id(gallery.model)
        if key not in self._caption_indexes:
            features = encode(gallery.model.encode_texts, self.captions, batch_size=256)
            rows = normalised_rows(features, "captions").astype(np.float32)
            self._caption_indexes[key] = Index(rows, self.captions)
        return self._caption_indexes[key]

    def nearest_captions(self, gallery: Gallery, query: Floats, k: int, person: int | None) -> Answer:
        """The k captions nearest to a query; right are those of `person`."""
        if not self.captions:
            raise ValueError("there are no captions to rank: give the demo a split")
        index = self.caption_index(gallery)
        rows, scores = index.search(query, k)
        shown = self.caption_people[rows].tolist()
        correct = [None] * len(rows) if person is None else [own == person for own in shown]
        columns = zip([self.captions[row] for row in rows], scores.tolist(), shown, correct, strict=True)
        cards = [Card(rank, None, *told) for rank, told in enumerate(columns, start=1)]
        first = None if person is None else index.first(query, self.caption_people == person, rows)
        return Answer("captions", cards, rows, len(self.captions), first)

    def likest(self, view: View, gallery: Gallery, rows: Ints, k: int) -> Answer:
        """The k of `rows` most similar to the query; the first ones, without scores, where there is no query."""
        if not len(rows):
            return Answer("pictures")
        try:
            mask = np.isin(np.arange(len(gallery)), rows)
            return Answer.of(gallery.nearest(self.query(view, gallery), k, mask))
        except ValueError:
            hits = tuple(gallery.hit(rank, row, None) for rank, row in enumerate(rows[:k], start=1))
            return Answer.of(Hits(hits, among=len(rows)))

    def _pictures(self, view: View, gallery: Gallery, query: Floats) -> Answer:
        allowed = self.allowed(view, gallery)
        answer = Answer.of(gallery.nearest(query, view.k, allowed, self._wanted(view)))
        if gallery is not self.uploaded:
            answer = replace(answer, splits=[self.split_of_row[row] or None for row in answer.rows])
        if not view.off or not view.worded:
            return answer
        before = gallery.index.ranks(self.query(replace(view, off=[]), gallery), answer.rows, allowed)
        return replace(answer, moved=(before - np.arange(1, 1 + len(before))).tolist())

    def _wanted(self, view: View) -> int | None:
        """Who is right: whom the text describes, or whom the query picture shows."""
        if view.find == BY_TEXT:
            return view.person
        home = self.home(view.picture)
        return None if home is None else home.person


def notes_on(source: Source, view: View, answer: Answer) -> tuple[str, ...]:
    """What the model's domain says of a search with a picture, and pictures that are not opened.

    Of descriptions alone :func:`how_sure` tells it.
    """
    withheld = withheld_note(card.path for card in answer.cards)
    home = source.home(view.pictured)
    if home is None or not len(answer.rows):
        return tuple(withheld)
    known, gallery = home.gallery.likeness, source.searched(view)
    text, words = (view.description, encode_query(gallery.model, view.description)) if view.worded else (None, None)
    query = Query(home.feature, text, words, True, None if known is None else float(known[home.row]))
    found, marked = Among(0), list[str]()
    if answer.kind == "pictures":
        found, marked = Among.of(gallery, source.allowed(view, gallery)), marked_names(gallery, answer.rows)
    return (*Likeness.told(gallery.model, query, found, marked, len(answer.rows), None).notes, *withheld)
