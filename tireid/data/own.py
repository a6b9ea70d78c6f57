"""Data of one's own: a table of pictures and captions, or a folder in which `name.txt` tells what `name.jpg` shows."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tireid.basics.files import read_regular
from tireid.basics.formats import SPLITS
from tireid.data import rows as read
from tireid.data.annotations import Consistency
from tireid.data.rows import AnnotationError, Fault, Mended, Record, describe
from tireid.data.walk import is_picture, left_out, walk

_COLUMNS = {
    "path": ("path", "image", "file_path", "img_path", "image_path", "file", "filename", "file_name", "img"),
    "caption": ("caption", "captions", "text", "description"),
    "person": ("person", "person_id", "id", "pid", "identity"),
    "camera": ("camera", "camera_id", "cam"),
    "split": ("split", "subset"),
}
"""What each column may be called; the first name is the documented one."""


_OF_PANDAS = re.compile(r"\s*(\d+)(?:\.0)?\s*", re.ASCII)
_CAMERA = re.compile(r"c(?:am)?_?(\d{1,9})(?:s\d+)?", re.ASCII | re.IGNORECASE)

BACKSLASHES = "paths have backslashes, as Windows writes them: read as /"
REPEATED = "captions stand twice at their picture, and count once"


@dataclass(frozen=True)
class OwnData:
    """What was read: the records, the folder that their paths start from, and what to tell about them."""

    records: list[Record]
    folder: Path
    notes: list[str]


def read_own(source: str | Path, root: str | Path | None = None) -> OwnData:
    """Read a table (`.csv`, or `.tsv` with tabs) or a folder with captions.

    A table has a header with the columns `path` and `caption`, and if there is more to say `person`, `camera` and
    `split` (train, val, test). A picture with several captions has several rows. Paths start from `root`, else from
    the table's folder. Without `person` each picture is its own person, without `split` everything is the test split.

    A folder holds pictures, each with its captions in a text file of the same name, one a line. Folders called train,
    val and test directly in it are the splits.

    Raises:
        AnnotationError: something in the table or folder cannot be used.

    >>> read_own("/nowhere.csv")
    Traceback (most recent call last):
        ...
    tireid.data.rows.AnnotationError: /nowhere.csv: no such file or folder. Fix: pass the path of a table or folder
    """
    source = read.findable(Path(source).expanduser())
    if source.is_dir():
        return _read_folder(source)
    if not source.is_file():
        raise AnnotationError("no such file or folder", file=source, fix="pass the path of a table or folder")
    folder = source.parent if root is None else Path(root).expanduser()
    if not folder.is_dir():
        raise AnnotationError("no such folder", file=folder, fix="root is the folder that the table's paths start from")
    return _read_table(source, folder)


# ---- a table


def _read_table(file: Path, folder: Path) -> OwnData:
    mended: Mended = Counter()
    rows = _rows(file)
    columns = _columns(file, rows[0])
    cells = [{name: row[place] for name, place in columns.items()} for row in _whole(file, rows)]
    number_of, named = _people(file, [row["person"] for row in cells] if "person" in columns else None, mended)
    check, drafts = Consistency(), dict[str, Record]()
    for line, row in enumerate(cells, 2):  # the header is line 1 of a spreadsheet
        try:
            mended[BACKSLASHES] += "\\" in row["path"]
            written = row["path"].strip().replace("\\", "/")
            path = read.picture_path(_below(folder, written), "path", mended, f"{folder}/")
            person = len(drafts) if number_of is None else number_of[row["person"].strip()]
            record = Record(
                image=folder / path,
                person_id=drafts[path].person_id if number_of is None and path in drafts else person,
                captions=read.caption_texts([row["caption"]], "caption", mended),
                split=read.split_name(row["split"], SPLITS, "split", mended) if "split" in columns else "test",
                camera=_camera(row["camera"], mended) if row.get("camera", "").strip() else None,
            )
            check.add(line, record, path, ("path", "person"), row.get("person"))
            drafts[path] = _joined(drafts[path], record, mended) if path in drafts else record
        except Fault as fault:
            raise fault.at(file, line) from None
    notes = [f"{count} {what}" for what, count in mended.items() if count] + named
    if mended[read.SLASH] and any(_is_elsewhere(folder, row["path"].strip()) for row in cells):
        notes.append("there are pictures at the whole paths: to read those, pass --root / (in Python root='/')")
    if "split" not in columns:
        notes.append("there is no column 'split': everything is the test split")
    return OwnData(list(drafts.values()), folder, notes)


def _joined(known: Record, more: Record, mended: Mended) -> Record:
    """A picture's record with the captions of another of its rows; a caption that it has already counts once."""
    if None not in (known.camera, more.camera) and known.camera != more.camera:
        problem = f"camera {more.camera} here and {known.camera} in an earlier row of this picture"
        raise Fault("camera", problem, "give a picture one camera")
    new = tuple(caption for caption in more.captions if caption not in known.captions)
    mended[REPEATED] += len(more.captions) - len(new)
    camera = more.camera if known.camera is None else known.camera
    return replace(known, captions=known.captions + new, camera=camera)


