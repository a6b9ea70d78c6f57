"""A gallery: encoded pictures that can be searched by a description, by a picture, or by both.

>>> from tireid import TIReID                                                   # doctest: +SKIP
>>> gallery = Gallery.from_folder(TIReID.from_pretrained("tiny"), "crops/")      # doctest: +SKIP
>>> gallery.search("a woman in a red coat with a backpack", k=10).show()         # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from tireid.search import storage
from tireid.search.approximate import Graph
from tireid.search.encoder import Encoder, OnProgress, fingerprint
from tireid.search.evaluation import common_folder, relative_names
from tireid.search.features import Features, Ints, checked_numbers, to_numpy
from tireid.search.folder import encode_found, unchanged
from tireid.search.index import Index
from tireid.search.likeness import encode_pictures
from tireid.search.names import Packed, Paths
from tireid.search.pictures import find_pictures
from tireid.search.searchable import Searchable
from tireid.search.storage import UNKNOWN, GalleryError, Stored, unit_rows

if TYPE_CHECKING:
    from tireid.data.dataset import Split


class Gallery(Searchable):
    """Pictures, their features and, where known, whom they show.

    Args:
        model: :class:`tireid.TIReID`, or anything with its `encode_images` and `encode_texts`.
        features: (N, D) with N >= 1, NumPy or PyTorch; kept as float32 rows of length one.
        paths: N paths of the pictures, which need not exist until they are shown.
        person_ids: (N,) integers, or None where unknown.
        cameras: (N,) integers, single ones None where unknown; or None.
        root: folder that names are relative to; the deepest that holds all pictures where absent.

    Raises:
        ValueError: lengths that do not fit, an empty gallery, NaN, infinite or zero features.
    """

    def __init__(
        self,
        model: Encoder,
        features: Features,
        paths: Sequence[str | Path],
        person_ids: Sequence[int] | npt.NDArray[Any] | None = None,
        cameras: Sequence[int | None] | None = None,
        *,
        root: str | Path | None = None,
    ) -> None:
        if len(paths) == 0:
            raise ValueError("the gallery is empty: it needs at least one picture")
        pictures = [Path(path) for path in paths]
        self.root = Path(root) if root is not None else common_folder(pictures)
        names = Packed.of(relative_names(pictures, self.root))
        rows, people = unit_rows(features), None if person_ids is None else to_numpy(person_ids)
        for name, values in (("features", rows), ("person_ids", people), ("cameras", cameras)):
            if values is not None and len(values) != len(names):
                raise ValueError(f"{name} has {len(values)} entries for {len(names)} paths")
        known = None if people is None else checked_numbers(people, "person_ids", len(people))
        self._hold(model, rows, names, known, cameras)

    def _hold(
        self,
        model: Encoder | None,
        features: torch.Tensor,
        names: Packed,
        person_ids: Ints | None,
        cameras: Sequence[int | None] | None,
    ) -> None:
        self._model = model
        self.names, self.paths = names, Paths(self.root, names)
        self.person_ids = person_ids
        self.cameras = None if cameras is None or all(c is None for c in cameras) else list(cameras)
        self.skipped: list[tuple[Path, str]] = []
        """Pictures that :meth:`from_folder` could not read, with the reason."""
        self.likeness = None
        self.index = Index(features, names)
        self._stamps: torch.Tensor | None = None
        self._header: storage.Header | None = None
        self._graph: Graph | None = None
        self._graph_file: Path | None = None

    @classmethod
    def from_split(
        cls,
        model: Encoder,
        split: Split,
        *,
        images: Any = None,
        batch_size: int = 64,
        on_progress: OnProgress | None = None,
    ) -> Self:
        """The pictures of a split, with person ids and, where the data has them, cameras.

        `images` may be the split's pictures already decoded, as in :func:`tireid.evaluate`.

        Raises:
            ValueError: an empty split, or `images` of another length.
        """
        pictures = list(split.image_paths) if images is None else images
        if len(pictures) != split.num_images or not len(pictures):
            raise ValueError(f"{len(pictures)} pictures for the {split.num_images} of split {split.name!r}")
        features, likeness = encode_pictures(model, pictures, batch_size, on_progress)
        cameras = [record.camera for record in split.records]
        gallery = cls(model, features, split.image_paths, split.image_person_ids, cameras)
        gallery.likeness = likeness
        return gallery

    @classmethod
    def from_folder(
        cls,
        model: Encoder,
        folder: str | Path,
        *,
        recursive: bool = True,
        patterns: Sequence[str] | str = "*",
        strict: bool = False,
        batch_size: int = 64,
        previous: Gallery | None = None,
        on_progress: OnProgress | None = None,
    ) -> Self:
        """Every picture of a folder; which files count is told by :func:`~tireid.search.pictures.find_pictures`.

        Pictures that cannot be read are left out, listed in `skipped`, and counted in a warning; with `strict` the
        first one raises :class:`~tireid.data.images.ImageError`. Features of files that `previous`, of the same folder
        and model, knows and that did not change since are taken from it. `on_progress` is called with (read, found).

        Raises:
            NotADirectoryError: no such folder.
            FileNotFoundError: no picture in it.
            ValueError: none of the pictures can be read, or `previous` is of another model.
        """
        root = Path(folder)
        found = find_pictures(root, recursive=recursive, patterns=patterns)
        known = unchanged(found, root, model, previous, None if previous is None else previous._stamps)
        encoded = encode_found(model, root, found, known, strict=strict, batch_size=batch_size, on_progress=on_progress)
        gallery = cls(model, encoded.parts[0], encoded.paths, root=root)
        gallery._stamps = torch.tensor(encoded.stamps, dtype=torch.int64)
        gallery.skipped, gallery.likeness = encoded.skipped, encoded.likeness[0]
        return gallery

    @classmethod
    def of_folder(cls, model: Encoder, folder: str | Path, saved: str | Path, **options: Any) -> Self:
        """:meth:`from_folder`, or :meth:`update` where `saved` holds a gallery of that folder by the same model."""
        with suppress(FileNotFoundError, GalleryError):
            known = cls.load(saved, model)
            if known.root == Path(folder) and known._stamps is not None:
                return known.update(**options)
        return cls.from_folder(model, folder, **options)

    def update(self, **options: Any) -> Self:
        """The gallery of its folder as it is now: what is new or changed is encoded, what is gone is forgotten.

        `options` are those of :meth:`from_folder`, to be given as they were then. A new gallery; this one stays.

        Raises:
            ValueError: the gallery has no folder, or was not made with :meth:`from_folder`.
        """
        if self.root is None or self._stamps is None:
            raise ValueError("only a gallery that was made with Gallery.from_folder knows its folder's state")
        return self.from_folder(self.model, self.root, previous=self, **options)

    @property
    def model(self) -> Encoder:
        """What encodes queries; that of a loaded gallery is loaded when it is first asked for.

        Raises:
            GalleryError: the gallery does not say where its model is, or another one lies there.
        """
        if self._model is None:
            self._model = _named_model(self._header)
        return self._model

    def half(self) -> Self:
        """The same gallery with features in float16: half as large, and found by scores of those features."""
        made = type(self).__new__(type(self))
        made.__dict__ |= {**self.__dict__, "index": Index(self.index.features.half(), self.names), "_graph": None}
        made.__dict__ |= {"_header": None, "_graph_file": None}
        made.__dict__.pop("features", None)
        return made

    def __repr__(self) -> str:
        people = "" if self.person_ids is None else f", {len(np.unique(self.person_ids))} people"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        width = self.index.features.shape[1]
        return f"Gallery({len(self)} pictures{people}{skipped}, {width} dimensions, root={self.root})"

    def save(self, directory: str | Path) -> Path:
        """Write ``gallery.safetensors`` into `directory`, which is made; returns it.

        Paths below `root` are stored relative to it. The pictures themselves are not copied. The file, and the graph
        if there is one, appear whole; what was there before stays until then, and whoever has it open keeps it.
        """
        directory = Path(directory)
        stored = self._stored()
        graph = directory / f"graph-{stored.header.digest}.usearch"
        if self._graph is not None and not graph.is_file():
            self._graph.save(graph)
        storage.write(directory, stored)
        for other in set(directory.glob("graph-*.usearch")) - {graph}:  # of features that are no longer there
            other.unlink(missing_ok=True)
        return directory

    def _stored(self) -> Stored:
        model, source = (None, None) if self._header is None else (self._header.model, self._header.source)
        if self._model is not None:
            model, source = fingerprint(self._model), getattr(self._model, "source", source)
        root = None if self.root is None else str(Path(os.path.abspath(self.root)))  # noqa: PTH100 (keeps links)
        digest = storage.digest_of(self.index.features, self.names)
        header = storage.Header(format=storage.FORMAT, model=model or "", source=source, root=root, digest=digest)
        people, likeness = (None if own is None else torch.from_numpy(own) for own in (self.person_ids, self.likeness))
        return Stored(
            self.index.features, self.names, header, people, storage.ints(self.cameras), self._stamps, likeness
        )

    @classmethod
    def load(cls, directory: str | Path, model: Encoder | None = None, *, root: str | Path | None = None) -> Self:
        """Map what :meth:`save` wrote; `root` says where the pictures lie, where they have moved.

        Features and names are read when they are needed. Without `model` the one that the gallery names is loaded at
        the first query, if it is bundled or lies in a directory or file here. Pictures that are gone are still found,
        and shown as a box with their path.

        Raises:
            FileNotFoundError: no gallery there.
            GalleryError: it belongs to another model, or is damaged.
        """
        directory = Path(directory)
        stored = storage.read(directory)
        if model is not None:
            _check_model(model, stored.header, directory)
        gallery = cls.__new__(cls)
        own = stored.header.root if root is None else root
        gallery.root = None if own is None else Path(own)
        cameras = None if stored.cameras is None else [None if c == UNKNOWN else c for c in stored.cameras.tolist()]
        people = None if stored.person_ids is None else stored.person_ids.numpy()
        gallery._hold(model, stored.features, stored.names, people, cameras)
        gallery._stamps, gallery._header = stored.stamps, stored.header
        gallery.likeness = None if stored.likeness is None else stored.likeness.numpy()
        gallery._graph_file = directory / f"graph-{stored.header.digest}.usearch"
        return gallery


def _named_model(header: storage.Header | None) -> Encoder:
    """The model that a saved gallery names."""
    if header is None or header.source is None:
        raise GalleryError("this gallery does not say where its model is: pass it, Gallery.load(directory, model)")
    from tireid.model import TIReID  # loaded only where a gallery is searched without one
    from tireid.model.io import BUNDLED

    if not Path(header.source).exists() and header.source not in BUNDLED:
        raise GalleryError(f"the gallery's model {header.source!r} is not here: Gallery.load(directory, model)")
    model = TIReID.from_pretrained(header.source)
    _check_model(model, header, Path(header.source))
    return model


def _check_model(model: Encoder, header: storage.Header, where: Path) -> None:
    if header.model != fingerprint(model):
        raise GalleryError(
            f"{where}: the gallery was indexed with another model, whose features cannot be compared with this one's; "
            "load the model that made it, or index again with Gallery.from_folder or Gallery.from_split"
        )
