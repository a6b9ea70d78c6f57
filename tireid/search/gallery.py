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
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from tireid.basics.files import atomic_path, write_atomically
from tireid.data.images import ImageError, open_image
from tireid.search.encoder import Encoder, Float32s, OnProgress, encode, file_digest, fingerprint
from tireid.search.evaluation import common_folder, relative_names
from tireid.search.hits import Hit, Hits
from tireid.search.index import ExactIndex, FaissIndex, Index
from tireid.search.metrics import Features, Ints, normalised_rows, to_numpy
from tireid.search.pictures import EXTENSIONS, find_pictures

if TYPE_CHECKING:
    from tireid.data.dataset import Split

FORMAT = 1
IndexName = Literal["exact", "faiss"]


class GalleryError(ValueError):
    """A saved gallery that is damaged, incomplete, or of another model."""


class Gallery:
    """Pictures, their features and, where known, whom they show.

    Args:
        model: :class:`tireid.TIReID`, or anything with its `encode_images` and `encode_texts`.
        features: (N, D) with N >= 1, NumPy or PyTorch; kept as float32 rows of length one.
        paths: N paths of the pictures, which need not exist until they are shown.
        person_ids: (N,) integers, or None where unknown.
        cameras: (N,) integers, single ones None where unknown; or None.
        root: folder that names are relative to; the deepest that holds all pictures where absent.
        index: ``"exact"`` or ``"faiss"``; both find the same, see :meth:`use_faiss`.

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
        index: IndexName = "exact",
    ) -> None:
        if len(paths) == 0:
            raise ValueError("the gallery is empty: it needs at least one picture")
        self.model = model
        self.paths = [Path(path) for path in paths]
        self.features: Float32s = _unit_rows(features)
        self.person_ids: Ints | None = None if person_ids is None else np.asarray(person_ids, np.int64)
        self.cameras = None if cameras is None or all(c is None for c in cameras) else list(cameras)
        self.skipped: list[tuple[Path, str]] = []
        """Pictures that :meth:`from_folder` could not read, with the reason."""
        for name, values in (("features", self.features), ("person_ids", self.person_ids), ("cameras", self.cameras)):
            if values is not None and len(values) != len(self.paths):
                raise ValueError(f"{name} has {len(values)} entries for {len(self.paths)} paths")
        self.root = Path(root) if root is not None else common_folder(self.paths)
        self.names = relative_names(self.paths, self.root)
        """Per picture its path relative to `root`, with forward slashes."""
        place = np.empty(len(self), np.int64)
        place[sorted(range(len(self)), key=self.names.__getitem__)] = np.arange(len(self))
        self._index: Index = ExactIndex(self.features, place)
        if index == "faiss":
            self.use_faiss()
        elif index != "exact":
            raise ValueError(f"index must be 'exact' or 'faiss', not {index!r}")

    @classmethod
    def from_split(
        cls,
        model: Encoder,
        split: Split,
        *,
        images: Any = None,
        batch_size: int = 64,
        index: IndexName = "exact",
        on_progress: OnProgress | None = None,
    ) -> Self:
        """The pictures of a split, with person ids and, where the data has them, cameras.

        `images` may be the split's pictures already decoded, as in :func:`tireid.evaluate`.
        """
        pictures = list(split.image_paths) if images is None else images
        if len(pictures) != split.num_images or not len(pictures):
            raise ValueError(f"{len(pictures)} pictures for the {split.num_images} of split {split.name!r}")
        features = encode(model.encode_images, pictures, batch_size=batch_size, on_progress=on_progress)
        cameras = [record.camera for record in split.records]
        return cls(model, features, split.image_paths, split.image_person_ids, cameras, index=index)

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
        index: IndexName = "exact",
        on_progress: OnProgress | None = None,
    ) -> Self:
        """Every picture of a folder; which files count is told by :func:`~tireid.search.pictures.find_pictures`.

        Pictures that cannot be read are left out, listed in `skipped`, and counted in a warning; with `strict` the
        first one raises :class:`~tireid.data.images.ImageError`. `on_progress` is called with (read, found).
        """
        root = Path(folder)
        found = find_pictures(root, recursive=recursive, patterns=patterns)
        paths: list[Path] = []
        parts: list[Float32s] = []
        skipped: list[tuple[Path, str]] = []
        for begin in range(0, len(found), batch_size):
            batch = found[begin : begin + batch_size]
            pictures = []
            for path in batch:
                try:
                    pictures.append(open_image(path))
                    paths.append(path)
                except ImageError as error:
                    if strict:
                        raise
                    skipped.append((path, str(error).removeprefix(f"{path}: ")))
            if pictures:
                parts.append(encode(model.encode_images, pictures, batch_size=batch_size))
            if on_progress is not None:
                on_progress(begin + len(batch), len(found))
        if skipped:
            path, reason = skipped[0]
            if not paths:
                raise ValueError(f"none of the {len(found)} pictures in {root} can be read; {path}: {reason}")
            warnings.warn(
                f"{len(skipped)} of {len(found)} pictures cannot be read and are not in the gallery, see "
                f"gallery.skipped; the first is {path}: {reason}",
                stacklevel=2,
            )
        gallery = cls(model, np.concatenate(parts), paths, root=root, index=index)
        gallery.skipped = skipped
        return gallery

    def use_faiss(self) -> Self:
        """Search with a faiss `IndexFlatIP` from now on: the same hits, faster where the gallery is large.

        Raises:
            ImportError: faiss is missing; names the extra that brings it.
        """
        self._index = FaissIndex(self._index.features, self._index.place)
        return self

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
        exclude: Iterable[str | Path] = (),
        person_ids: Collection[int] | None = None,
        cameras: Collection[int] | None = None,
        person_id: int | None = None,
    ) -> Hits:
        """The k most similar pictures, best first; pictures of equal score by their name.

        Args:
            query: a description (str), a picture (:class:`pathlib.Path` or PIL), or a pair (description, picture).
            text: a description, instead of `query`.
            image: a picture (str or Path, PIL, array), instead of `query`. With `text`, both count: the query is
                text_weight * text + (1 - text_weight) * picture, each of length one, brought to length one again.
            k: how many; all where the gallery has fewer.
            text_weight: 0..1, used where both are given.
            exclude: paths, or names as in `names`, that are not to be found, as the query's own picture; those that
                are not in the gallery do not matter.
            person_ids: search only the pictures of these people.
            cameras: search only the pictures of these cameras.
            person_id: whom the query describes, where known: hits are then marked as right or wrong.

        Raises:
            ValueError: no query or two, an empty description, a picture that cannot be read, k < 1, a weight outside
                0..1, filters that the gallery has no data for or that leave nothing.
        """
        text, image = _parse_query(query, text, image)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise ValueError(f"k must be a positive integer, not {k!r}")
        vector = self._encode_query(text, image, text_weight)
        rows, scores = self._index.search(vector, int(k), self._allowed(exclude, person_ids, cameras))
        hits = (self._hit(rank, *pair, person_id) for rank, pair in enumerate(zip(rows, scores, strict=True), start=1))
        return Hits(tuple(hits), text, image)

    def save(self, directory: str | Path) -> Path:
        """Write ``features.safetensors`` and ``gallery.json`` into `directory`, which is made; returns it.

        Paths below `root` are stored relative to it. The pictures themselves are not copied.
        """
        directory = Path(directory)
        features_file = directory / "features.safetensors"
        with atomic_path(features_file) as temporary:
            save_file({"features": self.features}, temporary)
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
    def load(
        cls, directory: str | Path, model: Encoder, *, root: str | Path | None = None, index: IndexName = "exact"
    ) -> Self:
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
            features = load_file(features_file)["features"]
            return cls(model, features, paths, content["person_ids"], content["cameras"], root=root, index=index)
        except (json.JSONDecodeError, KeyError, TypeError, SafetensorError) as error:
            raise GalleryError(f"{directory} is damaged ({error!r}): index again") from error

    def _encode_query(self, text: str | None, image: Any, text_weight: float) -> npt.NDArray[np.float64]:
        """(D,) float64 of length one."""
        if not 0 <= text_weight <= 1:
            raise ValueError(f"text_weight must be between 0 and 1, not {text_weight}")
        parts = []
        if text is not None:
            parts.append(normalised_rows(encode(self.model.encode_texts, [text], batch_size=1), "text feature"))
        if image is not None:
            parts.append(normalised_rows(encode(self.model.encode_images, [image], batch_size=1), "picture feature"))
        for part in parts:
            if part.shape[1] != self.features.shape[1]:
                raise ValueError(
                    f"the model's features have {part.shape[1]} dimensions, the gallery's {self.features.shape[1]}: "
                    "the gallery belongs to another model"
                )
        mixed = parts[0] if len(parts) == 1 else text_weight * parts[0] + (1 - text_weight) * parts[1]
        vector: npt.NDArray[np.float64] = normalised_rows(mixed, "query")[0]
        return vector

    def _allowed(
        self, exclude: Iterable[str | Path], person_ids: Collection[int] | None, cameras: Collection[int] | None
    ) -> npt.NDArray[np.bool_] | None:
        """(N,) which pictures may be found; None for all."""
        unwanted = {str(exclude)} if isinstance(exclude, str | Path) else {str(path) for path in exclude}
        if not unwanted and person_ids is None and cameras is None:
            return None
        pairs = zip(self.names, self.paths, strict=True)
        allowed = np.array([name not in unwanted and str(path) not in unwanted for name, path in pairs])
        for word, own, wanted in (("person_ids", self.person_ids, person_ids), ("cameras", self.cameras, cameras)):
            if wanted is None:
                continue
            if own is None:
                raise ValueError(f"this gallery has no {word}, so it cannot be searched by them")
            chosen = set(wanted)
            allowed &= np.array([value in chosen for value in own])
        if not allowed.any():
            raise ValueError("exclude, person_ids and cameras together leave no picture to search")
        return allowed

    def _hit(self, rank: int, row: int, score: float, person_id: int | None) -> Hit:
        shown = None if self.person_ids is None else int(self.person_ids[row])
        camera = None if self.cameras is None else self.cameras[row]
        correct = None if shown is None or person_id is None else shown == person_id
        return Hit(rank, self.paths[row], self.names[row], float(score), shown, camera, correct)


def _unit_rows(features: Features) -> Float32s:
    """Rows of length one; those that already are stay as they are to the bit, so that saving changes no score."""
    given, unit = to_numpy(features), normalised_rows(features, "features")
    same = np.abs(given - unit).max(axis=1, keepdims=True) < 1e-6
    return np.where(same, given, unit).astype(np.float32)


def _parse_query(query: Any, text: str | None, image: Any) -> tuple[str | None, Any]:
    """(description or None, picture or None), at least one of them there."""
    if query is not None:
        if text is not None or image is not None:
            raise ValueError("give either query or text= and image=, not both")
        if isinstance(query, tuple):
            if len(query) != 2 or not isinstance(query[0], str):
                raise ValueError("a query of two parts is (description, picture)")
            text, image = query
        elif isinstance(query, str):
            text = query
        else:
            image = query
    if text is None and image is None:
        raise ValueError("nothing to search for: give a description, a picture, or both")
    if text is not None:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"the description must be text that is not empty, not {text!r}")
        if image is None and text.lower().endswith(EXTENSIONS) and Path(text).is_file():
            raise ValueError(f"{text!r} is a picture's file, not a description: pass image= or a pathlib.Path")
    if isinstance(image, str | Path):
        image = open_image(image)
    elif image is not None and not isinstance(image, Image.Image):
        image = Image.fromarray(np.asarray(image, np.uint8)).convert("RGB")
    return text, image
