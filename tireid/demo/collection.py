"""What `tireid demo` shows: a folder of pictures, a saved gallery, or the drawn test people, and its demo."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tireid.basics.files import read_json, write_atomically, write_json
from tireid.basics.folders import cache_dir

if TYPE_CHECKING:
    from tireid.demo.retrieval_demo import RetrievalDemo
    from tireid.search import Gallery

SAVED, MODEL = ("gallery.safetensors", "gallery.json"), "tiny-street"
STAMP, PREVIEW, DATASET = "indexed_from.json", "first.html", "synthetic"
FIRST = "a woman in a red coat with a black backpack"


@dataclass(frozen=True)
class Collection:
    """A gallery on the disk, ready to be loaded: made by :func:`prepare`, opened by :func:`open_demo`."""

    gallery: Path
    model: str | None
    """None for the gallery's own."""
    drawn: bool = False
    """Whether it holds the drawn test people, whose captions are known."""

    @property
    def preview(self) -> str:
        """The first view as HTML, to look at until the live one is there; nothing where none was kept."""
        kept = self.gallery / PREVIEW
        return kept.read_text(encoding="utf-8") if kept.is_file() else ""


def prepare(where: Path | None, model: str | None = None) -> Collection:
    """Index a folder, check a saved gallery, or index the drawn test people for None.

    What was indexed stays in the cache, and is used again while the folder's files are the same; PyTorch is not needed
    then. Raises FileNotFoundError or ValueError where there is nothing to show, GalleryError for another model's
    gallery.
    """
    if where is not None and not where.exists():
        raise FileNotFoundError(f"{where}: no such folder; give a folder of pictures, or one that `tireid index` wrote")
    if where is not None and any((where / name).is_file() for name in SAVED):
        _load(where, model)
        return Collection(where.resolve(), model)
    model = model or MODEL
    kept = cache_dir() / "galleries" / _digest([str(where and where.resolve()), model])
    stamp = {"files": _digest(_files(where)), "model": _digest([model, *_files(_weights(model))])}
    if not (kept / STAMP).is_file() or read_json(kept / STAMP) != stamp:
        _index(where, model, kept)
        write_json(kept / STAMP, stamp)
    return Collection(kept, model, drawn=where is None)


def open_demo(gallery: str, model: str | None, drawn: bool, folder: str) -> RetrievalDemo:
    """The demo of a prepared collection; files that it exports go to `folder`."""
    from tireid.data import load_dataset
    from tireid.demo.retrieval_demo import RetrievalDemo

    os.chdir(folder)
    loaded = _load(gallery, model)
    if not drawn:
        return RetrievalDemo(loaded, state={"text": FIRST})
    test = load_dataset(DATASET).test
    return RetrievalDemo(loaded, split=test, state={"text": FIRST})


def _load(gallery: str | Path, model: str | None) -> Gallery:
    from tireid.model import TIReID
    from tireid.search import Gallery

    return Gallery.load(gallery, None if model is None else TIReID.from_pretrained(model))


def _index(where: Path | None, model: str, kept: Path) -> None:
    from tireid.basics.progress import Progress
    from tireid.data import load_dataset
    from tireid.demo.retrieval_demo import RetrievalDemo
    from tireid.model import TIReID
    from tireid.search import Gallery
    from tireid.search.pictures import find_pictures

    if where is not None:
        total = len(find_pictures(where))
        with Progress(total, "index pictures") as bar:
            gallery = Gallery.from_folder(TIReID.from_pretrained(model), where, on_progress=bar.to)
    else:
        test = load_dataset(DATASET).test
        with Progress(test.num_images, "index pictures") as bar:
            gallery = Gallery.from_split(TIReID.from_pretrained(model), test, on_progress=bar.to)
    (kept / STAMP).unlink(missing_ok=True)
    gallery.save(kept)
    write_atomically(kept / PREVIEW, RetrievalDemo(gallery, state={"text": FIRST}).preview())


def _weights(model: str) -> Path:
    """Where a bundled model or one of a directory lies: another one under the same name is another model."""
    bundled = Path(__file__).parents[1] / "assets" / model
    return bundled if bundled.is_dir() else Path(model)


def _files(folder: Path | None) -> Iterator[str]:
    """Path, size and time of every file of a folder, in order; nothing where there is none."""
    if folder is None or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            told = path.stat()
            yield json.dumps([os.fsencode(path.relative_to(folder)).hex(), told.st_size, told.st_mtime_ns])


def _digest(parts: Iterator[str] | list[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
