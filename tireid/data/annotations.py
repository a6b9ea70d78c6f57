"""The annotation files of CUHK-PEDES, ICFG-PEDES and RSTPReid, read into one record type.

The layout is ``<root>/<name>/imgs/...`` with one JSON list beside ``imgs/``, one record per image. Everything that is
wrong with such a file is an :class:`AnnotationError` that names the file, the record (its index in the list), the
field, what was expected and what to do. Whether the pictures themselves are there is not looked at here: see
:meth:`tireid.data.Dataset.check`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple


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
    repeats_images: bool = False
    """One picture may have several records, as long as they agree on person and split."""


LAYOUTS: dict[str, Layout] = {
    "CUHK-PEDES": Layout(
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
    ),
    "ICFG-PEDES": Layout(
        name="ICFG-PEDES",
        files=("ICFG-PEDES.json", "ICFG_PEDES.json"),
        path_field="file_path",
        published={"train": Counts(3102, 34674, 34674), "test": Counts(1000, 19848, 19848)},
        folders=("train", "test"),
        request="https://github.com/zifyloo/SSAN",
        repeats_images=True,  # a public reader counts 34673 distinct pictures for the 34674 training records
    ),
    "RSTPReid": Layout(
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
    ),
}

_EARLY_RSTPREID = {"train": 3901, "val": 100, "test": 100}


@dataclass(frozen=True)
class Record:
    """One image with its captions (at least one, whitespace normalised)."""

    image: Path
    person_id: int
    captions: tuple[str, ...]
    split: str
    camera: int | None = None


class AnnotationError(ValueError):
    """An annotation that cannot be used; the message names file, record, field, what was expected and the fix."""

    def __init__(
        self, problem: str, *, file: Path, record: int | None = None, field: str | None = None, fix: str = ""
    ) -> None:
        self.file, self.record, self.field, self.fix = file, record, field, fix
        where = [str(file)]
        where += [] if record is None else [f"record {record}"]
        where += [] if field is None else [f"field {field!r}"]
        super().__init__(f"{', '.join(where)}: {problem}" + (f". Fix: {fix}" if fix else ""))


def read_annotations(name: str, root: str | Path) -> list[Record]:
    """The records of ``<root>/<name>``, in the order of the file.

    Raises :class:`AnnotationError` for a missing folder or file and for anything wrong inside it, ValueError for an
    unknown `name`. Missing pictures are no error here.

    >>> read_annotations("RSTPReid", "/nowhere")
    Traceback (most recent call last):
        ...
    tireid.data.annotations.AnnotationError: /nowhere: no such folder. Fix: root is the folder that holds RSTPReid/imgs
    """
    if name not in LAYOUTS:
        raise ValueError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    file = annotation_file(layout, Path(root))
    rows = _read_list(file, layout)
    records = [_Row(file, index, row, layout).record() for index, row in enumerate(rows)]
    _check_images(records, file, layout)
    _check_people(records, file)
    if layout.name == "RSTPReid":
        _check_early_split(records, file, layout)
    return records


def annotation_file(layout: Layout, root: Path) -> Path:
    """The annotation file under ``<root>/<layout.name>``; :class:`AnnotationError` if files are not laid out so."""
    name, folder = layout.name, root / layout.name
    holds = f"root is the folder that holds {name}/imgs"
    if not root.is_dir():
        raise AnnotationError("no such folder", file=root, fix=holds)
    if not folder.is_dir():
        inside = root.name == name or (root / "imgs").is_dir()
        raise AnnotationError("no such folder", file=folder, fix=f"pass root={str(root.parent)!r}" if inside else holds)
    found = [folder / file for file in layout.files if (folder / file).is_file()]
    wanted = " or ".join(layout.files)
    if not found and (folder / "caption_all.json").is_file():
        problem = f"this file says nothing about training, validation and test (no 'split'); {wanted} is needed"
        fix = f"request {wanted} from {layout.request} and put it beside imgs/"
        raise AnnotationError(problem, file=folder / "caption_all.json", fix=fix)
    if not found:
        fix = f"request the data set from {layout.request} and put {wanted} beside imgs/"
        raise AnnotationError(f"the annotation file is missing ({wanted})", file=folder / layout.files[0], fix=fix)
    if not (folder / "imgs").is_dir():
        raise AnnotationError("the folder of images is missing", file=folder / "imgs", fix="unpack the images there")
    return found[0]


def _read_list(file: Path, layout: Layout) -> list[Any]:
    again = f"download it again from {layout.request}"
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"not UTF-8 (byte {error.start})", file=file, fix=f"save it as UTF-8, or {again}"
        ) from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise AnnotationError(f"not JSON ({error})", file=file, fix=again) from None
    if not isinstance(rows, list):
        raise AnnotationError(f"expected a list of records, got {_describe(rows)}", file=file, fix=again)
    if not rows:
        raise AnnotationError("expected a list of records, got an empty one", file=file, fix=again)
    return rows


@dataclass(frozen=True)
class _Row:
    """One entry of the list, with what it takes to say where something is wrong."""

    file: Path
    index: int
    row: Any
    layout: Layout

    def record(self) -> Record:
        if not isinstance(self.row, dict):
            raise self._error(f"expected an object, got {_describe(self.row)}", None, "one {...} per image")
        path = self._path()
        camera = self.layout.camera.search(path.name) if self.layout.camera else None
        return Record(
            image=self.file.parent / "imgs" / path,
            person_id=self._person_id(),
            captions=self._captions(),
            split=self._split(),
            camera=int(camera[1]) if camera else None,
        )

    def _error(self, problem: str, field: str | None, fix: str) -> AnnotationError:
        return AnnotationError(problem, file=self.file, record=self.index, field=field, fix=fix)

    def _get(self, field: str, expected: str) -> Any:
        if field in self.row:
            return self.row[field]
        problem, fix = f"missing, expected {expected}", "add the field"
        if field == "split":
            fix = f"use {self.layout.files[0]}, which has it: request it from {self.layout.request}"
        raise self._error(problem, field, fix)

    def _path(self) -> PurePosixPath:
        field, expected = self.layout.path_field, "a path below imgs/"
        value = self._get(field, expected)
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise self._error(f"expected {expected}, got {_describe(value)}", field, "write it as a string")
        if "\\" in value:
            raise self._error(f"backslash in {value!r}, expected {expected}", field, "write / between folders")
        path = PurePosixPath(value)
        if path.is_absolute() or re.match(r"[A-Za-z]:", value):
            raise self._error(f"absolute path {value!r}, expected {expected}", field, "write it relative to imgs/")
        if ".." in path.parts or not path.parts:
            raise self._error(f"{value!r} leaves the folder, expected {expected}", field, "write it relative to imgs/")
        return path

    def _person_id(self) -> int:
        value = self._get("id", "an integer from 0")
        if type(value) is not int:  # bool is an int to isinstance
            raise self._error(f"expected an integer, got {_describe(value)}", "id", "write the person's number")
        if not 0 <= value < 2**63:
            raise self._error(f"expected an integer from 0, got {value}", "id", "number people from 0 or 1")
        return value

    def _split(self) -> str:
        splits = tuple(self.layout.published)
        value = self._get("split", f"one of {', '.join(splits)}")
        if not isinstance(value, str) or value not in splits:
            problem = f"expected one of {', '.join(splits)}, got {_describe(value)}"
            raise self._error(problem, "split", f"write one of the splits of {self.layout.name}")
        return value

    def _captions(self) -> tuple[str, ...]:
        values = self._get("captions", "a list of strings")
        if not isinstance(values, list):
            fix = "put the caption in a list" if isinstance(values, str) else "write a list of strings"
            raise self._error(f"expected a list of strings, got {_describe(values)}", "captions", fix)
        if not values:
            raise self._error("expected at least one caption, got an empty list", "captions", "remove the record")
        return tuple(self._caption(number, value) for number, value in enumerate(values))

    def _caption(self, number: int, value: object) -> str:
        field = f"captions[{number}]"
        if not isinstance(value, str):
            raise self._error(f"expected a string, got {_describe(value)}", field, "write the caption as a string")
        text = " ".join(value.split())
        if not text:
            raise self._error("blank caption", field, "remove the caption, or the record if it has no other")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error(f"half a surrogate pair in {text!r}", field, "write the character itself, in UTF-8")
        return text


def _describe(value: object) -> str:
    """A value and its type in JSON's words, cut to a readable length."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:57] + "..."
    return f"{shown} ({names.get(type(value), 'a number')})"


