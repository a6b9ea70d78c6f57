"""What the last quarter of a schedule gained, against loops over the rows of the history."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.studies.studies import made_up
from tireid.studies import convergence, readable_convergence
from tireid.studies.report import write_report
from tireid.studies.results import Results, load
from tireid.studies.study import Study

ROOT = Path(__file__).parents[2]


def curves(values: dict[tuple[str, int], list[tuple[float, float]]]) -> Results:
    """A study whose runs have these validations, (step, R@1), among rows that have none; the last row comes first."""
    rows = []
    for (arm, seed), points in values.items():
        logged = [{"step": float(step), "val/t2i/R@1": value} for step, value in reversed(points)]
        logged += [{"step": float(step), "val/t2i/R@1": math.nan} for step, _ in points]
        rows += [{"arm": arm, "seed": seed, **row} for row in logged]
    index = pd.MultiIndex.from_tuples(list(values), names=["arm", "seed"])
    empty = pd.DataFrame(index=index)
    return Results(Study("made_up", Path("06_train.ipynb"), ()), empty, pd.DataFrame(), pd.DataFrame(rows), empty)


def slow(points: list[tuple[float, float]], last: float) -> float:
    """The gain of one run by a walk along its validations."""
    end_step, end = points[-1]
    start = end_step * (1 - last)
    for (left, low), (right, high) in pairwise(points):
        if left <= start <= right:
            return end - (low + (high - low) * (start - left) / (right - left))
    return math.nan


@pytest.mark.parametrize("last", [0.25, 0.4])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_gain_is_that_of_a_walk_along_the_validations(every: int, last: float) -> None:
    rng = np.random.default_rng(every)
    steps = [125.0 * epoch for epoch in range(every, 13, every)]
    steps += [] if steps[-1] == 1500 else [1500.0]
    runs = {
        (arm, seed): [(step, float(value)) for step, value in zip(steps, rng.normal(70, 2, len(steps)), strict=True)]
        for arm in ("one", "two")
        for seed in (1, 2, 3)
    }
    table = convergence(curves(runs), last=last)
    assert list(table.index) == list(runs)
    for key, points in runs.items():
        expected = slow(points, last)
        assert table.loc[key, "gain"] == pytest.approx(expected)
        assert table.loc[key, "before"] + table.loc[key, "gain"] == pytest.approx(points[-1][1])
        assert table.loc[key, "flat"] == (expected < 0.5)


def test_half_a_point_is_not_flat_and_an_arm_is_judged_by_its_mean() -> None:
    runs = {
        ("rising", 1): [(75, 60.0), (100, 60.5)],
        ("flat", 1): [(75, 60.0), (100, 60.75)],
        ("flat", 2): [(75, 60.0), (100, 59.75)],
        ("unknown", 1): [(100, 60.0)],
    }
    table = convergence(curves(runs))
    assert table["flat"].tolist() == [False, False, True, False]
    text = readable_convergence(table)
    assert text["converged"].to_dict() == {"rising": "no", "flat": "yes", "unknown": "no"}
    assert text.loc["flat"].tolist() == ["60.0", "60.2", "+0.2", "−0.2 to +0.8", "1 of 2", "yes"]
    assert text.loc["unknown", "gain"] == "-"


def test_a_study_without_validations_is_refused() -> None:
    with pytest.raises(ValueError, match=r"their history lacks val/t2i/R@1"):
        convergence(curves({("one", 1): [(100, math.nan)]}))


def test_report_says_which_arms_have_converged(tmp_path: Path) -> None:
    results = made_up()  # from step 3 to step 4 each arm gains its number
    page = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert "## Convergence" in page
    found = pd.read_csv(tmp_path / "convergence.csv")
    assert found.groupby("arm", sort=False)["gain"].mean().tolist() == pytest.approx([1, 2, 3])
    assert page.count("0 of 4") == 3


def test_arms_of_the_committed_study_that_have_converged() -> None:
    """The prose of notebook 10 and of the documentation names them."""
    found = load(ROOT / "notebooks/studies/converged.yaml", ROOT / "notebooks/results")
    text = readable_convergence(convergence(found))
    rising = text.loc[text["converged"] == "no", "gain"]
    assert rising.to_dict() == {"circle + both": "+0.7", "circle, gamma 64, log-mean-exp": "+0.7"}
    assert len(text) == 13
