"""A gallery on disk: one file that is replaced as a whole, mapped into memory, and read where it is needed.

``gallery.safetensors`` holds the features, the names as one run of UTF-8 with their ends, identities and cameras; its
header says which model made them. So features and names cannot come from different saves, a reader keeps the file that
it opened while another takes its place, and a million names cost no object before they are shown.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from tireid.basics.files import atomic_path, file_digest, read_regular, write_json
from tireid.search.names import Packed

FILE, KEY = "gallery.safetensors", "tireid.gallery"
PARTIAL = "partial-*.safetensors"
"""What indexings that were not finished have encoded, see :mod:`tireid.search.encoded`."""
FORMAT: Final = 2
OPTIONAL = ("person_ids", "cameras", "stamps", "likeness")
MANIFEST, WHOLE, SHARD = "shards.json", ("",), r"^shard-\d+-of-\d+$"
"""Names the directories of a gallery in shards; those of one that is not; how they are called."""
OLD_FEATURES, OLD_TABLE = "features.safetensors", "gallery.json"
UNKNOWN = np.iinfo(np.int64).min
"""Stands for a camera that is not known."""
VERIFIED = 64 * 2**20
"""Bytes; the digest of larger features is not computed when they are loaded, which would read them all."""


class GalleryError(ValueError):
    """A saved gallery that is damaged, incomplete, or of another model.

    >>> issubclass(GalleryError, ValueError)
    True
    """


class Header(BaseModel):
    """What the file says of itself."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: int
    model: str
    """Fingerprint of the model."""
    source: str | None
    """Name or path that the model was loaded from, where known."""
    root: str | None
    digest: str
    """Of features and names, 32 hexadecimal digits."""
    seal: str | None = None
    """Of root and names, see :mod:`tireid.search.seal`; None in what earlier versions wrote."""
    upright: bool = True
    """See :attr:`Gallery.upright`; earlier versions wrote nothing, and showed every picture turned upright."""


class _OldTable(BaseModel):
    """What the table of the earlier format says."""

    model_config = ConfigDict(strict=True)

    format: int
    model: str = ""
    features: str = ""
    root: str | None = None
    paths: list[Any] = []
    """Text, with surrogates where a file's name is not UTF-8."""
    person_ids: list[Annotated[int, Field(ge=-(2**63), lt=2**63)]] | None = None
    cameras: list[Annotated[int, Field(ge=-(2**63), lt=2**63)] | None] | None = None


class Manifest(BaseModel):
    """Which shards make up a gallery: directories beside the manifest."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal[2]
    shards: list[Annotated[str, Field(pattern=SHARD)]] = Field(min_length=1)


@dataclass(frozen=True)
class Stored:
    """What a gallery consists of, but for its model."""

    features: Tensor
    """(N, D) float32 or float16"""
    names: Packed
    header: Header
    person_ids: Tensor | None = None
    """(N,) int64"""
    cameras: Tensor | None = None
    """(N,) int64, :data:`UNKNOWN` where not known"""
    stamps: Tensor | None = None
    """(N,) int64, which tell the state of each picture's file when it was encoded"""
    likeness: Tensor | None = None
    """(N,) float32, see :attr:`Gallery.likeness`"""


def write(directory: Path, stored: Stored, name: str = FILE) -> None:
    """Write ``gallery.safetensors`` into `directory`; what was there stays until the new file is whole."""
    names = stored.names
    # safetensors takes the bytes in the order in which they lie in memory: contiguous() makes that the order of rows.
    tensors = {"features": stored.features.contiguous(), "text": names.text, "ends": names.ends}
    optional = {name: getattr(stored, name) for name in OPTIONAL}
    tensors |= {name: values for name, values in optional.items() if values is not None}
    with atomic_path(directory / name) as temporary:
        save_file(tensors, temporary, metadata={KEY: stored.header.model_dump_json()})


