"""What is searched for: a description, a picture, or both, as one vector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tireid.basics.arguments import FRACTION, checked
from tireid.data.images import as_picture
from tireid.data.walk import EXTENSIONS
from tireid.search.encoder import Encoder, encode
from tireid.search.features import Features, Floats, Ints, normalised_rows, to_numpy
from tireid.search.likeness import Query, encode_pictures

LAST = 60
"""Characters of what was read last of a description that is too long."""


def parse(query: Any = None, text: str | None = None, image: Any = None) -> tuple[str | None, Image.Image | None]:
    """(description or None, picture or None), at least one of them there.

    Args:
        query: a description (str), a picture (:class:`pathlib.Path`, PIL or array), or a pair (description, picture).
        text: a description, instead of `query`.
        image: a picture, which may also be a path as text, instead of `query`.

    Raises:
        ValueError: no query or two, an empty description, a picture that cannot be read.
        TypeError: something that is neither, such as pixels that are not uint8.

    >>> parse("a man in red")
    ('a man in red', None)
    """
    if query is not None:
        if text is not None or image is not None:
            raise ValueError("give either query or text= and image=, not both")
        if isinstance(query, tuple) and (len(query) != 2 or not isinstance(query[0], str)):
            raise ValueError("a query of two parts is (description, picture)")
        parts = query if isinstance(query, tuple) else (query, None) if isinstance(query, str) else (None, query)
        text, image = parts
    if text is None and image is None:
        raise ValueError("nothing to search for: give a description, a picture, or both")
    if text is not None and (not isinstance(text, str) or not text.strip()):
        raise ValueError(f"the description must be text that is not empty, not {text!r}")
    if text is not None and image is None and text.lower().endswith(EXTENSIONS) and Path(text).is_file():
        raise ValueError(f"{text!r} is a picture's file, not a description: pass image= or a pathlib.Path (`--image`)")
    return text, None if image is None else as_picture(image, upright=True)


@checked(text_weight=FRACTION)
def encoded(
    model: Encoder, text: str | None = None, image: Any = None, text_weight: float = 0.5, *, width: int | None = None
) -> Query:
    """What is searched with: text_weight * text + (1 - text_weight) * picture, each of length one, or one alone.

    The picture is decoded once, for its feature and for what the model's domain says of it.

    Raises:
        ValueError: a weight outside 0..1, features without a direction or of another width than `width`.
    """
    words = picture = likeness = None
    if text is not None:
        words = normalised_rows(encode(model.encode_texts, [readable(text)], batch_size=1), "text feature")
    if image is not None:
        features, p_values = encode_pictures(model, [image], 1)
        picture, likeness = normalised_rows(features, "picture feature"), None if p_values is None else p_values[0]
    parts = [part for part in (words, picture) if part is not None]
    for part in parts:
        if width is not None and part.shape[1] != width:
            raise ValueError(
                f"the model's features have {part.shape[1]} dimensions, the gallery's {width}: "
                "the gallery belongs to another model"
            )
    mixed = parts[0]
    if words is not None and picture is not None:
        mixed = normalised_rows(text_weight * words + (1 - text_weight) * picture, "query")
    own = None if words is None else words[0]
    return Query(mixed[0], text, own, image is not None, None if likeness is None else float(likeness))


def encode_query(model: Encoder, text: str | None = None, image: Any = None, text_weight: float = 0.5) -> Floats:
    """(D,) float64 of length one: the vector of :func:`encoded`, with its errors."""
    return encoded(model, text, image, text_weight).vector


def unread(model: object, text: str | None) -> list[str]:
    """Up to where a model reads a description that is too long for it, as a sentence; none where it reads all of it."""
    if text is None or (tokenizer := getattr(model, "tokenizer", None)) is None:
        return []
    limit, said = tokenizer.context_length, readable(text)
    if tokenizer([said], limit + 1, trim=True).shape[1] <= limit:
        return []
    last = " ".join(tokenizer.decode(tokenizer([said])[0]).split()[-4:])[-LAST:]
    return [f'The description is longer than the model reads: what follows "… {last}" does not count.']


def readable(text: str) -> str:
    """Text that can be encoded: halves of a character, which a browser may send, become question marks."""
    return text.encode("utf-8", "replace").decode()


def describe(model: Encoder, text: str, feature: Features | None = None) -> Floats:
    """(D,) float64 of length one of a description; `feature` (D,) where it is encoded already."""
    return encode_query(model, text) if feature is None else normalised_rows(to_numpy(feature)[None], "text feature")[0]


def check_rows(rows: Sequence[int] | Ints, count: int) -> Ints:
    """(k,) rows of a gallery of `count` pictures. Raises ValueError for one that lies outside."""
    shown = np.asarray(rows, np.int64).reshape(-1)
    if len(shown) and not (shown.min() >= 0 and shown.max() < count):
        raise ValueError(f"rows must lie in 0..{count - 1}, got {shown.tolist()}")
    return shown
