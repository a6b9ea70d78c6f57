"""How a gallery is kept: in memory, in half the memory, and on disk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from tireid.basics.arguments import checked
from tireid.basics.files import writable
from tireid.basics.terminal import printable
from tireid.search import storage
from tireid.search.approximate import Graph
from tireid.search.encoder import Encoder, fingerprint
from tireid.search.features import Ints
from tireid.search.index import Index
from tireid.search.names import Joined, Packed, Paths, beneath
from tireid.search.seal import is_sealed, opened, seal
from tireid.search.searchable import Searchable
from tireid.search.storage import UNKNOWN, GalleryError, Stored


class Saved(Searchable):
    """A gallery that can be saved and loaded; :class:`~tireid.search.gallery.Gallery` is made of pictures."""

    def _hold(
        self,
        model: Encoder | None,
        features: torch.Tensor | Sequence[torch.Tensor],
        names: Sequence[Packed],
        person_ids: Ints | None,
        cameras: Sequence[int | None] | None,
        own: bool = True,
    ) -> None:
        self._model = model
        self._packed = names
        self._own = own
        self.names = names[0] if len(names) == 1 else Joined(names)
        self.paths = Paths(self.root, self.names, beneath if own else opened)
        self.person_ids = person_ids
        self.cameras = None if cameras is None or all(c is None for c in cameras) else list(cameras)
        self.skipped: list[tuple[Path, str]] = []
        """Pictures that :meth:`from_folder` could not read, with the reason."""
        self.likeness = None
        self.index = Index(features, self.names)
        self._stamps: torch.Tensor | None = None
        self._header: storage.Header | None = None
        self._places: Sequence[str] = storage.WHOLE
        self._graph: Graph | None = None
        self._graph_files: Sequence[Path] = ()

    @property
    def model(self) -> Encoder:
        """What encodes queries; that of a loaded gallery is loaded when it is first asked for.

        Raises:
            GalleryError: the gallery does not say where its model is, or another one lies there.
        """
        if self._model is None:
            self._model = named_model(self._header)
        return self._model

    def half(self) -> Self:
        """The same gallery with features in float16: half as large, and found by scores of those features."""
        made = type(self).__new__(type(self))
        index = Index([part.half() for part in self.index.parts], self.names)
        made.__dict__ |= {**self.__dict__, "index": index, "_graph": None, "_graph_files": ()}
        made.__dict__.pop("features", None)
        return made

    @checked()
    def save(self, directory: str | Path) -> Path:
        """Write ``gallery.safetensors`` into `directory`, which is made; returns it.

        Paths below `root` are stored relative to it. The pictures themselves are not copied. The file, and the graph
        if there is one, appear whole; what was there before stays until then, and whoever has it open keeps it. A
        gallery that was loaded in shards is written in the same shards.
        """
        directory = writable(directory)
        graphs = []
        for place, stored in zip(self._places, self._stored(), strict=True):
            storage.write(directory / place, stored)
            graphs.append(storage.graph_file(directory / place, stored))
        if self._graph is not None:
            self._graph.save(graphs)
        storage.settle(directory, self._places, graphs)
        return directory

    def header(self, digest: str, names: Packed | None = None) -> storage.Header:
        """What a file with that digest of features and names says of itself; the user's seal if it is the user's."""
        model, source = (None, None) if self._header is None else (self._header.model, self._header.source)
        if self._model is not None:
            model, source = fingerprint(self._model), getattr(self._model, "source", source)
        root = None if self.root is None else str(Path(os.path.abspath(self.root)))  # noqa: PTH100 (keeps links)
        mark = seal(root, names) if self._own else None
        known: dict[str, Any] = {"model": model or "", "source": source, "root": root, "digest": digest, "seal": mark}
        known["upright"] = self.upright
        return storage.Header(format=storage.FORMAT, **known)

    def _stored(self) -> Iterator[Stored]:
        """What is written of each part of the gallery."""
        people, likeness = (None if own is None else torch.from_numpy(own) for own in (self.person_ids, self.likeness))
        of_pictures = (people, storage.ints(self.cameras), self._stamps, likeness)
        begin = 0
        for features, names in zip(self.index.parts, self._packed, strict=True):
            rows = slice(begin, begin + len(names))
            header = self.header(storage.digest_of(features, names), names)
            yield Stored(features, names, header, *(None if own is None else own[rows] for own in of_pictures))
            begin = rows.stop

    @classmethod
    @checked()
    def load(cls, directory: str | Path, model: Encoder | None = None, *, root: str | Path | None = None) -> Self:
        """Map what :meth:`save` or :mod:`tireid.search.shards` wrote; `root` says where pictures lie that have moved.

        A gallery that this user did not make here finds and names pictures, but has none of them opened unless they lie
        below `root`, links followed (:mod:`tireid.search.seal`); it is shown with boxes instead, and a note.

        Features and names are read when they are needed. Without `model` the one that the gallery names is loaded at
        the first query, if it is bundled or lies in a directory or file here. Pictures that are gone are still found,
        and shown as a box with their path; where their whole folder is gone, a warning says so.

        Raises:
            FileNotFoundError: no gallery there.
            GalleryError: it belongs to another model, or is damaged.
        """
        directory = Path(directory)
        parts = storage.read_parts(directory)
        header = next(iter(parts.values())).header
        if model is not None:
            check_model(model, header, directory)
        gallery = cls.__new__(cls)
        own = all(is_sealed(part.header.seal, part.header.root, part.names) for part in parts.values())
        place = header.root if root is None and own else root
        if place is not None and not os.path.isdir(place):  # noqa: PTH112 (Path's raises where a folder is closed)
            warnings.warn(
                f"the folder of this gallery's pictures is not there: {printable(place)}. They are found by name, but "
                "cannot be shown: give the folder where they are now, Gallery.load(..., root=FOLDER) or --root FOLDER",
                stacklevel=3,
            )
        gallery.root, gallery.upright = None if place is None else Path(place), header.upright
        people, cameras, stamps, likeness = (storage.joined(parts.values(), name) for name in storage.OPTIONAL)
        known = None if cameras is None else [None if c == UNKNOWN else c for c in cameras.tolist()]
        features, names = ([getattr(part, name) for part in parts.values()] for name in ("features", "names"))
        gallery._hold(model, features, names, None if people is None else people.numpy(), known, own)
        gallery._stamps, gallery._header, gallery._places = stamps, header, tuple(parts)
        gallery.likeness = None if likeness is None else likeness.numpy()
        gallery._graph_files = [storage.graph_file(directory / place, part) for place, part in parts.items()]
        return gallery


def named_model(header: storage.Header | None) -> Encoder:
    """The model that a saved gallery names."""
    if header is None or header.source is None:
        raise GalleryError("this gallery does not say where its model is: pass it, Gallery.load(directory, model)")
    from tireid.model import TIReID  # loaded only where a gallery is searched without one
    from tireid.model.io import BUNDLED

    if not Path(header.source).exists() and header.source not in BUNDLED:
        raise GalleryError(
            f"the gallery's model {header.source!r} is not here: Gallery.load(directory, model), or `--model`"
        )
    model = TIReID.from_pretrained(header.source)
    check_model(model, header, Path(header.source))
    return model


def check_model(model: Encoder, header: storage.Header, where: Path) -> None:
    """Raise GalleryError if what lies at `where` was made with another model."""
    if header.model != fingerprint(model):
        raise GalleryError(
            f"{where}: the gallery was indexed with another model, whose features cannot be compared with this one's; "
            "load the model that made it (`--model`), or index again with Gallery.from_folder or Gallery.from_split"
        )
