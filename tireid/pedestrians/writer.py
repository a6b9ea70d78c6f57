"""Writes the generated people to disk in the layout of a real data set, with ground truth beside the annotation."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tireid.basics.arguments import COUNT, LIST, WHOLE, checked
from tireid.basics.files import flush_tree, read_json, remove_leftovers, temporary_directory, writable
from tireid.basics.formats import LAYOUTS, SPLITS, SYNTHETIC_LAYOUT, Layout
from tireid.basics.processes import end_with_parent, processors, without_interrupts, without_script
from tireid.pedestrians.cameras import CAMERAS, STYLES, Style, sample_conditions
from tireid.pedestrians.captions import describe
from tireid.pedestrians.masks import map_path, write_garment_map
from tireid.pedestrians.people import attributes, visible
from tireid.pedestrians.rendering import hidden_parts, render
from tireid.pedestrians.sampling import sample_person

GENERATOR_VERSION = 1
"""Of the generator: raised when the same options give other pictures or captions."""
TRUTH_FILE, GENERATOR_FILE = "ground_truth.json", "generator.json"
SMALL = 1000
"""With fewer pictures than this, starting processes takes longer than drawing."""
MOST = 10**7
"""Captions that one call may write: a typing error must not fill memory and disk."""


@dataclass(frozen=True)
class _Options:
    """What decides the bytes of a generated data set."""

    layout: str = SYNTHETIC_LAYOUT
    style: Style = "street"
    people: tuple[int, int, int] = (1000, 100, 200)
    images_per_person: int = 4
    captions_per_image: int = 2
    seed: int = 0
    masks: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout must be one of {tuple(LAYOUTS)}, got {self.layout!r}")
        if self.style not in STYLES:
            raise ValueError(f"style must be one of {STYLES}, got {self.style!r}")
        for name in ("images_per_person", "captions_per_image"):
            COUNT(name, getattr(self, name))
        WHOLE("seed", self.seed)
        for number in LIST("people", self.people):
            WHOLE("each of people", number)
        if len(self.people) != 3 or min(self.people) < 0 or sum(self.people) == 0:
            raise ValueError(f"people must be three counts (train, val, test), none negative, got {self.people}")
        if (captions := sum(self.people) * self.images_per_person * self.captions_per_image) > MOST:
            raise ValueError(f"people {self.people}: {captions:,} captions, at most {MOST:,} are written at a time")
        if not set(self.masks) <= set(SPLITS):
            raise ValueError(f"masks must name some of the splits {SPLITS}, got {self.masks!r}")

    @property
    def format(self) -> Layout:
        """The layout's entry in the table of formats."""
        return LAYOUTS[self.layout]

    @property
    def captions(self) -> int:
        """Per image, as far as the layout has room for them."""
        return 1 if self.format.one_caption else self.captions_per_image

    def note(self) -> dict[str, Any]:
        """What generator.json holds."""
        about = {"generator": "tireid.pedestrians", "version": GENERATOR_VERSION}
        note = about | asdict(self) | {"people": list(self.people), "captions_per_image": self.captions}
        masks = note.pop("masks")
        return note | {"masks": list(self.masks)} if masks else note


@dataclass(frozen=True)
class _Someone:
    """One person to draw: `index` seeds it, `raw_id` is the number in the annotation."""

    index: int
    raw_id: int
    split: str


_Drawn = tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]
"""Ground truth of a person, annotation records, and ground truth of the images."""


