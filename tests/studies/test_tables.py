"""Tables of a study against loops over its rows and against the statistics of the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from tests.studies.studies import ARMS, made_up
from tireid.studies import tables
from tireid.studies.results import Results
from tireid.studies.statistics import compare, holm

R1, MAP, NIGHT = "test/best/t2i/R@1", "test/best/t2i/mAP", "test/best/night/t2i/R@1"


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up()


def rows_of(results: Results, arm: str, seed: int, direction: str = "t2i") -> list[dict[str, float]]:
    rows = results.per_query.to_dict("records")
    return [r for r in rows if (r["arm"], r["seed"], r["direction"]) == (arm, seed, direction)]


def test_scores_are_what_each_query_adds(results: Results) -> None:
    ranks = tables.scores(results, "plain", "test/best/i2t/R@5")
    precisions = tables.scores(results, "plain", MAP)
    for seed in range(1, 5):
        for row in rows_of(results, "plain", seed, "i2t"):
            assert ranks.loc[seed, (row["query"], row["person_id"])] == (100 if row["first_rank"] <= 5 else 0)
        for row in rows_of(results, "plain", seed):
            assert precisions.loc[seed, (row["query"], row["person_id"])] == pytest.approx(100 * row["AP"])


def test_summary_is_the_runs_own_figure(results: Results) -> None:
    found = tables.summary(results, [R1, NIGHT])
    for metric in (R1, NIGHT):
        for arm in ARMS:
            own = results.runs.loc[arm, metric]
            assert found.loc[(metric, arm), "mean"] == pytest.approx(own.mean())
            assert found.loc[(metric, arm), "std"] == pytest.approx(own.std())
    assert found["seeds"].unique().tolist() == [4]
    assert found.loc[(R1, "plain"), ["people", "queries"]].tolist() == [30, len(rows_of(results, "plain", 1))]
    assert found.loc[(NIGHT, "plain"), ["people", "queries"]].tolist() == [1, 1]


def test_comparisons_are_paired_by_seed_and_query_whatever_the_order(results: Results) -> None:
    found = tables.comparisons(results, "plain", [R1, MAP])
    assert list(found.index) == [(m, a) for m in (R1, MAP) for a in ("other", "better")]
    expected = compare(*(_table(results, arm) for arm in ("better", "plain")), _people(results))
    row = found.loc[(MAP, "better")]
    for name, value in asdict(expected).items():
        assert row[name] == pytest.approx(value), name
    rng = np.random.default_rng(0)
    mixed = results.per_query.iloc[rng.permutation(len(results.per_query))]
    again = tables.comparisons(replace(results, per_query=mixed), "plain", [R1, MAP])
    pd.testing.assert_frame_equal(again, found)
    assert found.loc[(MAP, "other"), "p"] > 0.05
    assert row["p"] < 0.01


def _table(results: Results, arm: str) -> list[list[float]]:
    return [[100 * row["AP"] for row in rows_of(results, arm, seed)] for seed in range(1, 5)]


def _people(results: Results) -> list[float]:
    return [row["person_id"] for row in rows_of(results, "plain", 1)]


def test_holm_corrects_within_each_metric() -> None:
    results = made_up(("a", "b", "c", "d"), seeds=3, people=10, step=0.2)
    found = tables.comparisons(results, "a", [R1, MAP])
    for metric in (R1, MAP):
        assert found.loc[metric, "p_holm"].tolist() == pytest.approx(holm(found.loc[metric, "p"]).tolist())


def test_each_arm_against_its_own_baseline_on_the_seeds_that_both_have(results: Results) -> None:
    steps = {"other": "plain", "better": "other"}
    kept = results.per_query[~((results.per_query["arm"] == "other") & (results.per_query["seed"] == 2))]
    runs = results.runs.drop(("other", 2))
    found = tables.comparisons(replace(results, per_query=kept, runs=runs), steps, [R1])
    assert found["baseline"].tolist() == ["plain", "other"]
    assert found["seeds"].tolist() == [3, 3]
    means = {arm: results.runs.loc[arm, R1].drop(2).mean() for arm in ARMS}
    assert found["difference"].tolist() == pytest.approx([means[a] - means[b] for a, b in steps.items()])


def test_a_query_without_a_right_item_counts_for_no_arm(results: Results) -> None:
    per_query = results.per_query.astype({"first_rank": float}).copy()
    per_query.loc[per_query["query"] == 7, ["first_rank", "AP"]] = math.nan
    table = tables.scores(replace(results, per_query=per_query), "plain", R1)
    assert 7 not in table.columns.get_level_values("query")
    assert table.shape[1] == len(rows_of(results, "plain", 1)) - 1


def test_a_study_without_seeds_has_intervals_over_people() -> None:
    one = made_up(seeds=1)
    runs = one.runs.set_axis(pd.MultiIndex.from_tuples([(arm, None) for arm in ARMS], names=["arm", "seed"]))
    none = replace(one, runs=runs, per_query=one.per_query.assign(seed=None))
    for given in (one, none):
        found = tables.comparisons(given, "plain", [R1]).loc[(R1, "better")]
        assert (found["seeds"], found["people"]) == (1, 30)
        assert math.isnan(found["p_seeds"])
        assert found["low"] < found["difference"] < found["high"]
    assert tables.summary(none, [NIGHT])["low"].isna().all()  # one run, and no queries: there is nothing to resample


def test_cost_by_arm_and_over_the_baseline(results: Results) -> None:
    found = tables.cost(results, "plain")
    speed = results.runs["samples_per_second"]
    assert "memory (MiB)" not in found  # no run measured it
    for arm in ARMS:
        assert found.loc[arm, ("samples/s", "mean")] == pytest.approx(np.mean(speed[arm]))
        assert found.loc[arm, ("samples/s", "times")] == pytest.approx(np.mean(speed[arm]) / np.mean(speed["plain"]))
    assert found[("seconds of training", "std")].tolist() == [0, 0, 0]
    assert tables.readable_cost(found).loc["better", "seconds of training"] == "120 ± 0 (x 1.20)"


def test_tables_of_text() -> None:
    index = pd.MultiIndex.from_tuples([(R1, "a"), (R1, "b"), (MAP, "a"), (MAP, "b")], names=["metric", "arm"])
    rows = {
        "mean": [50.04, -1.0, 1, 2],
        "std": [math.nan, 0.26, 0, 0],
        "low": [49.0, -2, 1, 2],
        "high": [51.0, 0, 1, 2],
    }
    text = tables.readable_summary(pd.DataFrame(rows, index=index))
    assert list(text.columns) == ["R@1", "mAP"]
    assert text["R@1"].tolist() == ["50.0 (49.0 to 51.0)", "−1.0 ± 0.3 (−2.0 to 0.0)"]


def test_reading_says_who_is_ahead_and_who_is_not(results: Results) -> None:
    lines = tables.reading(tables.comparisons(results, "plain", [R1])).splitlines()
    assert lines[0].startswith("R@1: other is not shown to differ from plain: ")
    assert lines[1].startswith("R@1: better is ahead of plain: +")
    back = tables.reading(tables.comparisons(results, {"plain": "better"}, [R1]))
    assert back.startswith("R@1: plain is behind better: −")


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< 0.001"), (0.0123, "0.012"), (0.0999, "0.10"), (0.5, "0.50"), (math.nan, "-")]
)
def test_p_values_as_text(value: float, text: str) -> None:
    assert tables._p(value) == text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda r: tables.scores(r, "plian", R1),
            "run of the arm 'plian'; there are: plain, other",
        ),
        (
            lambda r: tables.scores(r, "plain", "test/best/t2i/R1"),
            r"the metric 'test/best/t2i/R1'; they have: test",
        ),
        (lambda r: tables.comparisons(r, {}, [R1]), "nothing to compare"),
        (lambda r: tables.comparisons(_other_queries(r), "plain", [R1]), "tested on different queries"),
        (lambda r: tables.comparisons(_other_seeds(r), "plain", [R1]), "no finished seed in common"),
        (lambda r: tables.agreement(_other_queries(r)), "tested on different queries"),
        (lambda r: tables.agreement(r, MAP), "expected an R@k"),
        (lambda r: tables.scores(_one_seed_differs(r), "plain", R1), "not tested on the same queries"),
        (lambda r: tables.readable_comparisons(tables.comparisons(r, "plain", [R1, MAP])), "one metric"),
    ],
)
def test_refusals(results: Results, call: Callable[[Results], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(results)


def _other_queries(results: Results) -> Results:
    people = results.per_query["person_id"] + (results.per_query["arm"] == "better")
    return replace(results, per_query=results.per_query.assign(person_id=people))


def _other_seeds(results: Results) -> Results:
    seeds = results.per_query["seed"] + 10 * (results.per_query["arm"] == "better")
    return replace(results, per_query=results.per_query.assign(seed=seeds))


def _one_seed_differs(results: Results) -> Results:
    return replace(results, per_query=results.per_query.iloc[1:])


@pytest.mark.parametrize("k", [1, 2])
def test_agreement_is_counted_query_by_query_over_pairs_of_different_seeds(results: Results, k: int) -> None:
    found = tables.agreement(results, f"test/best/t2i/R@{k}")
    rows = results.per_query[results.per_query["direction"] == "t2i"].sample(frac=1, random_state=0)
    ranks = {(r["arm"], r["seed"], r["query"]): r["first_rank"] for r in rows.to_dict("records")}
    queries = sorted({query for *_, query in ranks})
    for arm, other in product(ARMS, ARMS):
        shares = []
        for one, two in product(range(1, 5), range(1, 5)):
            if one != two:
                same = [(ranks[arm, one, q] <= k) == (ranks[other, two, q] <= k) for q in queries]
                shares.append(sum(same) / len(same))
        assert found.loc[arm, other] == pytest.approx(100 * sum(shares) / 12)
    assert found.loc["plain", "better"] < found.loc["plain", "plain"]


def test_one_seed_has_nothing_to_agree_with() -> None:
    assert tables.agreement(made_up(("plain", "better"), seeds=1)).isna().all(axis=None)


def test_validation_is_the_best_of_each_run_and_the_mean_of_the_seeds(results: Results) -> None:
    history = results.history.assign(**{"val/t2i/mAP": 100 - results.history["val/t2i/R@1"]})
    found = tables.validation(replace(results, history=history))
    for arm in ARMS:
        best = []
        for seed in range(1, 5):
            rows = [r for r in history.to_dict("records") if (r["arm"], r["seed"]) == (arm, seed)]
            best.append(max(r["val/t2i/R@1"] for r in rows if not math.isnan(r["val/t2i/R@1"])))
        assert found.loc[arm, "R@1"] == pytest.approx(sum(best) / 4)
        assert found.loc[arm, "mAP"] == pytest.approx(100 - sum(best) / 4)
    assert found.index.tolist() == list(ARMS)


def test_runs_without_validation_cannot_be_chosen_by_it(results: Results) -> None:
    with pytest.raises(ValueError, match="lacks val/t2i/mAP"):
        tables.validation(results)