def _below(folder: Path, path: str) -> str:
    """A whole path that leads below `folder`, as one that starts there."""
    here = folder.absolute()
    return Path(path).relative_to(here).as_posix() if Path(path).is_relative_to(here) else path


def _is_elsewhere(folder: Path, path: str) -> bool:
    """Whether a whole path leads to a file, and without its slash, from `folder`, to none."""
    # Path's own raise for a name that is too long.
    below = os.path.join(folder, path.lstrip("/"))  # noqa: PTH118
    return path.startswith("/") and os.path.isfile(path) and not os.path.exists(below)  # noqa: PTH110, PTH113


def _rows(file: Path) -> list[list[str]]:
    """All rows, as spreadsheets of any country save them: the header tells what is between the cells.

    Names of files need not be UTF-8: their bytes survive as surrogates.
    """
    content = file.read_bytes()
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    text = content.decode(encoding, "surrogateescape" if encoding == "utf-8-sig" else "replace")
    text = re.sub(r"\Asep=.\r?\n", "", text)  # tells Excel what is between the cells
    header = text.partition("\n")[0]
    if "\0" in header:
        problem = "not a text: a workbook, or of an encoding that is not told at its start"
        raise AnnotationError(problem, file=file, fix="save it as CSV in UTF-8")
    between = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        problem, fix = f"not a table (line {reader.line_num}: {error})", 'save it as CSV in UTF-8, every " in pairs'
        raise AnnotationError(problem, file=file, fix=fix) from None
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise AnnotationError("expected a header and at least one row", file=file, fix="add the header path,caption")
    return rows


def _columns(file: Path, header: Sequence[str]) -> dict[str, int]:
    """Where each column is; AnnotationError if one is missing or there twice."""
    names = [name.strip().lower() for name in header]
    found: dict[str, int] = {}
    for column, known in _COLUMNS.items():
        places = [place for place, name in enumerate(names) if name in known]
        if len(places) > 1:
            problem = f"columns {[names[place] for place in places]} mean the same"
            raise AnnotationError(problem, file=file, field=column, fix="keep one of them")
        if places:
            found[column] = places[0]
        elif column in ("path", "caption"):
            problem = f"there is no column {column!r}, only {describe(names)}"
            raise AnnotationError(problem, file=file, field=column, fix="write a header such as path,caption,person")
    return found


def _whole(file: Path, rows: Sequence[list[str]]) -> Iterator[list[str]]:
    for line, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            problem = f"{len(row)} cells under a header of {len(rows[0])}"
            raise AnnotationError(problem, file=file, record=line, fix='put a text with commas into "..."')
        yield row


