"""Pictures of a folder as features, and what an indexing puts down of them on its way."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch

from tireid.search import storage
from tireid.search.encoder import Encoder, Float32s, fingerprint
from tireid.search.evaluation import relative_names
from tireid.search.index import Index
from tireid.search.names import Packed
from tireid.search.pictures import stamp_of

EVERY = 60.0
"""Seconds from one part to the next; what is written then is only what is new, however large the gallery is."""


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

    @classmethod
    def unchanged(
        cls, wanted: dict[str, Path], index: Index, stamps: torch.Tensor, likeness: Float32s | None
    ) -> Encoded:
        """Those of an index whose files, by name in `wanted`, still have their stamp (N,); they leave `wanted`."""
        same = [
            (wanted.pop(name), stamp, row)
            for row, (name, stamp) in enumerate(zip(index.names, stamps.tolist(), strict=True))
            if stamp and name in wanted and stamp == stamp_of(wanted[name])
        ]
        if not same:
            return cls()
        rows = np.array([row for *_, row in same], np.int64)
        known = [None if likeness is None else likeness[rows]]
        return cls([path for path, *_ in same], [stamp for _, stamp, _ in same], [index.rows(rows)], known)

    def add(self, other: Encoded) -> None:
        """Take in the pictures of another one."""
        self.paths += other.paths
        self.stamps += other.stamps
        self.parts += other.parts
        self.likeness += other.likeness
        self.skipped += other.skipped

    def sorted(self) -> Encoded:
        """In the order of the paths, features in one part (N, D)."""
        order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        paths, stamps = [self.paths[row] for row in order], [self.stamps[row] for row in order]
        known = [part for part in self.likeness if part is not None]
        likeness = [np.concatenate(known)[order] if len(known) == len(self.parts) else None]
        return Encoded(paths, stamps, [np.concatenate(self.parts)[order]], likeness, self.skipped)


class Partial:
    """What indexings that were not finished have encoded, in files of their own beside the gallery.

    Each file is a part: what came since the one before. An indexing writes one now and then, and one where it ends by
    an error; the next takes features from them. They go when a gallery is saved there (:func:`storage.settle`).

    Args:
        directory: of the gallery.
        model: what encodes.
        root: folder of the pictures.
    """

    def __init__(self, directory: Path, model: Encoder, root: Path) -> None:
        self._directory, self._model, self._root = directory, model, root
        self._new, self._since = Encoded(), time.monotonic()

    @cached_property
    def _made_of(self) -> tuple[str, str]:
        """What the header of a part says of model and folder; weights are digested once, not for every part."""
        return fingerprint(self._model), os.path.abspath(self._root)  # noqa: PTH100 (keeps links)

    def known(self, paths: Sequence[Path]) -> Encoded:
        """Those of `paths` that are encoded already by the same model, and have not changed since."""
        known, wanted = Encoded(), dict(zip(relative_names(paths, self._root), paths, strict=True))
        for file in self._directory.glob(storage.PARTIAL):
            with suppress(storage.GalleryError):  # it is damaged, or an indexing beside this one has just ended
                part = storage.read_file(file)
                if part.stamps is not None and (part.header.model, part.header.root) == self._made_of:
                    index, likeness = Index(part.features, part.names), part.likeness
                    p_values = None if likeness is None else likeness.numpy()
                    known.add(Encoded.unchanged(wanted, index, part.stamps, p_values))
        return known

    def add(self, encoded: Encoded) -> None:
        """Take what was just encoded, and write it with what came before it if it is time."""
        self._new.add(encoded)
        if time.monotonic() - self._since > EVERY:
            self._write()

    def _write(self) -> None:
        if self._new.paths:
            new = self._new.sorted()
            features, names = torch.from_numpy(new.parts[0]), Packed.of(relative_names(new.paths, self._root))
            digest, (model, root) = storage.digest_of(features, names), self._made_of
            header = storage.Header(format=storage.FORMAT, model=model, source=None, root=root, digest=digest)
            stamps = torch.tensor(new.stamps, dtype=torch.int64)
            likeness = None if new.likeness[0] is None else torch.from_numpy(new.likeness[0])
            stored = storage.Stored(features, names, header, stamps=stamps, likeness=likeness)
            storage.write(self._directory, stored, storage.PARTIAL.replace("*", digest))
        self._new, self._since = Encoded(), time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Without an error the gallery is about to be saved; with one, that is told, not a disk that is full too."""
        if kind is not None:
            with suppress(OSError):
                self._write()