@checked(processes=COUNT)
def write_dataset(
    root: str | Path,
    *,
    processes: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Path:
    """Draw a data set into ``<root>/<layout>`` and return that folder.

    The bytes do not depend on `processes` (default: up to 4, or 1 for a few pictures). `on_progress(done, total)`
    counts people. The other `options`:

    - `layout`, "CUHK-PEDES": whose format is written.
    - `style`, "street": or "studio", "night".
    - `people`, (1000, 100, 200): in train, val and test; ICFG-PEDES has no val, so those are skipped.
    - `images_per_person`, 4, and `captions_per_image`, 2 (1 for ICFG-PEDES).
    - `seed`, 0: decides who the people are, in every layout and style.
    - `masks`, (): splits for whose pictures :func:`~tireid.pedestrians.read_garment_map` is to tell where garments are.

    The folder holds ``imgs/``, the annotation, ``ground_truth.json`` (``people``: attributes by id; ``images``: person,
    conditions, visible attributes, and per caption what it mentions, vaguely or by mistake) and ``generator.json``. A
    complete folder made with the same options is returned at once, an incomplete one is made anew.

    Raises:
        ValueError: an option is out of range.
        TypeError: there is no such option.
        FileExistsError: the folder holds something else.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     sorted(path.name for path in write_dataset(root, people=(2, 1, 1), images_per_person=2).iterdir())
    ['generator.json', 'ground_truth.json', 'imgs', 'reid_raw.json']
    """
    wanted = _Options(**options)
    folder = Path(root) / wanted.layout
    if _is_complete(folder, wanted):
        return folder
    remove_leftovers(writable(folder).parent)
    with temporary_directory(folder) as building:
        building.chmod(0o755)
        _build(building, wanted, processes, on_progress)
        flush_tree(building)
        _move(building, folder, wanted)
    return folder


def _is_complete(folder: Path, options: _Options) -> bool:
    """Whether `folder` is there with all its files; raises if it holds something that is not ours to replace."""
    if not folder.exists():
        return False
    note = folder / GENERATOR_FILE
    if not note.is_file():
        raise FileExistsError(
            f"{folder} exists but has no {GENERATOR_FILE}, so it was not generated (is it the real {options.layout}?); "
            "choose another root"
        )
    found, wanted = read_json(note), options.note()
    if found != wanted:
        names = [key for key in {**wanted, **found} if wanted.get(key) != found.get(key)]
        different = ", ".join(f"{key}={found.get(key)!r} (asked: {wanted.get(key)!r})" for key in names)
        raise FileExistsError(f"{folder} was generated with {different}; choose another root or delete the folder")
    annotation = folder / options.format.files[0]
    if not annotation.is_file() or not (folder / TRUTH_FILE).is_file():
        return False
    try:
        records = json.loads(annotation.read_text(encoding="utf-8"))
        pictures = {folder / "imgs" / record[options.format.path_field]: record["split"] for record in records}
    except (ValueError, TypeError, KeyError):  # damaged
        return False
    maps = [map_path(path) for path, split in pictures.items() if split in options.masks]
    return all(path.is_file() for path in [*pictures, *maps])


def _move(building: Path, folder: Path, options: _Options) -> None:
    """Put the finished folder in its place; another process may have been faster with the same."""
    if folder.exists() and not _is_complete(folder, options):
        shutil.rmtree(folder)
    try:
        building.rename(folder)
    except OSError:
        if not _is_complete(folder, options):
            raise


def _everyone(options: _Options) -> list[_Someone]:
    """Everyone in order; ids are contiguous from the layout's first training id."""
    found: list[_Someone] = []
    raw_id, index = options.format.first_id, 0
    for split, count in zip(SPLITS, options.people, strict=True):
        if split in options.format.published:
            found += [_Someone(index + i, raw_id + i, split) for i in range(count)]
            raw_id += count
        index += count
    return found


def _build(
    folder: Path, options: _Options, processes: int | None, on_progress: Callable[[int, int], None] | None
) -> None:
    everyone, imgs = _everyone(options), folder / "imgs"
    imgs.mkdir()
    if processes is None:
        processes = 1 if len(everyone) * options.images_per_person < SMALL else min(4, processors())
    records: list[dict[str, Any]] = []
    truth: dict[str, Any] = {"people": {}, "images": []}
    drawn = _draw_all(partial(_draw_person, imgs, options), everyone, processes)
    for done, (who, of_person, of_images) in enumerate(drawn, 1):
        truth["people"][str(who["id"])] = who["attributes"]
        records += of_person
        truth["images"] += of_images
        if on_progress:
            on_progress(done, len(everyone))
    _write_json(folder / options.format.files[0], records)
    _write_json(folder / TRUTH_FILE, truth)
    (folder / GENERATOR_FILE).write_text(json.dumps(options.note(), indent=2) + "\n", encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _draw_all(draw: Callable[[_Someone], _Drawn], everyone: list[_Someone], processes: int) -> Iterator[_Drawn]:
    """Draw in order, in this process or in spawned ones (safe inside notebooks and beside threads)."""
    done = 0
    if processes > 1:
        size = max(1, min(32, len(everyone) // (4 * processes)))
        spawn = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(processes, mp_context=spawn, initializer=end_with_parent) as pool:
                with without_script(), without_interrupts():
                    results = pool.map(draw, everyone, chunksize=size)  # starts the processes
                for drawn in results:
                    done += 1
                    yield drawn
        except BrokenProcessPool:
            warnings.warn(
                "worker processes did not start or were killed; drawing in this one", RuntimeWarning, stacklevel=2
            )
    yield from map(draw, everyone[done:])


def _draw_person(imgs: Path, options: _Options, someone: _Someone) -> _Drawn:
    """Draw and save all pictures of one person."""
    seeds = np.random.SeedSequence([options.seed, someone.index]).spawn(3)
    of_person, of_images, of_captions = (np.random.default_rng(seed) for seed in seeds)
    person = sample_person(of_person)
    cameras = _cameras(of_images, options.images_per_person)
    records, truth = [], []
    for number, camera in enumerate(cameras):
        conditions = sample_conditions(of_images, options.style, camera)
        path, views = _file_path(options.format, someone, camera, number), [conditions.view]
        (imgs / path).parent.mkdir(parents=True, exist_ok=True)
        render(person, conditions).save(
            imgs / path, "JPEG", quality=conditions.quality, subsampling=2, optimize=False, progressive=False
        )
        if someone.split in options.masks:
            write_garment_map(person, conditions, imgs / path)
        hidden = hidden_parts(person, conditions)
        captions = [describe(person, of_captions, options.style, views, hidden) for _ in range(options.captions)]
        records.append(_record(options.format, someone, path, [caption.text for caption in captions]))
        about = {"file_path": path, "id": someone.raw_id, "split": someone.split, "conditions": asdict(conditions)}
        about |= {"visible": visible(person, views, hidden), "captions": [asdict(caption) for caption in captions]}
        truth.append(about)
    return {"id": someone.raw_id, "attributes": attributes(person)}, records, truth


def _cameras(rng: np.random.Generator, images: int) -> list[int]:
    """Different cameras as long as there are enough."""
    order: list[int] = []
    while len(order) < images:
        order += [int(camera) + 1 for camera in rng.permutation(len(CAMERAS))]
    return order[:images]


def _file_path(layout: Layout, someone: _Someone, camera: int, number: int) -> str:
    """Path under imgs/, named as in the real data set."""
    if layout.name == "CUHK-PEDES":
        folder = layout.folders[(camera - 1) % len(layout.folders)]
        return f"{folder}/{someone.raw_id:05d}_{camera:02d}_{number:02d}.jpg"
    if layout.name == "ICFG-PEDES":
        folder = "test" if someone.index % 3 == 2 else "train"
        return f"{folder}/{someone.raw_id:04d}/{someone.raw_id:04d}_{number:03d}_{camera:02d}.jpg"
    return f"{someone.raw_id:04d}_c{camera}_{number:04d}.jpg"


def _record(layout: Layout, someone: _Someone, path: str, captions: list[str]) -> dict[str, Any]:
    record: dict[str, Any] = {"split": someone.split, "captions": captions}
    record |= {layout.path_field: path, "id": someone.raw_id}
    if layout.tokens:
        without_marks = (caption.lower().replace(".", " ").replace(",", " ") for caption in captions)
        record["processed_tokens"] = [words.split() for words in without_marks]
    return record
