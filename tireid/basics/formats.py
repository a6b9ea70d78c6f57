"""The data sets that can be had by name, and how their files are laid out: the one table that readers, the generator,
configurations and the command line take them from.

A data set lies in ``<root>/<name>/imgs/...``, with one JSON list beside ``imgs/``, one record per image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Counts(NamedTuple):
    """How many people, images and captions a split has."""

    people: int
    images: int
    captions: int


@dataclass(frozen=True)
class Layout:
    """Where a data set keeps what, and how much of it was published (source: its paper and the public readers)."""

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


_ALL = (
    Layout(
        name="CUHK-PEDES",
        files=("reid_raw.json",),
        path_field="file_path",
        published={
            "train": Counts(11003, 34054, 68126),
            "val": Counts(1000, 3078, 6158),
            "test": Counts(1000, 3074, 6156),
        },
        folders=("cam_a", "cam_b", "CUHK01", "CUHK03", "Market", "test_query", "train_query"),
        request="https://github.com/ShuangLI59/Person-Search-with-Natural-Language-Description",
        first_id=1,
    ),
    Layout(
        name="ICFG-PEDES",
        files=("ICFG-PEDES.json", "ICFG_PEDES.json"),
        path_field="file_path",
        published={"train": Counts(3102, 34674, 34674), "test": Counts(1000, 19848, 19848)},
        folders=("train", "test"),
        request="https://github.com/zifyloo/SSAN",
        ids_restart=True,
    ),
    Layout(
        name="RSTPReid",
        files=("data_captions.json",),
        path_field="img_path",
        published={
            "train": Counts(3701, 18505, 37010),
            "val": Counts(200, 1000, 2000),
            "test": Counts(200, 1000, 2000),
        },
        folders=(),
        request="https://github.com/NjtechCVLab/RSTPReid-Dataset",
        camera=re.compile(r"_c(\d+)_"),
        tokens=False,
    ),
)
LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in _ALL}
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
    own = path.suffix.lower() in (".csv", ".tsv") or "/" in name or path.is_dir()
    return own and name not in DATASETS
