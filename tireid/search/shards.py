"""Galleries in shards, for more pictures than one process should encode or one memory hold.

A picture belongs to a shard by its name, so each shard can be made by itself, anywhere, and made again when the folder
has changed. A shard is a gallery in a directory of its own. Together they are one gallery: a manifest names them,
:meth:`Gallery.load` maps them, and a search finds what it would find in a gallery of one part.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tireid.search.encoder import Encoder
from tireid.search.folder import UnreadableError
from tireid.search.gallery import Gallery
from tireid.search.pictures import find_pictures
from tireid.search.storage import places_of, settle, shard_name


def index_shard(
    model: Encoder,
    folder: str | Path,
    directory: str | Path,
    share: tuple[int, int],
    *,
    half: bool = False,
    graph: bool = False,
    **options: Any,
) -> Gallery | None:
    """Make or update one shard of the gallery in `directory`; None if there is no picture of its share.

    Args:
        model: what encodes.
        folder: of the pictures.
        directory: of the whole gallery.
        share: (i, n), the i-th of n shards, from 0.
        half: keep features in float16.
        graph: make the graph of approximate search too.
        options: as of :meth:`Gallery.from_folder`.
    """
    place = Path(directory) / shard_name(*share)
    try:
        gallery = Gallery.of_folder(model, folder, place, share=share, **options)
    except (FileNotFoundError, UnreadableError):  # merge() tells where no shard has any
        return None
    return keep(gallery, place, half=half, graph=graph)


def keep(gallery: Gallery, directory: str | Path, *, half: bool, graph: bool) -> Gallery:
    """Save a gallery, in float16 and with a graph where that is asked for; returns what was saved."""
    gallery = gallery.half() if half else gallery
    (gallery.build_graph() if graph else gallery).save(directory)
    return gallery


def merge(folder: str | Path, directory: str | Path, made: Iterable[int], of: int) -> Gallery:
    """Let the gallery in `directory` consist of the shards `made` by :func:`index_shard`, out of `of`; returns it.

    Nothing is copied: this writes the manifest, and removes what belongs to an earlier gallery there.

    Raises:
        FileNotFoundError: no picture in `folder`.
        UnreadableError: none of them can be read.
    """
    directory, places = Path(directory), tuple(shard_name(shard, of) for shard in made)
    if not places:
        found = find_pictures(folder)
        raise UnreadableError(f"none of the {len(found)} pictures in {folder} can be read; the first is {found[0]}")
    settle(directory, places, [file for place in places for file in (directory / place).glob("graph-*.usearch")])
    return Gallery.load(directory)


def shards_of(directory: str | Path) -> int:
    """How many shards the gallery in `directory` was made in; 0 where there is none, or none in shards."""
    first, *_ = places_of(Path(directory))
    return int(first.rpartition("-")[-1] or 0)