def graph_file(directory: Path, stored: Stored) -> Path:
    """Where the graph of a part that lies in `directory` is kept."""
    return directory / f"graph-{stored.header.digest}.usearch"


def settle(directory: Path, places: Sequence[str], graphs: Sequence[Path]) -> None:
    """Let the gallery in `directory` consist of the parts `places`, with `graphs`; what else was of one there goes.

    One that is not in shards has the one place :data:`WHOLE`.
    """
    manifest = directory / MANIFEST
    if places != WHOLE:
        write_json(manifest, Manifest(format=FORMAT, shards=list(places)).model_dump())
    gone = {path for name in (OLD_TABLE, OLD_FEATURES, PARTIAL, "graph-*.usearch") for path in directory.glob(name)}
    gone |= {directory / FILE} if places != WHOLE else {manifest}
    for place in places:
        gone |= set((directory / place).glob("graph-*.usearch"))
    for path in gone - set(graphs):
        path.unlink(missing_ok=True)
    for folder in directory.glob("shard-*-of-*"):
        if re.fullmatch(SHARD, folder.name) and folder.name not in places:
            shutil.rmtree(folder)


def shard_name(shard: int, of: int) -> str:
    """Directory, below that of the gallery, of a shard, counted from 0.

    >>> shard_name(0, 8)
    'shard-0-of-8'
    """
    return f"shard-{shard}-of-{of}"


def places_of(directory: Path) -> Sequence[str]:
    """Directories, below `directory`, of the parts of the gallery there. Raises GalleryError for a damaged manifest."""
    manifest = directory / MANIFEST
    if not manifest.is_file():
        return WHOLE
    try:
        return tuple(Manifest.model_validate_json(manifest.read_bytes()).shards)
    except ValueError as error:  # pydantic's are ValueErrors
        raise GalleryError(f"{manifest} is damaged ({error}): index again") from error


def read_parts(directory: Path) -> dict[str, Stored]:
    """:func:`read` for each part of a gallery, by its directory below `directory`.

    Raises:
        FileNotFoundError: no gallery there.
        GalleryError: it is damaged, lacks a part, or its parts are of different models, folders or orientations.
    """
    places = places_of(directory)
    try:
        parts = {place: read(directory / place) for place in places}
    except FileNotFoundError as error:
        if places_of(directory) != places:  # replaced in between
            return read_parts(directory)
        if places == WHOLE:
            raise
        raise GalleryError(f"{directory / MANIFEST} names a shard that is not there ({error}): index again") from error
    first, *others = places
    for place in others:
        one, other = parts[first], parts[place]
        if any(getattr(one.header, name) != getattr(other.header, name) for name in ("model", "root", "upright")):
            other_kind = f"is of another model or folder than {first}, or its pictures are turned otherwise"
            raise GalleryError(f"{directory}: {place} {other_kind}: index again")
    return parts


def joined(parts: Iterable[Stored], name: str) -> Tensor | None:
    """(N,) what all parts say of their pictures, `name` being one of :data:`OPTIONAL`; None if one does not."""
    values = [getattr(part, name) for part in parts]
    if any(value is None for value in values):
        return None
    return values[0] if len(values) == 1 else torch.cat(values)


def read(directory: Path) -> Stored:
    """Map what :func:`write` wrote, or read the two files of the earlier format.

    Raises:
        FileNotFoundError: no gallery there.
        GalleryError: it is damaged.
    """
    file = directory / FILE
    stored = read_file(file) if file.is_file() else _read_old(directory)
    if stored.features.nbytes <= VERIFIED:
        lengths = torch.linalg.vector_norm(stored.features, dim=1, dtype=torch.float32)
        if not ((lengths - 1).abs() < 0.01).all():  # nor NaN
            raise GalleryError(f"{directory} is damaged (its features are not of length one): index again")
    return stored


