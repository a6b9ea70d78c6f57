"""Whether the pictures of a gallery, and a query with its results, are of the kind that the model was trained on.

Where they are, a low best score tells that perhaps nobody in the gallery fits. Where they are not, scores mean little,
and no share of cases that was measured on other people holds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from tireid.data.images import load_image
from tireid.domain import different_words, picture_statistics
from tireid.domain.conformal import FALSE_ALARMS, notable
from tireid.search.encoder import Float32s, OnProgress, batches, encode
from tireid.search.features import Floats, Ints
from tireid.search.index import Index, Mask

UNLIKE_GALLERY = (
    "{count} of {total} pictures of the gallery are unlike those that the model was trained on: "
    "scores and ranks mean little here."
)
UNLIKE_SHOWN = "Unlike the pictures that the model was trained on: {names} ({count} of the {total} shown)."
UNLIKE_PICTURE = (
    "The picture is unlike those that the model was trained on "
    "(p = {p:.2g}; of such pictures {rate:.0%} are marked by mistake)."
)
UNLIKE_TEXT = (
    "The description is put together unlike the captions that the model was trained on "
    "(p = {p:.2g}; of such captions {rate:.0%} are marked by mistake)."
)
NOBODY = (
    "Perhaps nobody here fits: of people who are in such a gallery, {rate:.0%} get so low a best score (p = {p:.2g})."
)
POWER = "A person who is not here is noticed in {power:.0%} of the cases."


class Searched(Protocol):
    """What is asked of a :class:`tireid.Gallery`."""

    names: Sequence[str]
    person_ids: Ints | None
    likeness: Float32s | None
    index: Index

    @property
    def model(self) -> Any:
        """What encodes queries."""

    def __len__(self) -> int:
        """Number of pictures."""


def encode_with_statistics(model: Any, pictures: Any, batch_size: int) -> tuple[Float32s, Float32s]:
    """(statistics (N, 43), features (N, D)) of paths, PIL pictures, or uint8 pixels (N, 3, H, W) of the model's size.

    Every picture is decoded once.
    """
    size = model.backbone.image_size
    statistics, features = [], []
    for _, part in batches(pictures, batch_size):
        pixels = part if isinstance(part, torch.Tensor) else torch.stack([load_image(item, size) for item in part])
        statistics.append(picture_statistics(pixels.numpy()))
        features.append(encode(model.encode_images, pixels, batch_size=batch_size))
    return np.concatenate(statistics), np.concatenate(features)


def encode_pictures(
    model: Any, pictures: Any, batch_size: int, on_progress: OnProgress | None = None
) -> tuple[Float32s, Float32s | None]:
    """Features (N, D), and p-values (N,) of being like what `model` was trained on; None where it cannot tell."""
    tests = getattr(getattr(model, "domain", None), "pictures", None)
    if tests is None:
        return encode(model.encode_images, pictures, batch_size=batch_size, on_progress=on_progress), None
    features, p_values = [], []
    for end, part in batches(pictures, batch_size):
        statistics, encoded = encode_with_statistics(model, part, batch_size)
        features.append(encoded)
        p_values.append(tests.p_values(statistics, encoded).astype(np.float32))
        if on_progress is not None:
            on_progress(end, len(pictures))
    return np.concatenate(features), np.concatenate(p_values)


def warn_if_unlike(p_values: Float32s | None, place: str) -> None:
    """Warn once where more pictures (N,) are marked than false alarms explain."""
    if p_values is not None and notable(count := int((p_values <= FALSE_ALARMS).sum()), len(p_values)):
        warnings.warn(f"{place}: {UNLIKE_GALLERY.format(count=count, total=len(p_values))}", stacklevel=3)


@dataclass(frozen=True)
class Query:
    """What is searched for; features have length one."""

    vector: Floats
    """(D,) what pictures are compared with."""
    text: str | None = None
    words: Floats | None = None
    """(D,) of the description alone."""
    pictured: bool = False
    likeness: float | None = None
    """P-value of the picture that is searched with; None without one, and where nobody can tell."""


@dataclass(frozen=True)
class Among:
    """The pictures that take part in a search, as the tests see them."""

    total: int
    marked: int = 0
    """How many are unlike what the model was trained on, as far as that is known."""
    person_ids: Ints | None = None
    """(N,) whom they show; None where nobody knows."""

    @cached_property
    def counts(self) -> npt.NDArray[np.int64] | None:
        """(P,) numbers of pictures of each person, counted when asked for: in a large gallery that takes time."""
        if self.person_ids is None:
            return None
        return np.unique(self.person_ids, return_counts=True)[1].astype(np.int64)

    @classmethod
    def of(cls, gallery: Searched, allowed: Mask | None = None) -> Among:
        """Those of a gallery that are `allowed` (N,)."""
        likeness, ids, total = gallery.likeness, gallery.person_ids, len(gallery)
        if allowed is not None:
            likeness = None if likeness is None else likeness[allowed]
            ids, total = None if ids is None else ids[allowed], int(allowed.sum())
        return cls(total, 0 if likeness is None else int((likeness <= FALSE_ALARMS).sum()), ids)


@dataclass(frozen=True)
class Likeness:
    """What the model's domain says of a query and its results."""

    notes: tuple[str, ...] = ()
    """Sentences to show; plain text, which may hold the user's words and names of files."""
    outside: bool = False
    """Query or pictures are unlike what the model was trained on: no measured share of cases holds."""
    nobody: float | None = None
    """P-value of the best score if the person is in the gallery; None where that cannot be told."""
    power: float | None = None
    """How often a person who is not there is noticed at the stated false-alarm rate; None where not measured."""

    @classmethod
    def of(
        cls, gallery: Searched, text: str, feature: Floats, rows: Sequence[int] | Ints, allowed: Mask | None = None
    ) -> Likeness:
        """Of a search for `text` with feature (D,) of length one that found `rows` (k,), best first.

        `allowed` (N,) are the pictures that took part. Nothing is told where the model does not know its domain.
        """
        shown = np.asarray(rows, np.int64)
        best = float(gallery.index.best(feature, 1, shown[:1])[1][0]) if len(shown) else None
        among, marked = Among.of(gallery, allowed), marked_names(gallery, shown)
        return cls.told(gallery.model, Query(feature, text, feature), among, marked, len(shown), best)

    @classmethod
    def told(
        cls, model: Any, query: Query, among: Among, marked: Sequence[str], shown: int, best: float | None
    ) -> Likeness:
        """Of a search `among` pictures of which so many are `shown`, `marked` by name, with the `best` score.

        Whether the person is there is told of descriptions as long as those that it was measured on.
        """
        domain = getattr(model, "domain", None)
        parts = (_of_words(domain, query), _of_picture(query.likeness), _of_found(among, marked, shown))
        notes = [note for told, _ in parts for note in told]
        outside = any(unlike for _, unlike in parts)
        presence = getattr(domain, "presence", None)
        if outside or presence is None or query.pictured or best is None or query.text is None:
            return cls(tuple(notes), outside)
        if different_words(query.text) < presence.fewest_words:
            return cls(tuple(notes), outside)
        nobody = presence.p_value(best, among.total, among.counts)
        power = presence.power(among.total, among.counts)
        if nobody <= FALSE_ALARMS:
            notes.append(" ".join([NOBODY.format(rate=FALSE_ALARMS, p=nobody), *_power(power)]))
        return cls(tuple(notes), outside, nobody, power)


