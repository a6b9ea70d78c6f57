"""A data set as its splits, and `load_dataset`, which finds or makes one."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tireid.basics.arguments import COUNT, FRACTION, WHOLE, Kind, checked
from tireid.basics.folders import cache_dir
from tireid.basics.formats import DATASETS, LAYOUTS, SPLITS, SYNTHETIC, SYNTHETIC_LAYOUT, Layout, is_own
from tireid.basics.hints import nearest
from tireid.basics.parts import is_part, resolve_function
from tireid.data.annotations import read_annotations
from tireid.data.checks import CheckReport, Progress, check_dataset
from tireid.data.images import orientation_of
from tireid.data.own import read_own
from tireid.data.rows import Mended, Record
from tireid.data.split import Split

Reader = Callable[[Path | None], "Dataset"]
"""A reader of somebody's own: gets the root that the user named, if any."""


@dataclass(frozen=True)
class Dataset:
    """The splits of a data set; `val` is None where there is none (ICFG-PEDES), `train` and `test` may be empty.

    `notes` tell what was accepted when it was read, though it is not as published.
    """

    name: str
    root: Path
    train: Split
    val: Split | None
    test: Split
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, name: str, root: Path, records: Iterable[Record], notes: Iterable[str] = (), *, upright: bool = False
    ) -> Dataset:
        """The data set of these records, which may stand in any order of splits; `upright`: see :class:`Split`."""
        found: dict[str, list[Record]] = {split: [] for split in SPLITS}
        for record in records:
            found[record.split].append(record)
        train, val, test = (Split(split, tuple(some), upright) for split, some in found.items())
        return cls(name, root, train, val if val.records else None, test, tuple(notes))

    @property
    def splits(self) -> tuple[Split, ...]:
        """Those there are, in the order train, val, test."""
        return tuple(split for split in (self.train, self.val, self.test) if split is not None)

    def split(self, name: str) -> Split:
        """The split called `name`, which has pictures and captions.

        Raises:
            ValueError: there is no such split, or nothing in it.
        """
        found = next((split for split in self.splits if split.name == name), None)
        if found is None or not found.num_captions:
            there = ", ".join(split.name for split in self.splits if split.num_captions) or "none"
            raise ValueError(
                f"{self.name} has no {name} split with captions (splits that have: {there}). "
                "Fix: choose another split, or say in the annotation which pictures belong to it"
            )
        return found

    @property
    def layout(self) -> Layout | None:
        """Whose format it is in; None for data of one's own."""
        return LAYOUTS.get(SYNTHETIC_LAYOUT if self.name == SYNTHETIC else self.name)

    @property
    def folder(self) -> Path:
        """The folder that holds `imgs/` and the annotation, or pictures of one's own."""
        return self.root / self.layout.name if self.layout else self.root

    @checked(limit=WHOLE)
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
        generated = self.name == SYNTHETIC or (self.folder / "generator.json").is_file()
        compare = self.layout is not None and (not generated if published is None else published)
        records = {split.name: split.records for split in self.splits}
        report = check_dataset(
            self.folder,
            records,
            self.layout,
            limit=limit,
            compare=compare,
            generated=generated,
            on_progress=on_progress,
        )
        return replace(report, name=self.name, notes=[*self.notes, *report.notes])

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of all annotations and of the sizes of all picture files: what a figure depends on.

        Two data sets share it if they have the same pictures, people and captions in the same splits, wherever they
        lie. The pictures are not read: one that is edited to the same number of bytes goes unnoticed.
        """
        digest = hashlib.blake2b(digest_size=8)
        for split in self.splits:
            for record in split.records:
                picture = os.path.relpath(record.image, self.folder)
                content = [split.name, picture, _size(record.image), record.person_id, *record.captions]
                turned = orientation_of(record.image) if split.upright else 1
                digest.update(json.dumps([*content, {"turned": turned}] if turned != 1 else content).encode())
        return digest.hexdigest()

    @checked(people=COUNT)
    def head(self, people: int) -> Dataset:
        """The first `people` people of each split, for a dry run.

        Raises:
            ValueError: `people` is less than 1.
        """
        train, val, test = self.train.head(people), self.val and self.val.head(people), self.test.head(people)
        notes = (*self.notes, f"only the first {people} people of each split")
        return replace(self, train=train, val=val, test=test, notes=notes)

    @checked(share=FRACTION, seed=WHOLE)
    def with_shuffled_captions(self, share: float, seed: int) -> Dataset:
        """A copy in which `share` of the training captions stand at the wrong picture, as in RDE's study of noise.

        round(share * M) captions are drawn and given each to the picture of another one of them (which may show the
        same person). Source: Qin et al., RDE, CVPR 2024, section 4.1.

        Raises:
            ValueError: `share` is outside [0, 1].
        """
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
        return replace(self, train=replace(train, records=tuple(records)))

    def __repr__(self) -> str:
        lines = [f"Dataset({self.name!r}, root={str(self.root)!r})", *(f"  {split!r}" for split in self.splits)]
        return "\n".join(lines)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


_NAMED = Kind(
    "a data set's name, the path of one's own, or a reader", lambda it: it if callable(it) else Path(it) and it
)


@checked(name=_NAMED)
def load_dataset(name: str | Path | Reader, root: str | Path | None = None, **options: Any) -> Dataset:
    """The data set `name`: "CUHK-PEDES", "ICFG-PEDES", "RSTPReid" or "synthetic", or data of your own.

    Only the annotation is read, so pictures may be missing: :meth:`Dataset.check` says which.

    Args:
        name: one of these names; or the path of a table (`.csv`, `.tsv`) or of a folder with captions, see
            :func:`tireid.data.own.read_own`; or a function that is given `root` and returns a :class:`Dataset`, or its
            import path `module:name`, if it is marked with ``@tireid.part("reader")``.
        root: the folder that holds `<name>/imgs`, or from which the paths of a table start. For "synthetic" the folder
            to generate into (once; later calls read it); None is a folder of the user's cache that is named by the
            options, see :func:`tireid.data.cache.cache_dir`.
        options: for "synthetic" only, what :func:`tireid.pedestrians.write_dataset` takes: `style`, `people`,
            `images_per_person`, `captions_per_image`, `seed`, `masks`, `processes`, `on_progress`.

    Raises:
        AnnotationError: something is wrong with the annotation.
        ValueError: the name is unknown, the root is missing, or options do not belong there.
        TypeError: the function returned something else.

    >>> load_dataset("CUHK")
    Traceback (most recent call last):
        ...
    ValueError: unknown data set 'CUHK'; did you mean 'CUHK-PEDES'? (data of your own is named by the path of a .csv \
or folder, ./folder)
    """
    if options and name != SYNTHETIC:
        raise ValueError(f"{name} is read as it is; the options {sorted(options)} are for 'synthetic' only")
    if isinstance(name, str) and is_part(name):
        name = resolve_function(name, "reader", "dataset")
    if callable(name):
        return _call(name, root)
    if isinstance(name, Path) or is_own(name):
        found = read_own(name, root)
        return Dataset.of(str(name), found.folder, found.records, found.notes, upright=True)
    if name not in DATASETS:
        own = "data of your own is named by the path of a .csv or folder, ./folder"
        raise ValueError(f"unknown data set {name!r}; {nearest(name, DATASETS)} ({own})")
    if name == SYNTHETIC:
        root = _generate(root, options)
    elif root is None:
        raise ValueError(f"{name} needs root, the folder that holds {name}/imgs; request it: {LAYOUTS[name].request}")
    mended: Mended = Counter()
    records = read_annotations(SYNTHETIC_LAYOUT if name == SYNTHETIC else name, root, mended)
    return Dataset.of(name, Path(root), records, [f"{count} {what}" for what, count in mended.items() if count])


def _call(reader: Reader, root: str | Path | None) -> Dataset:
    data = reader(None if root is None else Path(root))
    if not isinstance(data, Dataset):
        raise TypeError(f"{reader!r} must return a tireid.data.Dataset, got {type(data).__name__}")
    return data


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