def _people(file: Path, cells: Sequence[str] | None, mended: Mended) -> tuple[dict[str, int] | None, list[str]]:
    """Number of each person by its cell, None where there is no such column; and what to tell about it."""
    if cells is None:
        return None, ["there is no column 'person': each picture is its own person"]
    if any(".0" in cell for cell in cells) and all(_OF_PANDAS.fullmatch(cell) for cell in cells):
        mended["person ids end in .0, as pandas writes them: read without it"] += sum(".0" in cell for cell in cells)
        numbers, told = _people(file, [_OF_PANDAS.sub(r"\1", cell) for cell in cells], mended)
        assert numbers is not None
        return {cell.strip(): numbers[_OF_PANDAS.sub(r"\1", cell)] for cell in cells}, told
    for line, cell in enumerate(cells, 2):
        if re.fullmatch(r"\s*([+-]?\d*\.\d*(e[+-]?\d+)?|nan|none|null|)\s*", cell, re.IGNORECASE):
            fix = "name the person of every picture, as 7 or anna, or leave the column out: then each is its own person"
            raise AnnotationError(f"{cell!r} names no person", file=file, record=line, field="person", fix=fix)
    names = sorted({cell.strip() for cell in cells})
    if all(name.isascii() and name.isdigit() and str(int(name[:20])) == name for name in names):
        try:
            return {name: read.person_number(int(name), "person", mended) for name in names}, []
        except Fault as fault:
            raise AnnotationError(fault.problem, file=file, field="person", fix=fault.fix) from None
    return {name: number for number, name in enumerate(names)}, [f"{len(names)} people are numbered by their names"]


def _camera(cell: str, mended: Mended) -> int:
    """Its number; that of `c1s2`, as in the names of Market-1501 (camera 1, sequence 2), is 1."""
    named = _CAMERA.fullmatch(cell.strip())
    try:
        number = int(named[1] if named else cell.strip().removesuffix(".0"))  # pandas writes 1.0
    except ValueError:
        raise Fault("camera", f"expected a number, got {describe(cell)}", "number the cameras from 0") from None
    mended["cameras are named as c1 or c1s2 (camera, sequence): read as the number behind the c"] += bool(named)
    return read.person_number(number, "camera", Counter())


# ---- a folder


def _read_folder(folder: Path) -> OwnData:
    mended: Mended = Counter()
    files, closed = walk(folder)
    pictures = sorted(filter(is_picture, files))
    texts = {file.with_suffix(""): file for file in sorted(files) if file.suffix.lower() == ".txt"}
    others = left_out(files)
    if not any(picture.with_suffix("") in texts for picture in pictures):
        problem = "no picture has its captions beside it" if pictures else others or "no picture is in this folder"
        raise AnnotationError(problem, file=folder, fix="put name.txt, one caption a line, beside name.jpg")
    records = [
        Record(path, number, _lines(texts.get(path.with_suffix("")), mended), _split_of(path.relative_to(folder)))
        for number, path in enumerate(pictures)
    ]
    notes = ["each picture is its own person"]
    notes += [others] if others else []
    notes += [f"{mended[REPEATED]} {REPEATED}"] if mended[REPEATED] else []
    without = sum(not record.captions for record in records)
    notes += (
        [f"{len(closed)} folders are links or cannot be listed, and were not read: put the folders there"]
        if closed
        else []
    )
    notes += [f"{without} pictures have no caption; they are searched, and nobody asks for them"] if without else []
    if not any(record.split != "test" for record in records):
        notes.append("there are no folders train, val, test: everything is the test split")
    return OwnData(records, folder, notes)


def _lines(text: Path | None, mended: Mended) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        lines: Iterable[str] = read_regular(text).decode("utf-8-sig").splitlines()
    except (UnicodeDecodeError, OSError) as error:
        raise AnnotationError(f"not a text ({error})", file=text, fix="save it as UTF-8") from None
    captions = read.caption_texts([line for line in lines if line.strip()] or [""], "captions", mended)
    once = tuple(dict.fromkeys(captions))
    mended[REPEATED] += len(captions) - len(once)
    return once


def _split_of(path: Path) -> str:
    try:
        return read.split_name(path.parts[0], SPLITS, "split", Counter()) if len(path.parts) > 1 else "test"
    except Fault:  # a folder of another name
        return "test"
