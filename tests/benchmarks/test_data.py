"""A data set of CUHK-PEDES' size, and a start in a new process, beside plain references in the same run.

Costs are CPU seconds, which other processes move less than they move the clock. `pytest --slow -s` prints them.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tireid
from tests.data.folders import write_annotation
from tireid.data.cache import ImageCache

PEOPLE, ROWS, PICTURES = 13_003, 40_206, 4_000
SIZE = (384, 128)


def spent(work: Callable[[], Any]) -> tuple[float, float]:
    """CPU and wall seconds of one run."""
    began, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - began, time.perf_counter() - clock


def show(capsys: pytest.CaptureFixture[str], what: str, reference: float, ours: float) -> None:
    load = os.getloadavg()[0]
    with capsys.disabled():
        print(
            f"\n{what}: {reference:.2f} s, tireid {ours:.2f} s, ratio {ours / reference:.2f}, load {load:.0f}", end=""
        )


def rows() -> list[dict[str, Any]]:
    """As many people, pictures and captions as CUHK-PEDES has; 23 words a caption."""
    rng = random.Random(0)
    words = ["a", "man", "woman", "wearing", "red", "blue", "coat", "jeans", "with", "white", "shoes", "and", "bag"]
    made = []
    for i in range(ROWS):
        captions = [" ".join(rng.choices(words, k=23)) for _ in range(2)]
        person = 1 + i * PEOPLE // ROWS
        split = "train" if person <= 11_003 else "val" if person <= 12_003 else "test"
        tokens = [caption.split() for caption in captions]
        made.append(
            {"id": person, "file_path": f"c/{i}.jpg", "captions": captions, "processed_tokens": tokens, "split": split}
        )
    return made


def plain_reader(root: Path) -> dict[str, list[tuple[int, int, str, str]]]:
    """(person, picture, path, caption) by split, without any check."""
    splits: dict[str, list[tuple[int, int, str, str]]] = {"train": [], "val": [], "test": []}
    for number, row in enumerate(json.loads((root / "CUHK-PEDES" / "reid_raw.json").read_text())):
        path = f"{root}/CUHK-PEDES/imgs/{row['file_path']}"
        splits[row["split"]] += [(int(row["id"]), number, path, caption) for caption in row["captions"]]
    return splits


@pytest.mark.slow
def test_loading_costs_little_more_than_reading_plainly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_annotation(tmp_path, rows())
    data, found = plain_reader(tmp_path), tireid.load_dataset("CUHK-PEDES", tmp_path)
    assert len(found.train.captions) == len(data["train"])
    (reference, _), (ours, _) = (
        spent(lambda: plain_reader(tmp_path)),
        spent(lambda: tireid.load_dataset("CUHK-PEDES", tmp_path)),
    )
    show(capsys, f"load {ROWS} pictures and {2 * ROWS} captions", reference, ours)
    assert ours < 3 * reference


@pytest.mark.slow
def test_the_cache_is_made_at_the_rate_of_decoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside Pillow's decoding and resizing alone, in as many threads; then opened again."""
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (75, 30, 3), np.uint8)).resize((120, 300))
    paths = [tmp_path / f"{i}.jpg" for i in range(PICTURES)]
    grain.save(paths[0], quality=90)
    for path in paths[1:]:
        shutil.copy(paths[0], path)

    def decode(path: Path) -> bytes:
        return Image.open(path).convert("RGB").resize(SIZE[::-1], Image.Resampling.BILINEAR).tobytes()

    def plainly() -> None:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            sum(map(len, pool.map(decode, paths)))

    reference, _ = spent(plainly)
    ours, _ = spent(lambda: ImageCache.build(paths, SIZE, tmp_path / "cache"))
    show(capsys, f"cache of {PICTURES} pictures", reference, ours)
    warm, clock = spent(lambda: ImageCache.build(paths, SIZE, tmp_path / "cache"))
    show(capsys, f"the same, opened again ({clock:.2f} s by the clock)", reference, warm)
    assert ours < 2 * reference
    assert warm < 0.2 * reference


def child(*arguments: str) -> float:
    """CPU seconds of Python in a new process, without its own start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.slow
def test_a_new_process_starts_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Importing the package and asking for help import nothing large."""
    empty = child("-c", "pass")
    costs = {"import tireid": child("-c", "import tireid"), "tireid --help": child("-m", "tireid", "--help")}
    for what, ours in costs.items():
        show(capsys, f"{what}, beside Python alone", empty, ours)
    assert max(costs.values()) - empty < 0.5


SEARCH = "import tireid; print(tireid.Gallery.load({!r}).search('a man in a red coat', k=5))"


@pytest.mark.slow
def test_the_first_search_of_a_saved_gallery_follows_the_imports(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a new process: the gallery, the bundled model that it names and one query, beside importing what it needs."""
    model = tireid.TIReID.from_pretrained("tiny-street")
    features = np.random.default_rng(0).standard_normal((10_000, model.backbone.width), dtype=np.float32)
    tireid.Gallery(model, features, [f"{i}.jpg" for i in range(len(features))], root="").save(tmp_path)
    imports = child("-c", "import torch; from transformers import CLIPModel")
    ours = child("-c", SEARCH.format(str(tmp_path)))
    show(capsys, "first search of a saved gallery, beside importing torch and transformers' CLIP", imports, ours)
    assert ours - imports < 4
