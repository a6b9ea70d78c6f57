"""Measure a model's domain: on the pictures and captions that it was trained on, and on people that it was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tireid.basics.files import read_json
from tireid.data import Dataset, Split
from tireid.domain import Domain, Held, Pictures, Presence, Words, fewest_words
from tireid.domain.conformal import Ints, spaced
from tireid.model import TIReID
from tireid.search.encoder import Float32s, encode
from tireid.search.likeness import encode_with_statistics

REFERENCE = 1000
"""So many pictures and captions that were trained on stand for all of them."""


def learn(
    model: TIReID, data: Dataset, held_out: Split | None = None, images: Mapping[str, Any] | None = None
) -> Domain:
    """What `model`, trained on ``data.train``, knows, tested on `held_out`.

    Args:
        model: in the state in which it will be used.
        data: what it was trained on.
        held_out: people that it was not trained on; the validation split where absent. Without either, the tests of
            the domain are missing, and its summary says so.
        images: decoded pictures by the name of their split, where they are at hand.

    >>> domain = learn(model, data)   # doctest: +SKIP
    """
    split, given = data.train, images or {}
    held = data.val if held_out is None else held_out
    trained = _held(_name(data), split)
    some = spaced(split.num_captions, REFERENCE)
    captions = [split.captions[i] for i in some]
    features = _texts(model, captions)
    if held is None:
        return Domain(trained, None, Words.fit(split.captions, features, [], features[:0]))
    own = _pictures(model, split, given.get(split.name), spaced(split.num_images, REFERENCE))
    others = _pictures(model, held, given.get(held.name) if held is data.val else None, np.arange(held.num_images))
    texts = _texts(model, held.captions)
    return Domain(
        trained,
        _held("the validation split" if held is data.val else held.name, held),
        Words.fit(split.captions, features, held.captions, texts),
        Pictures.fit(own, others),
        _presence(held, texts, others[1]),
    )


def _presence(held: Split, texts: Float32s, pictures: Float32s) -> Presence | None:
    """From features (M, D) of the held-out captions and (N, D) of the pictures.

    It is not meant for shorter descriptions: fewer words, a lower best score. Of drawn test captions 5% are told that
    nobody fits, of their first 24, 20, 16, 8 and 2 words 5%, 7%, 14%, 63%, 100%.
    """
    presence = Presence.fit((texts, held.caption_person_ids), (pictures, held.image_person_ids))
    return None if presence is None else replace(presence, fewest_words=fewest_words(held.captions))


def _held(name: str, split: Split) -> Held:
    return Held(name, split.num_people, split.num_images, split.num_captions)


def _pictures(model: Any, split: Split, images: Any, rows: Ints) -> tuple[Float32s, Float32s]:
    """(statistics, features) of those pictures of a split."""
    chosen = replace(split, records=tuple(split.records[row] for row in rows))
    pictures = chosen.pictures(model) if images is None else images[rows]
    return encode_with_statistics(model, pictures, 64)


def _texts(model: Any, captions: Sequence[str]) -> Float32s:
    return encode(model.encode_texts, list(captions), batch_size=128)


def _name(data: Dataset) -> str:
    """Of the data set; with the style where it was drawn."""
    note = data.folder / "generator.json"
    if not note.is_file():
        return data.name
    return f"{data.name}: drawn pedestrians in the style {read_json(note)['style']}"
