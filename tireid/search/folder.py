"""The pictures of a folder as features, those that are known already taken from an earlier gallery."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from tireid.search.encoded import Encoded, Partial
from tireid.search.encoder import Encoder, OnProgress, fingerprint
from tireid.search.evaluation import relative_names
from tireid.search.likeness import encode_pictures, warn_if_unlike
from tireid.search.pictures import read_batches

if TYPE_CHECKING:
    from tireid.search.searchable import Searchable

NAMED = 3
"""So many of the pictures that cannot be read are named in a warning; a gallery's `skipped` has all."""


class UnreadableError(ValueError):
    """None of the pictures of a folder can be read."""


def encode_found(
    model: Encoder,
    root: Path,
    found: Sequence[Path],
    known: Encoded,
    *,
    strict: bool = False,
    batch_size: int = 64,
    on_progress: OnProgress | None = None,
    partial: Partial | None = None,
) -> Encoded:
    """Features of the pictures `found` in `root`, those in `known` not encoded again; see :meth:`Gallery.from_folder`.

    Raises:
        UnreadableError: none of the pictures can be read.
        ImageError: one of them cannot, where `strict`.
    """
    size = getattr(getattr(model, "backbone", model), "image_size", None)
    fresh = sorted(set(found) - set(known.paths))
    before = Encoded() if partial is None else partial.known(fresh)
    known.add(before)
    for batch in read_batches(fresh, batch_size, size, strict=strict, known=set(before.paths)):
        known.skipped += batch.unreadable
        if batch.paths:
            features, likeness = encode_pictures(model, batch.images, batch_size)
            encoded = Encoded(batch.paths, batch.stamps, [features], [likeness])
            known.add(encoded)
            if partial is not None:
                partial.add(encoded)
        if on_progress is not None:
            on_progress(len(known.paths) + len(known.skipped), len(found))
    if known.skipped:
        told = [f"{path}: {reason}" for path, reason in known.skipped[:NAMED]]
        if not known.paths:
            raise UnreadableError(f"none of the {len(found)} pictures in {root} can be read; {told[0]}")
        told += [f"and {more:,} more"] if (more := len(known.skipped) - NAMED) > 0 else []
        warnings.warn(
            f"{len(known.skipped):,} of {len(found):,} pictures cannot be read and are not in the gallery: "
            f"{'; '.join(told)}",
            stacklevel=4,
        )
    whole = known.sorted()
    warn_if_unlike(whole.likeness[0], str(root))
    return whole


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
    wanted = dict(zip(relative_names(found, root), found, strict=True))
    return Encoded.unchanged(wanted, previous.index, stamps, previous.likeness)
