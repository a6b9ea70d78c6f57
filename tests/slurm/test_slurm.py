"""A sweep on a real Slurm whose node dies in the middle, and an index in shards. Alone: `pytest --slow tests/slurm`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.runner.books import book, code, parameters, save
from tests.slurm.cluster import Cluster, why_not
from tests.studies.test_sweep import TRAIN, TRAIN_PARAMETERS
from tireid.experiments import sweep
from tireid.search import Gallery
from tireid.studies.results import load

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def test_a_sweep_survives_the_death_of_its_node(cluster: Cluster, tmp_path: Path) -> None:
    path = save(book(parameters(TRAIN_PARAMETERS), code(TRAIN)), tmp_path).with_name("study.yaml")
    path.write_text(yaml.safe_dump({"notebook": "book.ipynb", "seeds": [1, 2]}))
    straight = sweep(path, runs=tmp_path / "straight", jobs=1)
    assert straight.ok, straight

    runs = tmp_path / "slurm"
    command = [sys.executable, "-m", "tireid", "sweep", str(path), "--runs", str(runs), "--jobs", "2"]
    command += ["--cluster", "slurm"]
    first = subprocess.Popen(command, env=cluster.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: list(runs.glob("*/files/training/state-*")), 180)
    first.kill()
    first.wait()
    cluster.kill_node()
    assert len(list((runs / "results").glob("*/task.json"))) < 2
    cluster.start_node()

    again = subprocess.run(command, env=cluster.environment, capture_output=True, text=True, timeout=400, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    tables = [load(path, tmp_path / name / "results").runs for name in ("straight", "slurm")]
    one, other = (table.drop(columns=table.filter(regex="second|memory").columns) for table in tables)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert list(runs.glob("logs/*/*submission.sh")), "the tasks were submitted to Slurm"


def test_an_array_of_jobs_encodes_the_shards_of_a_gallery(cluster: Cluster, tmp_path: Path) -> None:
    """Each shard is a job; together they are the gallery of one process, and a picture that is added later joins it."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(24):
        Image.fromarray(rng.integers(0, 256, (96, 32, 3), np.uint8)).save(pictures / f"{number:02d}.png")

    def index(gallery: str, *options: str) -> Gallery:
        command = [sys.executable, "-m", "tireid", "index", str(pictures), str(tmp_path / gallery), "--model", "tiny"]
        environment = cluster.environment
        done = subprocess.run(
            [*command, *options], env=environment, capture_output=True, text=True, timeout=400, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return Gallery.load(tmp_path / gallery)

    def submitted() -> int:
        return len(list(tmp_path.glob("**/*submission.sh")))

    shards = ("--shards", "3", "--cluster", "slurm", "--jobs", "2")
    whole, parts = index("whole"), index("parts", *shards)
    assert submitted() > 0
    assert len(parts) == 24
    rows = [parts.names.index(name) for name in whole.names]
    np.testing.assert_array_equal(parts.features[rows], whole.features)
    Image.fromarray(rng.integers(0, 256, (96, 32, 3), np.uint8)).save(pictures / "new.png")
    more = index("parts", *shards)
    assert len(more) == 25
    np.testing.assert_array_equal(more.features[[more.names.index(name) for name in whole.names]], whole.features)


def wait_for(condition: object, seconds: float) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.2)
