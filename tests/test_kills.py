"""Kill -9 at random moments, and two writers at once: nothing is lost, and the next start ends with the same files.

`TIREID_KILLS=50 python -m pytest --slow -s --timeout=0 tests/test_kills.py tests/studies/test_sweep.py -k kill` is the
long run, and prints what the kills met; `TIREID_PAIRS` sets how many pairs of writers come after them, else half as
many. Children are forked, so that a kill meets the work and not the imports.
"""

from __future__ import annotations

import functools
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
import torch

from tests.processes import kill_with_descendants
from tests.search.fakes import COLOURS, ColourModel, Crops, make_crops
from tests.train.test_loop import small, weights, without_times
from tireid.basics.files import remove_leftovers
from tireid.data import load_dataset
from tireid.data.cache import ImageCache
from tireid.pedestrians import write_dataset
from tireid.search import Gallery, encoded, evaluate
from tireid.train import TrainingError, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(0)]
KILLS = int(os.environ.get("TIREID_KILLS", "4"))
PAIRS = int(os.environ.get("TIREID_PAIRS", KILLS // 2))
REFUSED = 3
"""Exit status of a training that says that another one is writing its folder."""
Job = Callable[[Path, Path], None]


def training(source: Path, folder: Path) -> None:
    people = {"people": (12, 4, 6), "images_per_person": 2, "captions_per_image": 1, "processes": 1}
    try:
        train(small(), folder, data=load_dataset("synthetic", source / "people", **people))
    except TrainingError as error:
        os._exit(REFUSED if "another training is writing" in str(error) else 1)


def evaluation(source: Path, folder: Path) -> None:
    evaluate(ColourModel(), crops(source).split).save(folder)


def indexing(source: Path, folder: Path) -> None:
    encoded.EVERY = 0.0
    Gallery.of_folder(ColourModel(), crops(source).root, folder, batch_size=4).save(folder)


def caching(source: Path, folder: Path) -> None:
    paths = [record.image for record in crops(source).split.records]
    ImageCache.build(paths, (96, 32), folder, threads=1)


def generation(source: Path, folder: Path) -> None:
    write_dataset(folder, people=(20, 4, 6), images_per_person=2, captions_per_image=1, processes=1)


def generation_by_workers(source: Path, folder: Path) -> None:
    """Most of its time is the workers' start: a few pictures only."""
    write_dataset(folder, people=(6, 2, 3), images_per_person=2, captions_per_image=1, processes=2)


@functools.cache
def crops(source: Path) -> Crops:
    """Seventy-two pictures; made before the first child is forked."""
    return make_crops(source / "crops", tuple(COLOURS), per_person=12)


def content(folder: Path) -> dict[str, str]:
    """Digests of the files, without what tells times; of a training what must be the same to the bit."""
    if (folder / "last").is_dir():
        tensors = [weights(folder / name) for name in ("best", "last")]
        metrics = without_times(json.loads((folder / "metrics.json").read_text()))
        return {"weights": _digest(b"".join(t.numpy().tobytes() for part in tensors for t in part.values()))} | {
            name: str(value) for name, value in metrics.items()
        }
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): _digest(path.read_bytes()) for path in files}


def cleaned(folder: Path) -> dict[str, str]:
    """The content after `tireid clean`: what a killed process was writing stays under a temporary name until then."""
    for place in (folder, *folder.rglob("*/")):
        remove_leftovers(place)
    return content(folder)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content).hexdigest()


def started(job: Job, source: Path, folder: Path) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=job, args=(source, folder))
    process.start()
    return process


def killed(process: BaseProcess) -> None:
    if process.is_alive():
        kill_with_descendants([psutil.Process(process.pid)])
    process.join()


@pytest.mark.parametrize("job", [training, evaluation, indexing, caching, generation, generation_by_workers])
def test_kills_and_two_writers(job: Job, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    source, chance = tmp_path / "source", random.Random(0)
    crops(source)
    started(job, source, tmp_path / "first").join()  # leaves the data there
    begun = time.monotonic()
    started(job, source, tmp_path / "alone").join()
    whole, alone = time.monotonic() - begun, content(tmp_path / "alone")
    assert alone
    ended, met = 0, set()
    for _ in range(KILLS):
        process = started(job, source, tmp_path / "killed")
        time.sleep(chance.uniform(0, whole))
        if not process.is_alive():  # what is whole is not done again: begin afresh
            ended += 1
            assert cleaned(tmp_path / "killed") == alone
            shutil.rmtree(tmp_path / "killed")
        else:
            met.add(frozenset(path.name for path in tmp_path.glob("*killed*/**/*") if path.name[0] != "."))
        killed(process)
    assert ended < KILLS
    process = started(job, source, tmp_path / "killed")
    process.join()
    assert process.exitcode == 0
    assert cleaned(tmp_path / "killed") == alone

    for number in range(PAIRS):
        folder = tmp_path / f"two{number}"
        two = [started(job, source, folder) for _ in range(2)]
        if number % 2:
            time.sleep(chance.uniform(0, whole))
            killed(two.pop())
        for process in two:
            process.join()
        assert {process.exitcode for process in two} <= {0, REFUSED if job is training else 0}
        last = started(job, source, folder)
        last.join()
        assert last.exitcode == 0
        assert cleaned(folder) == alone
    kills = f"{KILLS - ended} of {KILLS} kills met the work, with {len(met)} different lists of files"
    print(f"{job.__name__}: {kills}; {PAIRS} pairs of writers; nothing lost")