def _of_picture(p: float | None) -> tuple[list[str], bool]:
    """Sentences on a picture that is searched with, of that p-value, and whether it is marked."""
    if p is None or p > FALSE_ALARMS:
        return [], False
    return [UNLIKE_PICTURE.format(p=p, rate=FALSE_ALARMS)], True


def marked_names(gallery: Searched, rows: Ints) -> list[str]:
    """Names of those of the rows (k,) that are unlike what the model was trained on."""
    if gallery.likeness is None:
        return []
    return [gallery.names[row] for row in rows[gallery.likeness[rows] <= FALSE_ALARMS]]


def _power(power: float | None) -> list[str]:
    return [] if power is None else [POWER.format(power=power)]


def _of_words(domain: Any, query: Query) -> tuple[list[str], bool]:
    """Sentences on the description, and whether it is marked."""
    if domain is None or query.text is None or query.words is None:
        return [], False
    p = float(domain.words.p_values([query.text], query.words[None].astype(np.float32))[0])
    new = domain.words.sentence(query.text)
    told = [new] if new else [UNLIKE_TEXT.format(p=p, rate=FALSE_ALARMS)] if p <= FALSE_ALARMS else []
    return told, p <= FALSE_ALARMS


def _of_found(among: Among, marked: Sequence[str], shown: int) -> tuple[list[str], bool]:
    """Sentences on the pictures, and whether more are marked than false alarms explain, of all or of the shown ones."""
    many = notable(among.marked, among.total)
    told = [UNLIKE_GALLERY.format(count=among.marked, total=among.total)] if many else []
    if marked and not (many and among.marked == among.total):
        names = ", ".join(marked[:3]) + (", …" if len(marked) > 3 else "")
        told.append(UNLIKE_SHOWN.format(count=len(marked), total=shown, names=names))
    return told, many or notable(len(marked), shown)
