"""A gallery: encoded pictures that can be searched by a description, by a picture, or by both.

>>> from tireid import TIReID                                                   # doctest: +SKIP
>>> gallery = Gallery.from_folder(TIReID.from_pretrained("tiny"), "crops/")      # doctest: +SKIP
>>> gallery.search("a woman in a red coat with a backpack", k=10).show()         # doctest: +SKIP
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tireid.basics.files import atomic_path, write_atomically
from tireid.domain import describe
from tireid.search.encoder import Encoder, Float32s, OnProgress, file_digest, fingerprint
from tireid.search.evaluation import common_folder, relative_names
from tireid.search.hits import Hit, Hits
from tireid.search.index import Index, Mask
from tireid.search.likeness import Likeness, encode_pictures, warn_if_unlike
from tireid.search.metrics import Features, Floats, Ints, checked_numbers, normalised_rows, to_numpy
from tireid.search.pictures import find_pictures, read_batches
from tireid.search.query import check_k, encode_query, parse

if TYPE_CHECKING:
    from tireid.data.dataset import Split

FORMAT = 1


class GalleryError(ValueError):
    """A saved gallery that is damaged, incomplete, or of another model."""


class Filters(TypedDict, total=False):
    """Which pictures may be found."""

    exclude: Iterable[str | Path]
    """Paths, or names as in `names`, that are not to be found, as the query's own picture; those that are not in the
    gallery do not matter."""
    person_ids: Collection[int] | None
    """Only the pictures of these people."""
    cameras: Collection[int] | None
    """Only the pictures of these cameras."""


class Gallery:
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
        self.model = model
        self.paths = [Path(path) for path in paths]
        self.features: Float32s = _unit_rows(features)
        people = None if person_ids is None else to_numpy(person_ids)
        self.cameras = None if cameras is None or all(c is None for c in cameras) else list(cameras)
        self.likeness: Float32s | None = None
        """(N,) p-value of each picture, small where it is unlike what the model was trained on; None where unknown."""
        self.skipped: list[tuple[Path, str]] = []
        """Pictures that :meth:`from_folder` could not read, with the reason."""
        for name, values in (("features", self.features), ("person_ids", people), ("cameras", self.cameras)):
            if values is not None and len(values) != len(self.paths):
                raise ValueError(f"{name} has {len(values)} entries for {len(self.paths)} paths")
        self.person_ids: Ints | None = None if people is None else checked_numbers(people, "person_ids", len(people))
        self.root = Path(root) if root is not None else common_folder(self.paths)
        self.names = relative_names(self.paths, self.root)
        """Per picture its path relative to `root`, with forward slashes."""
        self.index = Index(self.features, self.names)

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
        on_progress: OnProgress | None = None,
    ) -> Self:
        """Every picture of a folder; which files count is told by :func:`~tireid.search.pictures.find_pictures`.

        Pictures that cannot be read are left out, listed in `skipped`, and counted in a warning; with `strict` the
        first one raises :class:`~tireid.data.images.ImageError`. `on_progress` is called with (read, found).

        Raises:
            NotADirectoryError: no such folder.
            FileNotFoundError: no picture in it.
            ValueError: none of the pictures can be read.
        """
        root = Path(folder)
        found = find_pictures(root, recursive=recursive, patterns=patterns)
        paths: list[Path] = []
        parts: list[tuple[Float32s, Float32s | None]] = []
        skipped: list[tuple[Path, str]] = []
        size = getattr(getattr(model, "backbone", model), "image_size", None)
        for batch in read_batches(found, batch_size, size=size, strict=strict):
            skipped += batch.unreadable
            if batch.pictures:
                paths += batch.paths
                parts.append(encode_pictures(model, batch.pictures, batch_size))
            if on_progress is not None:
                on_progress(len(paths) + len(skipped), len(found))
        if skipped:
            path, reason = skipped[0]
            if not paths:
                raise ValueError(f"none of the {len(found)} pictures in {root} can be read; {path}: {reason}")
            warnings.warn(
                f"{len(skipped)} of {len(found)} pictures cannot be read and are not in the gallery, see "
                f"gallery.skipped; the first is {path}: {reason}",
                stacklevel=2,
            )
        gallery = cls(model, np.concatenate([features for features, _ in parts]), paths, root=root)
        gallery.skipped = skipped
        known = [likeness for _, likeness in parts if likeness is not None]
        gallery.likeness = np.concatenate(known) if known else None
        warn_if_unlike(gallery.likeness, str(root))
        return gallery

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        people = "" if self.person_ids is None else f", {len(np.unique(self.person_ids))} people"
        skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"Gallery({len(self)} pictures{people}{skipped}, {self.features.shape[1]} dimensions, root={self.root})"

    @property
    def table(self) -> pd.DataFrame:
        """A row per picture: name, person_id, camera (missing where unknown), path (text)."""
        table = pd.DataFrame({"name": self.names})
        table["person_id"] = pd.array([None] * len(self) if self.person_ids is None else self.person_ids, "Int64")
        table["camera"] = pd.array(self.cameras or [None] * len(self), "Int64")
        return table.assign(path=[str(path) for path in self.paths])

    def search(
        self,
        query: Any = None,
        *,
        text: str | None = None,
        image: Any = None,
        k: int = 10,
        text_weight: float = 0.5,
        person_id: int | None = None,
        **filters: Unpack[Filters],
    ) -> Hits:
        """The k most similar pictures, best first; pictures of equal score by their name.

        Args:
            query: a description (str), a picture (:class:`pathlib.Path` or PIL), or a pair (description, picture).
            text: a description, instead of `query`.
            image: a picture (str or Path, PIL, array), instead of `query`. With `text`, both count: the query is
                text_weight * text + (1 - text_weight) * picture, each of length one, brought to length one again.
            k: how many; all where the gallery has fewer.
            text_weight: 0..1, used where both are given.
            person_id: whom the query describes, where known: hits are then marked as right or wrong.
            filters: `exclude`, `person_ids` and `cameras`, see :class:`Filters`.

        Raises:
            ValueError: no query or two, an empty description, a picture that cannot be read, k < 1, a weight outside
                0..1, filters that the gallery has no data for or that leave nothing.
        """
        text, image = parse(query, text, image)
        k = check_k(k)
        vector = encode_query(self.model, text, image, text_weight, width=self.features.shape[1])
        allowed = self.allowed(**filters)
        found = self.nearest(vector, k, allowed, person_id)
        notes: tuple[str, ...] = ()
        if text is not None and image is None:
            notes = Likeness.of(self, text, vector, [hit.row for hit in found], allowed).notes
        domain = describe(self.model) if hasattr(self.model, "domain") else ""
        return Hits(found.items, text, image, found.among, found.first_right, notes, domain)

    def nearest(self, vector: Floats, k: int, allowed: Mask | None = None, person_id: int | None = None) -> Hits:
        """As :meth:`search`, with a query (D,) of length one and a mask (N,) of the pictures that may be found.

        Scores are float64 cosines with the features (N, D); without `allowed` every picture may be found.
        """
        rows, scores = self.index.search(vector, k, allowed)
        first = None
        if self.person_ids is not None and person_id is not None:
            first = self.index.first(vector, self.person_ids == person_id, rows, allowed)
        hits = tuple(self.hit(rank, *pair, person_id) for rank, pair in enumerate(zip(rows, scores, strict=True), 1))
        return Hits(hits, among=len(self) if allowed is None else int(allowed.sum()), first_right=first)

    def hit(self, rank: int, row: int, score: float | None, person_id: int | None = None) -> Hit:
        """A picture with what the gallery knows of it; right or wrong where `person_id` is wanted."""
        shown = None if self.person_ids is None else int(self.person_ids[row])
        return Hit(
            rank,
            self.paths[row],
            self.names[row],
            None if score is None else float(score),
            shown,
            None if shown is None or person_id is None else shown == person_id,
            camera=None if self.cameras is None else self.cameras[row],
            row=int(row),
        )

    def allowed(self, **filters: Unpack[Filters]) -> Mask | None:
        """(N,) which pictures the filters leave; None for all.

        Raises:
            ValueError: filters that the gallery has no data for or that leave nothing.
        """
        exclude = filters.get("exclude", ())
        unwanted = {str(exclude)} if isinstance(exclude, str | Path) else {str(path) for path in exclude}
        allowed = np.ones(len(self), np.bool_)
        if unwanted:
            pairs = zip(self.names, self.paths, strict=True)
            allowed &= np.array([name not in unwanted and str(path) not in unwanted for name, path in pairs])
        known: tuple[tuple[str, Sequence[int | None] | Ints | None, Collection[int] | None], ...] = (
            ("person_ids", self.person_ids, filters.get("person_ids")),
            ("cameras", self.cameras, filters.get("cameras")),
        )
        for word, own, wanted in known:
            if wanted is not None and own is None:
                raise ValueError(f"this gallery has no {word}, so it cannot be searched by them")
            if wanted is not None and own is not None:
                chosen = set(wanted)
                allowed &= np.array([value in chosen for value in own])
        if not allowed.any():
            raise ValueError("no picture is left: the filters exclude all of them")
        return None if allowed.all() else allowed

    def save(self, directory: str | Path) -> Path:
        """Write ``features.safetensors`` and ``gallery.json`` into `directory`, which is made; returns it.

        Paths below `root` are stored relative to it. The pictures themselves are not copied.
        """
        directory = Path(directory)
        features_file = directory / "features.safetensors"
        with atomic_path(features_file) as temporary:
            likeness = {} if self.likeness is None else {"likeness": self.likeness}
            save_file({"features": self.features} | likeness, temporary)
        content = {
            "format": FORMAT,
            "model": fingerprint(self.model),
            "features": file_digest(features_file),
            "root": None if self.root is None else str(Path(os.path.abspath(self.root))),  # noqa: PTH100 (keeps links)
            "paths": self.names,
            "person_ids": None if self.person_ids is None else self.person_ids.tolist(),
            "cameras": self.cameras,
        }
        write_atomically(directory / "gallery.json", json.dumps(content) + "\n")
        return directory

    @classmethod
    def load(cls, directory: str | Path, model: Encoder, *, root: str | Path | None = None) -> Self:
        """Read what :meth:`save` wrote; `root` says where the pictures lie, where they have moved.

        Pictures that are gone are still found, and shown as a box with their path.

        Raises:
            FileNotFoundError: no gallery there.
            GalleryError: it belongs to another model, or is damaged.
        """
        directory = Path(directory)
        file, features_file = directory / "gallery.json", directory / "features.safetensors"
        for needed in (file, features_file):
            if not needed.is_file():
                raise FileNotFoundError(f"{needed} is missing: {directory} is not a gallery written by Gallery.save")
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise GalleryError(f"{file} has the format {content['format']}, this version reads {FORMAT}")
            if content["features"] != file_digest(features_file):
                raise GalleryError(f"{features_file} is not the one that {file} was written with: index again")
            if content["model"] != fingerprint(model):
                raise GalleryError(
                    f"{directory} was indexed with another model, whose features cannot be compared with this one's; "
                    "load the model that made it, or index again with Gallery.from_folder or Gallery.from_split"
                )
            root = content["root"] if root is None else root
            paths = [Path(root or "", name) for name in content["paths"]]
            tensors = load_file(features_file)
            gallery = cls(model, tensors["features"], paths, content["person_ids"], content["cameras"], root=root)
            gallery.likeness = tensors.get("likeness")
            return gallery
        except (json.JSONDecodeError, KeyError, TypeError, SafetensorError) as error:
            raise GalleryError(f"{directory} is damaged ({error!r}): index again") from error


def _unit_rows(features: Features) -> Float32s:
    """Rows of length one; those that already are stay as they are to the bit, so that saving changes no score."""
    given, unit = to_numpy(features), normalised_rows(features, "features")
    same = np.abs(given - unit).max(axis=1, keepdims=True) < 1e-6
    return np.where(same, given, unit).astype(np.float32)
