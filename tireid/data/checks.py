"""The data set checker: reads everything once and says what is there, missing, odd, and how to mend it."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from tireid.basics.formats import Counts, Layout
from tireid.basics.terminal import printable
from tireid.data.images import ImageError, MissingImageError, open_image, verify_image
from tireid.data.rows import Record

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckReport:
    """What a check found; `print` it or let a notebook show it.

    >>> import pandas as pd
    >>> report = CheckReport("small", Path("small"), pd.DataFrame(), ["1 picture is missing"], [])
    >>> report.ok
    False
    """

    name: str
    folder: Path
    table: pd.DataFrame
    """A row per split: people, images and captions found, where compared the published numbers, and how many pictures
    are missing or unreadable."""
    problems: list[str]
    """One sentence each, with the fix; empty if all is well."""
    notes: list[str]
    """Oddities that need no action."""

    @property
    def ok(self) -> bool:
        """No problem was found."""
        return not self.problems

    def _verdict(self) -> str:
        return "complete" if self.ok else f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"

    def __str__(self) -> str:
        lines = [f"{self.name} in {self.folder}: {self._verdict()}", self.table.to_string()]
        lines += [f"- {problem}" for problem in self.problems]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        """The same for a notebook; names from disk are escaped."""
        title = html.escape(f"{self.name} in {self.folder}: {self._verdict()}")
        items = "".join(f"<li>{html.escape(problem)}</li>" for problem in self.problems)
        items += "".join(f"<li>note: {html.escape(note)}</li>" for note in self.notes)
        return f"<p><b>{title}</b></p>{self.table.to_html(escape=True)}" + (f"<ul>{items}</ul>" if items else "")


def check_dataset(
    folder: Path,
    splits: Mapping[str, Sequence[Record]],
    layout: Layout | None,
    *,
    limit: int,
    compare: bool,
    generated: bool,
    on_progress: Progress | None = None,
) -> CheckReport:
    """Behind :meth:`tireid.data.Dataset.check`, whose arguments are explained there."""
    if limit < 0:
        raise ValueError(f"limit is a number of file names from 0, got {limit}")
    rows, missing, unreadable = {}, list[Path](), list[str]()
    paths = [record.image for records in splits.values() for record in records]
    faults = _read_all(paths, on_progress, verify_image)
    for split, records in splits.items():
        found = [(record.image, next(faults)) for record in records]
        absent = [path for path, fault in found if fault == "missing"]
        broken = [fault for _, fault in found if fault not in ("", "missing")]
        published = layout.published.get(split) if layout and compare else None
        rows[split] = _row(_count(records), published) | {"missing": len(absent), "unreadable": len(broken)}
        missing += absent
        unreadable += broken
    request = "write it again with write_dataset" if generated else "find it and put it there"
    if layout and not generated:
        request = f"request it from {layout.request}"
    problems = list(_missing_folders(folder, missing, layout, generated, request)) if layout else []
    problems += _some(missing, "missing picture", limit, folder, f"unpack the whole data set, or {request}")
    problems += _some(unreadable, "unreadable picture", limit, folder, "replace it: copy or download it again")
    problems += _empty(splits) if layout else []
    problems += _differences(splits, layout, request) if layout and compare else []
    table = pd.DataFrame.from_dict(rows, orient="index")
    return CheckReport("", folder, table, problems, list(_notes(splits)))


@contextmanager
def naming_all(paths: Sequence[Path]) -> Iterator[None]:
    """Where a picture cannot be read, all `paths` are looked at before that is told: one repair is to be enough.

    Raises:
        ImageError: of the kind that was raised; the first three are named, all are counted.
    """
    try:
        yield
    except ImageError as error:
        faults = zip(paths, _read_all(paths, None, open_image), strict=True)
        bad = [f"{path}: no such picture" if fault == "missing" else fault for path, fault in faults if fault]
        if not bad:
            raise
        count = f"{len(bad):,} of {len(paths):,} pictures cannot be read"
        fix = "Fix: replace them; `tireid check-data` names all of a data set"
        raise type(error)(f"{'; '.join(bad[:3])}; {count}. {fix}") from error


def _read_all(paths: Sequence[Path], on_progress: Progress | None, look: Callable[[Path], object]) -> Iterator[str]:
    """What is wrong with each picture, in order."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), 1024):
            faults = list(pool.map(partial(_fault, look), paths[start : start + 1024]))
            if on_progress:
                on_progress(start + len(faults), len(paths))
            yield from faults


def _fault(look: Callable[[Path], object], path: Path) -> str:
    """Empty for a good picture."""
    try:
        look(path)
    except MissingImageError:
        return "missing"
    except ImageError as error:
        return str(error).removesuffix(". Fix: replace the file")
    return ""


def _empty(splits: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    for split in ("train", "test"):
        if not any(record.captions for record in splits.get(split, ())):
            fix = "use the published annotation, or call split() for what is there"
            yield f"no picture belongs to the {split} split, so nothing can be {split}ed on. Fix: {fix}"


def _count(records: Sequence[Record]) -> Counts:
    return Counts(len({r.person_id for r in records}), len(records), sum(len(r.captions) for r in records))


def _row(found: Counts, published: Counts | None) -> dict[str, int]:
    row: dict[str, int] = {}
    for key, value in found._asdict().items():
        row[key] = value
        if published is not None:
            row[f"{key} published"] = getattr(published, key)
    return row


def _missing_folders(
    folder: Path, missing: Sequence[Path], layout: Layout, generated: bool, request: str
) -> Iterator[str]:
    """One sentence for a folder that is missing as a whole, instead of a thousand file names."""
    needed = {path.relative_to(folder / "imgs").parts[0] for path in missing if path.parent != folder / "imgs"}
    for name in sorted(needed):
        if not (folder / "imgs" / name).is_dir():
            count = sum(path.is_relative_to(folder / "imgs" / name) for path in missing)
            known = "" if generated or name not in layout.folders else f" (it has {', '.join(layout.folders)})"
            fix = f"unpack it beside the others{known}, or {request}"
            yield f"the folder imgs/{name} is missing, with {count} pictures. Fix: {fix}"


def _some(items: Sequence[Path | str], what: str, limit: int, folder: Path, fix: str) -> Iterator[str]:
    """A sentence per item up to the limit, then how many more."""
    for item in items[:limit]:
        yield f"{what}: {printable(item)}"
    if items:
        more = f"and {len(items) - limit} more {what}s" if len(items) > limit else f"{len(items)} {what}(s) in {folder}"
        yield f"{more}. Fix: {fix}"


def _differences(splits: Mapping[str, Sequence[Record]], layout: Layout, request: str) -> Iterator[str]:
    for split, published in layout.published.items():
        found = _count(splits.get(split, ()))
        wrong = [
            f"{value} {key} instead of {expected}"
            for (key, value), expected in zip(found._asdict().items(), published, strict=True)
            if value != expected
        ]
        if wrong:
            yield (
                f"{split}: {', '.join(wrong)}, so figures cannot be compared with published ones. "
                f"Fix: {request}; for a subset of your own check(published=False)"
            )


def _notes(splits: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    for split, records in splits.items():
        repeated = len(records) - len({record.image for record in records})
        many = max((len(record.captions) for record in records), default=0)
        above_two = sum(len(record.captions) > 2 for record in records)
        single = sum(count == 1 for count in Counter(record.person_id for record in records).values())
        if repeated:
            yield f"{split}: {repeated} records repeat a picture of an earlier one"
        if above_two:
            yield f"{split}: {above_two} images have more than two captions (at most {many})"
        if single:
            yield f"{split}: {single} people have a single image"
