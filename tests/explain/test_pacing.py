"""The pace at CLIP's scale against plain loops, its geometry, and what notebook 04 says of it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from tests.notebooks.test_claims import ROOT, prose
from tireid.explain.pacing import clip_like, pace
from tireid.losses import CircleLoss
from tireid.studies import collect


def slow_slope(row: list[float], mine: list[bool], m: float, gamma: float, mean: bool) -> float:
    push = [math.exp(gamma * max(0.0, s + m) * (s - m)) for s, own in zip(row, mine, strict=True) if not own]
    pull = [math.exp(-gamma * max(0.0, 1 + m - s) * (s - 1 + m)) for s, own in zip(row, mine, strict=True) if own]
    product = sum(push) / (len(push) if mean else 1) * sum(pull) / (len(pull) if mean else 1)
    return product / (1 + product)


@pytest.mark.parametrize(("m", "gamma", "pooling"), [(0.25, 16, "sum"), (0.4, 64, "sum"), (0.4, 16, "mean")])
def test_the_pace_is_that_of_a_plain_loop(m: float, gamma: float, pooling: str) -> None:
    cosines, together, wrong = clip_like(64, 0.5)
    slopes = [
        slow_slope(row, mine, m, gamma, pooling == "mean")
        for row, mine in zip(cosines.double().tolist(), together.tolist(), strict=True)
    ]
    right = sorted(s for s, w in zip(slopes, wrong.tolist(), strict=True) if not w)
    found = pace(CircleLoss(margin=m, gamma=gamma, pooling=pooling), 64, 0.5)
    assert found["easiest tenth"] == pytest.approx(sum(right[: len(right) // 10]) / (len(right) // 10), abs=1e-3)
    assert found["median"] == pytest.approx(right[(len(right) - 1) // 2], abs=1e-3)
    assert found["wrong"] == pytest.approx(
        sum(s for s, w in zip(slopes, wrong.tolist(), strict=True) if w) / 6, abs=1e-3
    )


def test_the_features_are_spread_as_peers_report() -> None:
    cosines, together, wrong = clip_like(512)
    positive, negative = cosines[~wrong][together[~wrong]], cosines[~together]
    assert 0.35 < positive.quantile(0.025) < 0.45 < 0.5 < positive.median() < 0.6 < positive.quantile(0.975) < 0.75
    assert -0.15 < negative.quantile(0.025) < -0.05 < negative.median() < 0.1 < 0.15 < negative.quantile(0.975) < 0.25
    assert cosines[wrong][together[wrong]].median() < 0.1


def pulls(study: str) -> Any:
    """The means of sigma(Z) that the runs of a committed study noted, by arm and seed, in the order of their steps."""
    found = collect(ROOT / f"notebooks/studies/{study}.yaml", results=ROOT / "notebooks/results", train=False)
    return found.history.dropna(subset="pull").groupby(["arm", "seed"])["pull"]


def test_what_notebook_04_says_of_the_pace_is_what_is_computed_and_was_measured() -> None:
    text = prose("notebooks/04_circle_loss.ipynb")
    paper = CircleLoss(margin=0.4, gamma=64.0)
    quiet, noisy, wide = (
        pace(paper, pairs, alpha)["easiest tenth"] for pairs, alpha in ((64, 0), (64, 0.5), (512, 0.5))
    )
    assert f"{quiet:.2f} there without noise, and {noisy:.2f} with the preset's noise" in text
    assert f"{wide:.2f} at 512 pairs" in text
    assert pace(CircleLoss(margin=0.4, gamma=128.0), 512, 0.5)["easiest tenth"] < 0.2, "let go at 512 pairs"
    bounded = CircleLoss(margin=0.4, gamma=16.0, pooling="mean", bound=0.3)
    few, many = (pace(bounded, pairs, 0.5) for pairs in (64, 512))
    assert f"with {few['wrong']:.2f} at 64 pairs and {many['wrong']:.2f} at 512" in text
    assert f"median right one with {few['median']:.2f} and {many['median']:.2f}" in text
    mean = pace(CircleLoss(margin=0.4, gamma=16.0, pooling="mean"), 64, 0.5)
    assert "{:.2f}, {:.2f} and {:.2f} for the easiest tenth".format(*mean.values()) in text
    assert all(pace(CircleLoss(margin=0.25, gamma=gamma))["easiest tenth"] > 0.995 for gamma in (16.0, 64.0, 128.0))
    last = pulls("converged").last().groupby("arm").mean()
    for arm in ("circle", "circle, gamma 64", "circle, gamma 64, log-mean-exp"):
        assert f"{last[arm]:.3f}" in text
    forms, wrong = (pulls(study) for study in ("circle_forms", "wrong_bound"))
    ends = "{separate optima:.3f} (separate optima), {on classes:.3f} (on classes) and {late:.3f} (late)"
    assert ends.format_map(forms.last().groupby("arm").mean()) in text
    begins, ends = (each.groupby("arm").mean()["paper-strong, bounded"] for each in (wrong.first(), wrong.last()))
    assert f"begins at {begins:.3f} and ends at {ends:.3f}, in the runs" in text
    short = pd.read_csv(ROOT / "notebooks/data/pull.csv").groupby("form")["pull"].last()
    for value in short.drop("gamma 16, bound 0.5"):
        assert f"{value:.3f}" in text
