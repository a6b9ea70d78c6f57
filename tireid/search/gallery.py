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
from typing import Any, Self, Unpack

import numpy as np
import numpy.typing as npt
import torch

from tireid.basics.arguments import COUNT, LIST, PATH, ROOT, checked
from tireid.data.checks import naming_all
from tireid.data.split import Split
from tireid.search.encoded import Partial
from tireid.search.encoder import Encoder, OnProgress
from tireid.search.evaluation import common_folder, relative_names
from tireid.search.features import CAMERA, Features, checked_numbers, to_numpy, unit_rows
from tireid.search.folder import encode_found, unchanged
from tireid.search.likeness import encode_pictures
from tireid.search.names import Packed
from tireid.search.pictures import Which, find_pictures
from tireid.search.saved import Saved
from tireid.search.storage import GalleryError


class Gallery(Saved):
    """Pictures, their features and, where known, whom they show.

    Args:
        model: :class:`tireid.TIReID`, or anything with its `encode_images` and `encode_texts`.
        features: (N, D) with N >= 1, NumPy or PyTorch; kept as float32 rows of length one.
        paths: N paths of the pictures, which need not exist until they are shown.
        person_ids: (N,) integers, or None where unknown.
        cameras: (N,) integers, single ones None where unknown; or None.
        root: folder that names are relative to; the deepest that holds all pictures where absent.
        upright: whether the pictures were encoded turned as their EXIF orientation says; they are shown likewise.
            ``model.encode_images(paths)`` reads them as they are stored, :meth:`from_folder` turns them.

    Raises:
        ValueError: lengths that do not fit, an empty gallery, NaN, infinite or zero features.

    >>> from tireid import TIReID
    >>> gallery = Gallery(TIReID.from_pretrained("tiny"), np.eye(2, 128), ["a.jpg", "b.jpg"])
    >>> hits = gallery.search("a woman in a red coat", k=1)
    >>> len(hits), hits[0].rank
    (1, 1)
    """

    @checked(root=ROOT)
    def __init__(
        self,
        model: Encoder,
        features: Features,
        paths: Sequence[str | Path],
        person_ids: Sequence[int] | npt.NDArray[Any] | None = None,
        cameras: Sequence[int | None] | None = None,
        *,
        root: str | Path | None = None,
        upright: bool = False,
    ) -> None:
        if len(paths) == 0:
            raise ValueError("the gallery is empty: it needs at least one picture")
        pictures = [Path(PATH(f"paths[{row}]", path)) for row, path in enumerate(paths)]
        self.root, self.upright = Path(root) if root is not None else common_folder(pictures), upright
        names = Packed.of(relative_names(pictures, self.root))
        rows, people = unit_rows(features), None if person_ids is None else to_numpy(person_ids)
        for name, values in (("features", rows), ("person_ids", people), ("cameras", cameras)):
            if values is not None and len(values) != len(names):
                raise ValueError(f"{name} has {len(values)} entries for {len(names)} paths")
        known = None if people is None else checked_numbers(people, "person_ids", len(people))
        seen = None if cameras is None else [CAMERA(f"cameras[{row}]", camera) for row, camera in enumerate(cameras)]
        self._hold(model, rows, [names], known, seen)

    @classmethod
    @checked(images=LIST, batch_size=COUNT)
    def from_split(
        cls,
        model: Encoder,
        split: Split,
        *,
        images: Any = None,
        batch_size: int = 64,
        on_progress: OnProgress | None = None,
    ) -> Self:
        """The pictures of a split, with person ids and, where the data has them, cameras; turned as the split says.

        `images` may be the split's pictures already decoded, as in :func:`tireid.evaluate`.

        Raises:
            ValueError: an empty split, or `images` of another length.
            ImageError: pictures cannot be read; the first three are named, all are counted.
        """
        pictures = split.pictures(model) if images is None else images
        if len(pictures) != split.num_images or not len(pictures):
            raise ValueError(f"{len(pictures)} pictures for the {split.num_images} of split {split.name!r}")
        with naming_all(split.image_paths):
            features, likeness = encode_pictures(model, pictures, batch_size, on_progress)
        cameras = [record.camera for record in split.records]
        gallery = cls(model, features, split.image_paths, split.image_person_ids, cameras, upright=split.upright)
        gallery.likeness = likeness
        return gallery

    @classmethod
    @checked(batch_size=COUNT)
    def from_folder(
        cls,
        model: Encoder,
        folder: str | Path,
        *,
        strict: bool = False,
        batch_size: int = 64,
        previous: Gallery | None = None,
        on_progress: OnProgress | None = None,
        partial: Partial | None = None,
        **which: Unpack[Which],
    ) -> Self:
        """Every picture of a folder, or :class:`some <tireid.search.pictures.Which>`.

        Pictures that cannot be read are left out and listed in `skipped`; a warning counts them and names the first
        three. With `strict` the first one raises :class:`~tireid.data.images.ImageError`. Features of files that
        `previous`, of the same folder and model, knows and that did not change since are taken from it. `on_progress`
        is called with (read, found). What is encoded is only kept in memory; :meth:`of_folder`, which passes `partial`,
        puts it down on the way.

        Raises:
            NotADirectoryError: no such folder.
            FileNotFoundError: no picture in it.
            UnreadableError: none of the pictures can be read.
            ValueError: `previous` is of another model.
        """
        root = Path(folder)
        found = find_pictures(root, **which)
        known = unchanged(found, root, model, previous, None if previous is None else previous._stamps)
        how: dict[str, Any] = {"strict": strict, "batch_size": batch_size, "on_progress": on_progress}
        encoded = encode_found(model, root, found, known, partial=partial, **how)
        gallery = cls(model, encoded.parts[0], encoded.paths, root=root, upright=True)
        gallery._stamps = torch.tensor(encoded.stamps, dtype=torch.int64)
        gallery.skipped, gallery.likeness = encoded.skipped, encoded.likeness[0]
        return gallery

    @classmethod
    @checked()
    def of_folder(cls, model: Encoder, folder: str | Path, saved: str | Path, **options: Any) -> Self:
        """:meth:`from_folder`, or :meth:`update` where `saved` holds a gallery of that folder by the same model.

        What is encoded is put down in `saved` every minute, and when an error or Ctrl+C ends the call, in files
        ``partial-*.safetensors``. After any accident, :meth:`of_folder` goes on from there. The gallery that `saved`
        holds stays as it is; :meth:`save` there replaces it, and removes those files.
        """
        previous = None
        with suppress(FileNotFoundError, GalleryError):
            known = cls.load(saved, model, root=folder)
            made_of = known._header and known._header.root
            if made_of == os.path.abspath(folder) and known._stamps is not None:  # noqa: PTH100 (as it was written)
                previous = known
        with Partial(Path(saved), model, Path(folder)) as partial:
            return cls.from_folder(model, folder, previous=previous, partial=partial, **options)

    def update(self, **options: Any) -> Self:
        """The gallery of its folder as it is now: what is new or changed is encoded, what is gone is forgotten.

        `options` are those of :meth:`from_folder`, to be given as they were then. A new gallery; this one stays.

        Raises:
            ValueError: the gallery has no folder, or was not made with :meth:`from_folder`.
        """
        if self.root is None or self._stamps is None:
            raise ValueError("only a gallery that was made with Gallery.from_folder knows its folder's state")
        return self.from_folder(self.model, self.root, previous=self, **options)

    def __repr__(self) -> str:
        people = "" if self.person_ids is None else f", {len(np.unique(self.person_ids))} people"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"Gallery({len(self)} pictures{people}{skipped}, {self.index.width} dimensions, root={self.root})"
