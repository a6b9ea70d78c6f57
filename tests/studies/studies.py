"""Results of a study that was never run, with effects that are known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tireid.studies.results import Results
from tireid.studies.study import Study, Task

ARMS = ("plain", "other", "better")
COMMIT = "d33d069"


def made_up(
    arms: Sequence[str] = ARMS, seeds: int = 4, people: int = 30, step: float = 0.6, missing: Sequence[Task] = ()
) -> Results:
    """Each arm is better than the one before it by `step` in the units of its queries' noise; `other` is as `plain`."""
    rng = np.random.default_rng(0)
    ids = rng.permutation(np.repeat(np.arange(people) + 100, rng.integers(3, 7, people)))
    ease = rng.normal(0, 1, ids.max() + 1)[ids]
    runs, provenance, per_query, history = {}, {}, [], []
    for number, arm in enumerate(arms):
        for seed in range(1, seeds + 1):
            z = ease + (0 if arm == "other" else number * step) + rng.normal(0, 0.1) + rng.normal(0, 0.5, len(ids))
            rank = np.maximum(1, np.ceil(3 * np.exp(-z))).astype(int)
            table = pd.DataFrame({"query": np.arange(len(ids)), "person_id": ids})
            for direction, ranks in (("t2i", rank), ("i2t", rank + 1)):
                columns = {"arm": arm, "seed": seed, "direction": direction, "first_rank": ranks, "AP": 1 / ranks}
                per_query.append(table.assign(**columns))
            runs[arm, seed] = {
                "test/best/t2i/R@1": 100 * float(np.mean(rank == 1)),
                "test/best/night/t2i/R@1": 20.0 + 5 * number + rng.normal(),
                "samples_per_second": 200.0 - 20 * number + rng.normal(),
                "train_seconds": 100.0 + 10 * number,
            }
            provenance[arm, seed] = {"git/commit": COMMIT, "git/dirty": False, "machine/cpu": "a processor"}
            steps = np.arange(0.0, 5)
            curve = np.where(steps % 2 == 0, steps * (number + 1) + seed**2, np.nan)
            seconds = 10 * steps + seed
            logged = {"step": steps, "seconds": seconds, "loss": 1 / (1 + steps), "val/t2i/R@1": curve}
            history.append(pd.DataFrame(logged).assign(arm=arm, seed=seed))
    index = pd.MultiIndex.from_tuples(list(runs), names=["arm", "seed"])
    return Results(
        Study("made_up", Path("06_train.ipynb"), ()),
        pd.DataFrame(list(runs.values()), index=index),
        pd.concat(per_query, ignore_index=True),
        pd.concat(history, ignore_index=True),
        pd.DataFrame(list(provenance.values()), index=index),
        tuple(missing),
    )
