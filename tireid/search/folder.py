"""The pictures of a folder as features, those that are known already taken from an earlier gallery."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tireid.search.encoder import Encoder, Float32s, OnProgress, fingerprint
from tireid.search.evaluation import relative_names
from tireid.search.likeness import encode_pictures, warn_if_unlike
from tireid.search.pictures import read_batches, stamp_of

if TYPE_CHECKING:
    from tireid.search.searchable import Searchable


class UnreadableError(ValueError):
    """None of the pictures of a folder can be read."""


@dataclass
class Encoded:
    """Pictures of a folder."""

    paths: list[Path] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    """Per picture the state of its file."""
    parts: list[Float32s] = field(default_factory=list)
    """Features (n, D) of the pictures in their order, in parts."""
    likeness: list[Float32s | None] = field(default_factory=list)
    """Of each part, see :func:`~tireid.search.likeness.encode_pictures`."""
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    """Pictures that cannot be read, with the reason."""

    def sorted(self) -> Encoded:
        """In the order of the paths, features in one part (N, D)."""
        order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        paths, stamps = [self.paths[row] for row in order], [self.stamps[row] for row in order]
        known = [part for part in self.likeness if part is not None]
        likeness = [np.concatenate(known)[order] if len(known) == len(self.parts) else None]
        return Encoded(paths, stamps, [np.concatenate(self.parts)[order]], likeness, self.skipped)


def encode_found(
    model: Encoder,
    root: Path,
    found: Sequence[Path],
    known: Encoded,
    *,
    strict: bool = False,
    batch_size: int = 64,
    on_progress: OnProgress | None = None,
) -> Encoded:
    """Features of the pictures `found` in `root`, those in `known` not encoded again; see :meth:`Gallery.from_folder`.

    Raises:
        UnreadableError: none of the pictures can be read.
        ImageError: one of them cannot, where `strict`.
    """
    size = getattr(getattr(model, "backbone", model), "image_size", None)
    fresh = sorted(set(found) - set(known.paths))
    for batch in read_batches(fresh, batch_size, size, strict=strict):
        known.skipped += batch.unreadable
        if batch.paths:
            known.paths += batch.paths
            known.stamps += batch.stamps
            features, likeness = encode_pictures(model, batch.images, batch_size)
            known.parts.append(features)
            known.likeness.append(likeness)
        if on_progress is not None:
            on_progress(len(known.paths) + len(known.skipped), len(found))
    if known.skipped:
        path, reason = known.skipped[0]
        if not known.paths:
            raise UnreadableError(f"none of the {len(found)} pictures in {root} can be read; {path}: {reason}")
        warnings.warn(
            f"{len(known.skipped)} of {len(found)} pictures cannot be read and are not in the gallery, see "
            f"gallery.skipped; the first is {path}: {reason}",
            stacklevel=4,
        )
    encoded = known.sorted()
    warn_if_unlike(encoded.likeness[0], str(root))
    return encoded


def unchanged(
    found: Sequence[Path], root: Path, model: Encoder, previous: Searchable | None, stamps: torch.Tensor | None
) -> Encoded:
    """Those of `found` that `previous` knows in the state that they are in now; `stamps` (N,) are of its pictures.

    Raises:
        ValueError: `previous` was made with another model.
    """
    if previous is None or stamps is None:
        return Encoded()
    if model is not previous.model and fingerprint(model) != fingerprint(previous.model):
        raise ValueError("the previous gallery was made with another model: index the folder from the start")
    known = dict(zip(previous.names, zip(stamps.tolist(), range(len(previous)), strict=True), strict=True))
    same = []
    for path, name in zip(found, relative_names(found, root), strict=True):
        stamp, row = known.get(name, (0, -1))
        if stamp and stamp == stamp_of(path):
            same.append((path, stamp, row))
    rows = np.array([row for *_, row in same], np.int64)
    if not same:
        return Encoded()
    likeness = None if previous.likeness is None else previous.likeness[rows]
    parts = [previous.index.rows(rows)]
    return Encoded([path for path, *_ in same], [stamp for _, stamp, _ in same], parts, [likeness])