def _check_images(records: Iterable[Record], file: Path, layout: Layout) -> None:
    first: dict[Path, tuple[int, Record]] = {}
    for index, record in enumerate(records):
        earlier, other = first.setdefault(record.image, (index, record))
        agree = (record.person_id, record.split) == (other.person_id, other.split)
        if earlier != index and not (layout.repeats_images and agree):
            problem = f"{record.image.name!r} is already the image of record {earlier}"
            fix = "put all captions of an image in one record"
            raise AnnotationError(problem, file=file, record=index, field=layout.path_field, fix=fix)


def _check_people(records: Iterable[Record], file: Path) -> None:
    first: dict[int, tuple[int, str]] = {}
    for index, record in enumerate(records):
        earlier, split = first.setdefault(record.person_id, (index, record.split))
        if split != record.split:
            problem = f"person {record.person_id} is in {record.split!r} here and in {split!r} in record {earlier}"
            fix = "give the people of each split ids of their own"
            raise AnnotationError(problem, file=file, record=index, field="id", fix=fix)


def _check_early_split(records: Iterable[Record], file: Path, layout: Layout) -> None:
    people: dict[str, set[int]] = defaultdict(set)
    for record in records:
        people[record.split].add(record.person_id)
    if {split: len(ids) for split, ids in people.items()} == _EARLY_RSTPREID:
        problem = "this early file splits the people 3901/100/100; published results use 3701/200/200"
        fix = f"download the current {layout.files[0]} from {layout.request}"
        raise AnnotationError(problem, file=file, field="split", fix=fix)
