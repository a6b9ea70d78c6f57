"""The user's own pictures, from an upload control into a folder."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from tireid.basics.files import write_atomically
from tireid.data.images import ImageError, open_image
from tireid.data.walk import EXTENSIONS
from tireid.search.encoder import Encoder
from tireid.search.gallery import Gallery
from tireid.show.cards import printable


def received(files: Sequence[Mapping[str, Any]], folder: Path) -> list[str]:
    """Write uploaded files (dicts with `name` and `content`) into `folder`; names of those that are no picture.

    A file keeps its name without folders and odd characters; one of the same name replaces the earlier one. Raises
    ValueError if none of them can be read.
    """
    refused = []
    for file in files:
        path = folder / safe_name(str(file["name"]))
        write_atomically(path, bytes(file["content"]))
        try:
            open_image(path)
        except ImageError:
            path.unlink()
            refused.append(printable(str(file["name"])))
    if len(refused) == len(files):
        raise ValueError(f"none of the uploaded files is a readable picture: {', '.join(refused)}")
    return refused


def encoded(model: Encoder, path: Path) -> Gallery:
    """A picture as a gallery of its own; it must lie alone in its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the query bar says it where it is seen
        return Gallery.from_folder(model, path.parent)


def unused(name: str, taken: Collection[str]) -> str:
    """`name`, or one like it that nobody has.

    >>> unused("a.jpg", {"a.jpg", "_a.jpg"})
    '__a.jpg'
    """
    while name in taken:
        name = f"_{name}"
    return name


def safe_name(name: str) -> str:
    """A file name that stays inside its folder and is found as a picture.

    >>> safe_name("../../etc/pass wd.JPG"), safe_name("..."), safe_name("<b>.heic")
    ('pass wd.JPG', 'picture.jpg', '_b_.heic.jpg')
    """
    last = re.split(r"[/\\]", name)[-1]
    kept = re.sub(r"[^\w .()+-]", "_", last).lstrip(". ")[-120:] or "picture.jpg"
    return kept if kept.lower().endswith(EXTENSIONS) else f"{kept}.jpg"
