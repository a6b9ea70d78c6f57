"""What one row of an annotation must be, whatever file it comes from: the boundary that strangers' data pass.

What has one meaning is accepted and counted; anything else is a :class:`Fault`, which the reader of the file turns into
an :class:`AnnotationError` that says where it stands.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tireid.basics.terminal import printable


@dataclass(frozen=True)
class Record:
    """One image with its captions (white space normalised; none only where the annotation has none for it).

    >>> record = Record(Path("cam_a/1.jpg"), 7, ("a man in blue",), "train")
    >>> record.person_id, record.camera
    (7, None)
    """

    image: Path
    person_id: int
    captions: tuple[str, ...]
    split: str
    camera: int | None = None


class AnnotationError(ValueError):
    """An annotation that cannot be used; the message names file, record, field, what was expected and the fix.

    >>> print(AnnotationError("no captions", file=Path("raw.json"), record=3, field="captions", fix="give one"))
    raw.json, record 3, field 'captions': no captions. Fix: give one
    """

    def __init__(
        self, problem: str, *, file: Path, record: int | None = None, field: str | None = None, fix: str = ""
    ) -> None:
        self.file, self.record, self.field, self.fix = file, record, field, fix
        where = [printable(file)]
        where += [] if record is None else [f"record {record}"]
        where += [] if field is None else [f"field {field!r}"]
        super().__init__(f"{', '.join(where)}: {problem}" + (f". Fix: {fix}" if fix else ""))


def findable(path: Path) -> Path:
    """`path`, if the system can look for it, which it cannot for a name that is too long."""
    try:
        path.exists()
    except OSError as error:
        raise AnnotationError(error.strerror or str(error), file=path, fix="pass the path of what is there") from None
    return path


class Fault(Exception):
    """What is wrong with a field (None: with the whole row), and how to mend it."""

    def __init__(self, field: str | None, problem: str, fix: str) -> None:
        super().__init__(problem)
        self.field, self.problem, self.fix = field, problem, fix

    def at(self, file: Path, record: int) -> AnnotationError:
        """The same, with its place."""
        return AnnotationError(self.problem, file=file, record=record, field=self.field, fix=self.fix)


Mended = Counter[str]
"""How often each oddity was put right, by a phrase that says what it was."""

SLASH = "paths begin with a slash, which was left out"
ABSENT = ("nan", "none", "null")
"""What programs write where there is no text."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPLIT_NAMES = {"training": "train", "valid": "val", "validation": "val", "dev": "val", "testing": "test"}


def picture_path(value: object, field: str, mended: Mended, folder: str = "imgs/") -> str:
    """A path below the folder of pictures, which messages call `folder`, in its plain form."""
    expected = f"a path below {folder}"
    if type(value) is not str or not value.strip() or "\0" in value:
        raise Fault(field, f"expected {expected}, got {describe(value)}", "write the picture's path, as text")
    if "\\" in value:
        raise Fault(field, f"backslash in {value!r}, expected {expected}", "write / between folders")
    parts = value.split("/")
    if not value.isascii():
        try:
            os.fsencode(value)
        except UnicodeEncodeError:
            raise Fault(field, f"half a surrogate pair in {describe(value)}", "write the name itself") from None
    elif parts[-1] and "" not in parts and "." not in parts and ".." not in parts and ":" not in parts[0]:
        return value  # nearly all of them
    path = PurePosixPath(value.lstrip("/"))
    if re.match(r"[A-Za-z]:", value):
        raise Fault(field, f"absolute path {value!r}, expected {expected}", f"write it relative to {folder}")
    if ".." in path.parts or not path.parts:
        raise Fault(field, f"{value!r} leaves the folder, expected {expected}", f"write it relative to {folder}")
    mended[SLASH] += value.startswith("/")
    return str(path)


def person_number(value: object, field: str, mended: Mended) -> int:
    """An integer from 0; its decimal digits as a string mean the same."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 19:
        mended["person ids are written as strings"] += 1
        value = int(value)
    if type(value) is not int:  # bool is an int to isinstance
        raise Fault(field, f"expected an integer, got {describe(value)}", "write the person's number")
    if not 0 <= value < 2**63:
        raise Fault(field, f"expected an integer from 0, got {describe(value)}", "number people from 0 or 1")
    return value


def split_name(value: object, splits: Sequence[str], field: str, mended: Mended) -> str:
    """One of `splits`; a usual other name of one of them means the same."""
    if type(value) is str:
        if value in splits:
            return value
        meant = value.strip().lower()
        meant = _SPLIT_NAMES.get(meant, meant)
        if meant in splits:
            mended[f"records say {value!r} for the split {meant!r}"] += 1
            return meant
    problem = f"expected one of {', '.join(splits)}, got {describe(value)}"
    raise Fault(field, problem, "write one of the splits of this data set")


def caption_texts(values: object, field: str, mended: Mended) -> tuple[str, ...]:
    """A list of strings with white space normalised; blank ones are left out."""
    if type(values) is not list:
        fix = "put the caption in a list" if type(values) is str else "write a list of strings"
        raise Fault(field, f"expected a list of strings, got {describe(values)}", fix)
    if not values:
        raise Fault(field, "expected at least one caption, got an empty list", "remove the record")
    texts = []
    for number, value in enumerate(values):
        if type(value) is not str:
            fix = "write the caption as a string"
            raise Fault(f"{field}[{number}]", f"expected a string, got {describe(value)}", fix)
        text = " ".join(value.split())
        if not text.isascii() and _SURROGATE.search(text):
            problem = f"bytes that are no UTF-8, or half a surrogate pair, in {describe(text)}"
            raise Fault(f"{field}[{number}]", problem, "save the file as UTF-8, with the character itself")
        if text.lower() in ABSENT:
            mended[f"captions say {text!r}, which stands for none, and were left out"] += 1
        elif text:
            texts.append(text)
        else:
            mended["captions are blank and were left out"] += 1
    return tuple(texts)


_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother, _short.maxlong = 2, 60, 60, 60
_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


def describe(value: object) -> str:
    """A value and its type in JSON's words, cut to a readable length.

    >>> describe(["a", 3]), describe(True)
    ("['a', 3] (a list)", 'True (a boolean)')
    """
    return f"{_short.repr(value)} ({_KINDS.get(type(value), 'a number')})"
