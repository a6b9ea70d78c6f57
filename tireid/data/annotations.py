"""The annotation files of CUHK-PEDES, ICFG-PEDES and RSTPReid, read into one record type.

Everything that is wrong with such a file is an :class:`AnnotationError` that names the file, the record (its index in
the list), the field, what was expected and what to do. Whether the pictures themselves are there is not looked at here:
see :meth:`tireid.data.Dataset.check`.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tireid.basics.collector import collector_paused
from tireid.basics.formats import LAYOUTS, Layout
from tireid.data import rows as read
from tireid.data.rows import AnnotationError, Fault, Mended, Record, describe, findable

_EARLY_RSTPREID = {"train": 3901, "val": 100, "test": 100}


def read_annotations(name: str, root: str | Path, mended: Mended | None = None) -> list[Record]:
    """The records of ``<root>/<name>``, in the order of the file. Missing pictures are no error here.

    String ids, blank captions, `split: valid`, a picture that is repeated and a leading slash have one meaning and are
    accepted; `mended` counts them.

    Raises:
        AnnotationError: a folder or file is missing, or something inside it is wrong.
        ValueError: there is no layout of this name.

    >>> read_annotations("RSTPReid", "/nowhere")
    Traceback (most recent call last):
        ...
    tireid.data.rows.AnnotationError: /nowhere: no such folder. Fix: root is the folder that holds RSTPReid/imgs
    """
    if name not in LAYOUTS:
        raise ValueError(f"unknown layout {name!r}; known: {', '.join(LAYOUTS)}")
    layout = LAYOUTS[name]
    file = annotation_file(layout, findable(Path(root)))
    with collector_paused():
        rows = _read_list(file, layout)
        records = _records(rows, file, layout, Counter() if mended is None else mended)
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
        rows = json.loads(file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"not UTF-8 (byte {error.start})", file=file, fix=f"save it as UTF-8, or {again}"
        ) from None
    except (ValueError, RecursionError) as error:  # also a number with more digits than Python reads
        raise AnnotationError(f"not JSON ({error})", file=file, fix=again) from None
    if not isinstance(rows, list):
        raise AnnotationError(f"expected a list of records, got {describe(rows)}", file=file, fix=again)
    if not rows:
        raise AnnotationError("expected a list of records, got an empty one", file=file, fix=again)
    return rows


def _records(rows: Sequence[Any], file: Path, layout: Layout, mended: Mended) -> list[Record]:
    records: list[Record] = []
    check = Consistency(layout.ids_restart)
    for index, row in enumerate(rows):
        try:
            record, path = _record(row, file.parent, layout, mended)
            check.add(index, record, path, (layout.path_field, "id"))
        except Fault as fault:
            raise fault.at(file, index) from None
        records.append(record)
    check.count(mended)
    return records


_EXPECTED = {"id": "an integer from 0", "captions": "a list of strings"}


def _record(row: Any, folder: Path, layout: Layout, mended: Mended) -> tuple[Record, str]:
    """The record, and its path below `imgs/`."""
    if not isinstance(row, dict):
        raise Fault(None, f"expected an object, got {describe(row)}", "one {...} per image")
    splits = tuple(layout.published)
    try:
        path = read.picture_path(row[layout.path_field], layout.path_field, mended)
        number = read.person_number(row["id"], "id", mended)
        split = read.split_name(row["split"], splits, "split", mended)
        captions = read.caption_texts(row["captions"], "captions", mended)
    except KeyError as missing:
        field = str(missing.args[0])
        expected = _EXPECTED.get(field, f"one of {', '.join(splits)}" if field == "split" else "a path below imgs/")
        whole = f"use {layout.files[0]}, which has it: request it from {layout.request}"
        fix = whole if field == "split" else "add the field"
        raise Fault(field, f"missing, expected {expected}", fix) from None
    camera = layout.camera.search(path.rpartition("/")[2]) if layout.camera else None
    return Record(Path(f"{folder}/imgs/{path}"), number, captions, split, int(camera[1]) if camera else None), path


class Consistency:
    """Whether records agree on the pictures and people that they share."""

    def __init__(self, ids_restart: bool = False) -> None:
        self.ids_restart = ids_restart
        self._pictures: dict[str, tuple[int, int, str]] = {}
        self._people: dict[int, tuple[int, str]] = {}
        self._restarted: set[int] = set()

    def add(self, index: int, record: Record, path: str, fields: tuple[str, str], name: str | None = None) -> None:
        """Compare with the earlier ones; :class:`Fault` in one of `fields` (path, person) where they contradict.

        `name` is what the file calls the person, if not by the number.
        """
        person, split, (path_field, person_field) = record.person_id, record.split, fields
        earlier, *known = self._pictures.setdefault(path, (index, person, split))
        if known != [person, split]:
            problem = f"{path.rpartition('/')[2]!r} is already the image of record {earlier}"
            raise Fault(path_field, problem, "give an image to one person and one split")
        first, its_split = self._people.setdefault(person, (index, split))
        if its_split != split:
            if not self.ids_restart:
                called = person if name is None else name.strip()
                problem = f"person {called} is in {split!r} here and in {its_split!r} in record {first}"
                raise Fault(person_field, problem, "give the people of each split ids of their own")
            self._restarted.add(person)

    def count(self, mended: Mended) -> None:
        """Tell what was accepted."""
        mended["person ids occur in more than one split; they are taken for different people"] += len(self._restarted)


def _check_early_split(records: Sequence[Record], file: Path, layout: Layout) -> None:
    people: dict[str, set[int]] = defaultdict(set)
    for record in records:
        people[record.split].add(record.person_id)
    if {split: len(ids) for split, ids in people.items()} == _EARLY_RSTPREID:
        problem = "this early file splits the people 3901/100/100; published results use 3701/200/200"
        fix = f"download the current {layout.files[0]} from {layout.request}"
        raise AnnotationError(problem, file=file, field="split", fix=fix)
