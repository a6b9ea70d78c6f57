"""A data set as its splits, and `load_dataset`, which finds or makes one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tireid.data.annotations import LAYOUTS, Record, read_annotations
from tireid.data.checks import CheckReport, Progress, check_dataset
from tireid.data.images import cache_dir

Int64Array = npt.NDArray[np.int64]
SYNTHETIC_LAYOUT: Final = "CUHK-PEDES"


@dataclass(frozen=True)
class Split:
    """The N images and M captions of one split, as flat arrays in the order of the records.

    A *pair* is one caption with its image; pairs and captions are numbered alike, 0..M-1.
    """

    name: str
    records: tuple[Record, ...] = field(repr=False)

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

    def __repr__(self) -> str:
        counts = f"{self.num_people:,} people, {self.num_images:,} images, {self.num_captions:,} captions"
        return f"Split({self.name!r}: {counts})"


@dataclass(frozen=True)
class Dataset:
    """The splits of a data set; `val` is None where there is none (ICFG-PEDES)."""

    name: str
    root: Path
    train: Split
    val: Split | None
    test: Split

    @property
    def splits(self) -> tuple[Split, ...]:
        """Those there are, in the order train, val, test."""
        return tuple(split for split in (self.train, self.val, self.test) if split is not None)

    @property
    def layout(self) -> str:
        """Whose format it is in; also the name of its folder under `root`."""
        return SYNTHETIC_LAYOUT if self.name == "synthetic" else self.name

    @property
    def folder(self) -> Path:
        """The folder that holds `imgs/` and the annotation."""
        return self.root / self.layout

    def check(
        self, limit: int = 20, *, published: bool | None = None, on_progress: Progress | None = None
    ) -> CheckReport:
        """Read every picture once and report per split what is there, missing, unreadable or unlike the published set.

        Args:
            limit: at most so many missing and so many unreadable pictures are named; all are counted.
            published: compare with the published counts. None: unless the data set was generated. Pass False for a
                subset of your own.
            on_progress: called with (done, total) pictures.
        """
        generated = self.name == "synthetic" or (self.folder / "generator.json").is_file()
        compare = not generated if published is None else published
        records = {split.name: split.records for split in self.splits}
        layout = LAYOUTS[self.layout]
        return check_dataset(
            self.name,
            self.folder,
            records,
            layout,
            limit=limit,
            compare=compare,
            generated=generated,
            on_progress=on_progress,
        )

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of all annotations: two data sets share it if they name the same pictures, people and
        captions in the same splits. The pictures themselves are not read."""
        digest = hashlib.blake2b(digest_size=8)
        for split in self.splits:
            for record in split.records:
                picture = record.image.relative_to(self.folder).as_posix()
                content = [split.name, picture, record.person_id, *record.captions]
                digest.update(json.dumps(content).encode())
        return digest.hexdigest()

    def with_shuffled_captions(self, share: float, seed: int) -> Dataset:
        """A copy in which `share` of the training captions stand at the wrong picture, as in RDE's study of noise.

        round(share * M) captions are drawn and given each to the picture of another one of them (which may show the
        same person). Source: Qin et al., RDE, CVPR 2024, section 4.1. Raises ValueError for a share outside [0, 1].
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share must lie in [0, 1], got {share}")
        rng = np.random.default_rng(seed)
        captions, train = list(self.train.captions), self.train
        chosen = rng.permutation(len(captions))[: round(share * len(captions))]
        for place, source in zip(chosen, np.roll(chosen, 1), strict=True):
            captions[place] = train.captions[source]
        ends = np.cumsum([len(record.captions) for record in train.records])
        records = [
            replace(record, captions=tuple(captions[end - len(record.captions) : end]))
            for record, end in zip(train.records, ends, strict=True)
        ]
        return replace(self, train=Split(train.name, tuple(records)))

    def __repr__(self) -> str:
        lines = [f"Dataset({self.name!r}, root={str(self.root)!r})", *(f"  {split!r}" for split in self.splits)]
        return "\n".join(lines)


def load_dataset(name: str, root: str | Path | None = None, **options: Any) -> Dataset:
    """The data set `name`: "CUHK-PEDES", "ICFG-PEDES", "RSTPReid" or "synthetic".

    Only the annotation is read, so pictures may be missing: :meth:`Dataset.check` says which.

    Args:
        name: the data set.
        root: the folder that holds `<name>/imgs`. For "synthetic" the folder to generate into (once; later calls read
            it); None is a folder of the user's cache that is named by the options, see
            :func:`tireid.data.images.cache_dir`.
        options: for "synthetic" only, what :func:`tireid.pedestrians.write_dataset` takes: `style`, `people`,
            `images_per_person`, `captions_per_image`, `seed`, `processes`, `on_progress`.

    Raises :class:`AnnotationError` for anything wrong with the annotation, ValueError for an unknown name, a missing
    root, or options that do not belong there.
    """
    if name == "synthetic":
        root = _generate(root, options)
    elif name not in LAYOUTS:
        raise ValueError(f"unknown data set {name!r}; known: {', '.join(LAYOUTS)}, synthetic")
    elif options:
        raise ValueError(f"{name} is read as it is; the options {sorted(options)} are for 'synthetic' only")
    elif root is None:
        raise ValueError(f"{name} needs root, the folder that holds {name}/imgs; request it: {LAYOUTS[name].request}")
    records = read_annotations(SYNTHETIC_LAYOUT if name == "synthetic" else name, root)
    found = {key: tuple(record for record in records if record.split == key) for key in ("train", "val", "test")}
    val = Split("val", found["val"]) if found["val"] else None
    return Dataset(name, Path(root), Split("train", found["train"]), val, Split("test", found["test"]))


def _generate(root: str | Path | None, options: dict[str, Any]) -> Path:
    if "layout" in options:
        raise ValueError(f"'synthetic' is always written as {SYNTHETIC_LAYOUT}; for another layout call write_dataset")
    from tireid.pedestrians import GENERATOR_VERSION, write_dataset  # loaded only where figures are drawn

    if root is None:
        content = {key: value for key, value in options.items() if key not in ("processes", "on_progress")}
        content["version"] = GENERATOR_VERSION
        digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=6).hexdigest()
        root = cache_dir() / f"pedestrians-{digest}"
    write_dataset(root, layout=SYNTHETIC_LAYOUT, **options)
    return Path(root)