def read_file(file: Path) -> Stored:
    """Map one file that :func:`write` wrote. Raises GalleryError where it is damaged or absent."""
    try:
        # safe_open opens by name twice: what was replaced in between is read again. A held file keeps its number.
        with file.open("rb") as held, safe_open(file, framework="pt") as opened:
            header = Header.model_validate_json((opened.metadata() or {})[KEY])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dict)
            if not os.path.samestat(os.fstat(held.fileno()), file.stat()):
                return read_file(file)
        if header.format != FORMAT:
            raise GalleryError(f"{file} has the format {header.format}, this version reads {FORMAT}")
        if (kinds := (tensors["text"].dtype, tensors["ends"].dtype)) != (torch.uint8, torch.int64):
            raise ValueError(f"text and ends are {kinds}")
        names = Packed(tensors["text"], tensors["ends"])
        stored = Stored(tensors["features"], names, header, *(tensors.get(name) for name in OPTIONAL))
        _check(stored)
    except GalleryError:
        raise
    except (SafetensorError, KeyError, ValueError, OSError) as error:  # pydantic's are ValueErrors
        raise GalleryError(f"{file} is damaged ({type(error).__name__}: {error}): index again") from error
    return stored


def digest_of(features: Tensor, names: Packed) -> str:
    """BLAKE2b of features (N, D) and names, 32 hexadecimal digits."""
    digest = hashlib.blake2b(repr((features.dtype, tuple(features.shape))).encode(), digest_size=16)
    for part in (features, names.text, names.ends):
        digest.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check(stored: Stored) -> None:
    """Raise ValueError where the parts do not fit together."""
    features, names = stored.features, stored.names
    if features.ndim != 2 or 0 in features.shape or features.dtype not in (torch.float32, torch.float16):
        raise ValueError(f"features are {features.dtype} of the shape {tuple(features.shape)}")
    for name, values in (("names", names.ends), *((name, getattr(stored, name)) for name in OPTIONAL)):
        kind = torch.float32 if name == "likeness" else torch.int64
        if values is not None and (values.dtype != kind or values.shape != features.shape[:1]):
            raise ValueError(f"{name} are {values.dtype} {tuple(values.shape)} for {len(features)} features")
    if int(names.ends[-1]) != len(names.text) or bool((names.ends.diff() < 0).any()):
        raise ValueError("the names end elsewhere than their text")
    if features.nbytes <= VERIFIED and digest_of(features, names) != stored.header.digest:
        raise ValueError("features or names are not those that were written")


def _read_old(directory: Path) -> Stored:
    table, features_file = directory / OLD_TABLE, directory / OLD_FEATURES
    for needed in (table, features_file):
        if not needed.is_file():
            missing = directory / FILE if not table.is_file() and not features_file.is_file() else needed
            raise FileNotFoundError(
                f"{missing} is missing: {directory} is not a gallery; `tireid index FOLDER {directory}` makes one"
            )
    try:
        old = _OldTable.model_validate(json.loads(read_regular(table)))
        if old.format != 1:
            raise GalleryError(f"{table} has the format {old.format}, this version reads {FORMAT} and 1")
        if old.features != file_digest(features_file):
            raise GalleryError(f"{features_file} is not the one that {table} was written with: index again")
        tensors = load_file(features_file)
        features, names = tensors["features"], Packed.of(old.paths)
        digest = digest_of(features, names)
        header = Header(format=FORMAT, model=old.model, source=None, root=old.root, digest=digest)
        optional = (ints(old.person_ids), ints(old.cameras))
        stored = Stored(features, names, header, *optional, likeness=tensors.get("likeness"))
        _check(stored)
    except GalleryError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, SafetensorError) as error:
        raise GalleryError(f"{directory} is damaged ({error!r}): index again") from error
    return stored


def ints(values: Any) -> Tensor | None:
    """(N,) int64 of integers and None; None for None."""
    if values is None:
        return None
    return torch.tensor([UNKNOWN if value is None else int(value) for value in values], dtype=torch.int64)
