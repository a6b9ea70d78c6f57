"""One split of a data set as flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tireid.basics.arguments import COUNT, checked
from tireid.data.images import Upright
from tireid.data.rows import Record

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """The N images and M captions of one split, as flat arrays in the order of the records.

    A *pair* is one caption with its image; pairs and captions are numbered alike, 0..M-1.

    >>> split = Split("test", (Record(Path("a.jpg"), 7, ("a man", "a man in blue"), "test"),))
    >>> split.captions, split.caption_image_index.tolist(), split.caption_person_ids.tolist()
    (['a man', 'a man in blue'], [0, 0], [7, 7])
    """

    name: str
    records: tuple[Record, ...] = field(repr=False)
    upright: bool = field(default=False, repr=False)
    """Whether pictures are turned as their EXIF orientation says: of one's own they are, those of the published data
    sets are not, as in the code of IRRA, RDE and SSAN."""

    def pictures(self, model: Any) -> Sequence[Path] | Upright:
        """What `model` encodes of each picture: its path, or where pictures are turned, the picture as it then is."""
        size = getattr(getattr(model, "backbone", model), "image_size", None)
        return Upright(self.image_paths, size) if self.upright else self.image_paths

    @cached_property
    def image_paths(self) -> list[Path]:
        """N paths."""
        return [record.image for record in self.records]

    @cached_property
    def image_person_ids(self) -> Int64Array:
        """Raw person id of every image, int64 (N,)."""
        return np.array([record.person_id for record in self.records], dtype=np.int64)

    @cached_property
    def captions(self) -> list[str]:
        """M captions."""
        return [caption for record in self.records for caption in record.captions]

    @cached_property
    def caption_image_index(self) -> Int64Array:
        """Index of every caption's image, int64 (M,)."""
        counts = [len(record.captions) for record in self.records]
        return np.repeat(np.arange(len(counts), dtype=np.int64), counts)

    @cached_property
    def caption_person_ids(self) -> Int64Array:
        """Raw person id of every caption, int64 (M,)."""
        return self.image_person_ids[self.caption_image_index]

    @cached_property
    def label_of(self) -> dict[int, int]:
        """Raw person id to 0..n-1, in the order of the raw ids."""
        return {int(raw): label for label, raw in enumerate(np.unique(self.image_person_ids))}

    @cached_property
    def labels(self) -> Int64Array:
        """Label of every caption's person, int64 (M,): what a classifier and the sampler count with."""
        return np.searchsorted(np.unique(self.image_person_ids), self.caption_person_ids).astype(np.int64)

    @property
    def num_people(self) -> int:
        """How many people it shows."""
        return len(self.label_of)

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.records)

    @property
    def num_captions(self) -> int:
        """M."""
        return len(self.captions)

    @checked(people=COUNT)
    def head(self, people: int) -> Split:
        """The records of the first `people` people, in the order in which they come."""
        first = list(dict.fromkeys(self.image_person_ids.tolist()))[:people]
        chosen = frozenset(first)
        return replace(self, records=tuple(record for record in self.records if record.person_id in chosen))

    def __repr__(self) -> str:
        counts = f"{self.num_people:,} people, {self.num_images:,} images, {self.num_captions:,} captions"
        return f"Split({self.name!r}: {counts})"
