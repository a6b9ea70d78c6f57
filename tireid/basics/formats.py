"""The data sets that can be had by name, and how their files are laid out: the one table that readers, the generator,
configurations and the command line take them from.

A data set lies in ``<root>/<name>/imgs/...``, with one JSON list beside ``imgs/``, one record per image.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tireid.basics.yaml import read_yaml


class Counts(NamedTuple):
    """How many people, images and captions a split has.

    >>> Counts(people=1000, images=4000, captions=8000).captions
    8000
    """

    people: int
    images: int
    captions: int


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what, and how much of it was published (source: its paper and the public readers).

    >>> LAYOUTS["CUHK-PEDES"].published["test"]
    Counts(people=1000, images=3074, captions=6156)
    """

    name: str
    files: tuple[str, ...]
    """Names the annotation file goes by; the first one is the published one."""
    path_field: str
    published: Mapping[str, Counts]
    """Per split; its keys are the splits there are."""
    folders: tuple[str, ...]
    """Expected under `imgs/`; empty for a flat folder."""
    request: str
    """Where the data set is requested."""
    camera: re.Pattern[str] | None = None
    """Finds the camera's number in a file name."""
    first_id: int = 0
    """Of the first person to train with."""
    tokens: bool = True
    """Records have `processed_tokens`; nothing here reads them."""
    ids_restart: bool = False
    """A person's number may mean somebody else in another split."""

    @property
    def one_caption(self) -> bool:
        """Every image was published with one caption."""
        return all(counts.images == counts.captions for counts in self.published.values())


def _layout(name: str, published: dict[str, list[int]], camera: str | None = None, **more: Any) -> Layout:
    files, folders = tuple(more.pop("files")), tuple(more.pop("folders"))
    counts = {split: Counts(*numbers) for split, numbers in published.items()}
    found = None if camera is None else re.compile(camera)
    return Layout(name, files, published=counts, folders=folders, camera=found, **more)


_FILE: dict[str, dict[str, Any]] = read_yaml(Path(__file__).with_suffix(".yaml"))
LAYOUTS: dict[str, Layout] = {name: _layout(name, **tree) for name, tree in _FILE.items()}
SYNTHETIC, SYNTHETIC_LAYOUT = "synthetic", "CUHK-PEDES"
"""The name of the drawn data set, and whose layout it is written in."""
DATASETS = (*LAYOUTS, SYNTHETIC)
"""What a data set can be called; anything else is a path to data of one's own, or a reader."""
SPLITS = ("train", "val", "test")


def is_own(name: str) -> bool:
    """Whether `name` is the path of a table or of a folder, and no data set's name.

    >>> is_own("people.csv"), is_own("./crops"), is_own("CUHK-PEDES")
    (True, True, False)
    """
    path = Path(name)
    own = path.suffix.lower() in (".csv", ".tsv") or "/" in name or os.path.isdir(name)  # noqa: PTH112 (a Path raises for a name that no path can have)
    return own and name not in DATASETS
