"""What `tireid demo` shows: a folder of pictures, a saved gallery, or the drawn test people, and its demo."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tireid.basics.files import read_json, write_atomically, write_json
from tireid.basics.folders import cache_dir
from tireid.demo.style import STYLE

if TYPE_CHECKING:
    from tireid.data import Split
    from tireid.demo.retrieval_demo import RetrievalDemo
    from tireid.explain.confidence import QuerySpread
    from tireid.search import Gallery

SAVED, MODEL = ("gallery.safetensors", "gallery.json"), "tiny-street"
STAMP, PREVIEW, SKIPPED, DATASET = "indexed_from.json", "first.html", "skipped.json", "synthetic"
SPREAD = "spread.safetensors"
FIRST = "a woman in a yellow top and white leggings with a pink backpack"
ASSETS = Path(__file__).parents[1] / "assets"


@dataclass(frozen=True)
class Collection:
    """A gallery on the disk: checked by :func:`find`, made by :func:`index`, opened by :func:`open_demo`."""

    gallery: Path
    model: str | None
    """None for the gallery's own."""
    folder: Path | None = None
    """Of the pictures; None for the drawn people, and for a gallery that its user saved."""
    stamp: Mapping[str, str] | None = None
    """What `gallery` was or is to be made from; None for a gallery that its user saved."""
    root: Path | None = None
    """Folder of the pictures of a gallery that its user saved, or was given; None for what it says itself."""

    @property
    def drawn(self) -> bool:
        """Whether it holds the drawn test people, whose captions are known."""
        return self.stamp is not None and self.folder is None

    @property
    def indexed(self) -> bool:
        """Whether `gallery` is there, made from what is there now."""
        kept = self.gallery / STAMP
        return self.stamp is None or (kept.is_file() and read_json(kept) == self.stamp)

    @property
    def preview(self) -> str:
        """The first view as HTML, to look at until the live one is there; nothing where :func:`index` kept none.

        That of the drawn people is bundled (:mod:`tireid.demo.bundled`): nobody waits for their drawing to see them.
        """
        if self.stamp is None:  # a page in somebody's folder of a gallery is none of ours
            return ""
        kept = self.gallery if self.indexed else ASSETS / MODEL
        known = self.indexed or (self.drawn and self.model == MODEL)
        return STYLE + (kept / PREVIEW).read_text(encoding="utf-8") if known and (kept / PREVIEW).is_file() else ""


def find(where: Path | None, model: str | None = None, root: Path | None = None) -> Collection:
    """What there is to show: a folder of pictures, a saved gallery, or the drawn test people for None.

    PyTorch is only loaded for what was not shown before. Raises FileNotFoundError or ValueError where there is nothing
    to show, GalleryError for another model's gallery.
    """
    if where is not None and not where.exists():
        raise FileNotFoundError(f"{where}: no such folder; give a folder of pictures, or one that `tireid index` wrote")
    if where is not None and any((where / name).is_file() for name in SAVED):
        _load(where, model)
        return Collection(where.resolve(), model, root=root and root.resolve())
    if root is not None:
        raise ValueError("--root is the folder of a saved gallery's pictures: give the gallery too")
    model = model or MODEL
    folder = where and where.resolve()
    stamp = {"files": _digest(_files(folder)), "model": _digest([model, *_files(_weights(model))]), "sealed": "1"}
    found = Collection(cache_dir() / "galleries" / _digest([str(folder), model]), model, folder, stamp)
    if folder is not None and not found.indexed:
        from tireid.search.pictures import find_pictures

        find_pictures(folder)
    return found


def index(found: Collection, say: Callable[[str], None] = lambda said: None) -> None:
    """Encode the pictures, unless that was done; what was encoded stays in the cache. `say` is told how far it is."""
    if found.indexed:
        return
    from tireid.basics.progress import Progress
    from tireid.model import TIReID
    from tireid.search import Gallery

    model, kept = TIReID.from_pretrained(str(found.model)), found.gallery
    with Progress(0, "index pictures") as bar:

        def tell(done: int, total: int) -> None:
            bar.to(done, total)
            say(f"Reading the pictures: {done:,} of {total:,}")

        if found.folder is None:
            gallery = Gallery.from_split(model, _drawn(say), on_progress=tell)
        else:
            gallery = Gallery.of_folder(model, found.folder, kept, on_progress=tell)
    (kept / STAMP).unlink(missing_ok=True)
    gallery.save(kept)
    write_json(kept / SKIPPED, {str(path): reason for path, reason in gallery.skipped})
    write_atomically(kept / PREVIEW, first_view(gallery))
    write_json(kept / STAMP, found.stamp or {})


def first_view(gallery: Gallery) -> str:
    """The answer to :data:`FIRST` as HTML, to stand below the style sheet."""
    from tireid.demo.retrieval_demo import RetrievalDemo

    return RetrievalDemo(gallery, state={"text": FIRST}).preview()


def open_demo(gallery: str, model: str | None, drawn: bool, folder: str, root: str | None = None) -> RetrievalDemo:
    """The demo of an indexed collection; files that it exports go to `folder`. `root`: see :class:`Collection`."""
    from tireid.demo.retrieval_demo import RetrievalDemo

    os.chdir(folder)
    loaded = _load(gallery, model, root)
    if (told := Path(gallery, SKIPPED)).is_file():
        loaded.skipped = [(Path(path), reason) for path, reason in read_json(told).items()]
    if not drawn:
        return RetrievalDemo(loaded, state={"text": FIRST})
    return RetrievalDemo(loaded, split=_drawn(), state={"text": FIRST}, spread=known_spread(model))


def known_spread(model: str | None) -> QuerySpread | None:
    """How sure answers of the bundled model on drawn people are, as it was measured; None for another model."""
    from safetensors.numpy import load_file

    from tireid.explain.confidence import QuerySpread

    if model != MODEL:  # a folder of weights may hold a file of that name too
        return None
    kept: dict[str, Any] = load_file(ASSETS / MODEL / SPREAD)
    return QuerySpread(**{name: values if values.ndim else values.item() for name, values in kept.items()})


def _drawn(say: Callable[[str], None] = lambda said: None) -> Split:
    """The test people, drawn where they are not there yet."""
    from tireid.data import load_dataset

    def tell(done: int, total: int) -> None:
        say(f"Drawing people: {done:,} of {total:,}")

    return load_dataset(DATASET, on_progress=tell).test


def _load(gallery: str | Path, model: str | None, root: str | None = None) -> Gallery:
    from tireid.model import TIReID
    from tireid.search import Gallery

    return Gallery.load(gallery, None if model is None else TIReID.from_pretrained(model), root=root)


def _weights(model: str) -> Path:
    """Where a bundled model or one of a directory lies: another one under the same name is another model."""
    bundled = ASSETS / model
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
