"""Whether the pictures of a gallery, and a query with its results, are of the kind that the model was trained on.

Where they are, a low best score tells that perhaps nobody in the gallery fits. Where they are not, scores mean little,
and no share of cases that was measured on other people holds.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from tireid.data.images import load_image
from tireid.domain import picture_statistics
from tireid.domain.conformal import FALSE_ALARMS, notable
from tireid.search.encoder import Float32s, OnProgress, batches, encode
from tireid.search.features import Floats, Ints
from tireid.search.index import Index, Mask

UNLIKE_GALLERY = (
    "{count} of {total} pictures of the gallery are unlike those that the model was trained on: "
    "scores and ranks mean little here."
)
UNLIKE_SHOWN = "Unlike the pictures that the model was trained on: {names} ({count} of the {total} shown)."
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
class Likeness:
    """What the model's domain says of a description and its results."""

    notes: tuple[str, ...] = ()
    """Sentences to show; plain text, which may hold the user's words and names of files."""
    outside: bool = False
    """Description or pictures are unlike what the model was trained on: no measured share of cases holds."""
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
        domain = getattr(gallery.model, "domain", None)
        if domain is None:
            return cls()
        shown = np.asarray(rows, np.int64)
        strange, told = _of_pictures(gallery, shown, allowed)
        words, unlike = _of_words(domain, text, feature)
        notes, outside = [*words, *told], strange or unlike
        if outside or domain.presence is None or not len(shown):
            return cls(tuple(notes), outside)
        best = float(gallery.index.best(feature, 1, shown[:1])[1][0])
        taking_part = len(gallery) if allowed is None else int(allowed.sum())
        counts = _pictures_of_each(gallery, allowed)
        nobody = domain.presence.p_value(best, taking_part, counts)
        power = domain.presence.power(taking_part, counts)
        if nobody <= FALSE_ALARMS:
            notes.append(" ".join([NOBODY.format(rate=FALSE_ALARMS, p=nobody), *_power(power)]))
        return cls(tuple(notes), outside, nobody, power)


def _power(power: float | None) -> list[str]:
    return [] if power is None else [POWER.format(power=power)]


def _of_words(domain: Any, text: str, feature: Floats) -> tuple[list[str], bool]:
    """Sentences on the description, and whether it is marked."""
    p = float(domain.words.p_values([text], feature[None].astype(np.float32))[0])
    new = domain.words.sentence(text)
    told = [new] if new else [UNLIKE_TEXT.format(p=p, rate=FALSE_ALARMS)] if p <= FALSE_ALARMS else []
    return told, p <= FALSE_ALARMS


def _of_pictures(gallery: Searched, shown: Ints, allowed: Mask | None) -> tuple[bool, list[str]]:
    """Whether more pictures are marked than false alarms explain, of all or of the shown ones, and sentences."""
    if gallery.likeness is None:
        return False, []
    marked = gallery.likeness <= FALSE_ALARMS
    every = marked if allowed is None else marked[allowed]
    if notable(count := int(every.sum()), len(every)):
        return True, [UNLIKE_GALLERY.format(count=count, total=len(every))]
    found = shown[marked[shown]]
    if not len(found):
        return False, []
    names = ", ".join(gallery.names[row] for row in found[:3]) + (", …" if len(found) > 3 else "")
    return notable(len(found), len(shown)), [UNLIKE_SHOWN.format(count=len(found), total=len(shown), names=names)]


def _pictures_of_each(gallery: Searched, allowed: Mask | None) -> npt.NDArray[np.int64] | None:
    """(P,) numbers of pictures of each person that takes part; None where nobody knows."""
    if gallery.person_ids is None:
        return None
    ids = gallery.person_ids if allowed is None else gallery.person_ids[allowed]
    return np.unique(ids, return_counts=True)[1].astype(np.int64)
