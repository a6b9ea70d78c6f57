"""A study's results as tables: of numbers for programs, of text for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import TYPE_CHECKING, Any

import pandas as pd

from tireid.studies.statistics import compare, estimate, holm
from tireid.studies.typesetting import number

if TYPE_CHECKING:
    from tireid.studies.results import Results

METRICS = ("test/best/t2i/R@1", "test/best/t2i/mAP")
ALPHA = 0.05
"""A difference whose p after Holm's correction is below this is called one."""
COSTS = {"samples_per_second": "samples/s", "peak_memory_mib": "memory (MiB)", "train_seconds": "seconds of training"}
PER_QUERY = re.compile(r"test/best/(?P<direction>t2i|i2t)/(?:R@(?P<k>\d+)|mAP)")
"""Figures that the table of the test queries holds query by query; all others are known per run only."""
DIRECTIONS = {"t2i": "", "i2t": "image to text"}


def scores(results: Results, arm: str, metric: str) -> pd.DataFrame:
    """Seeds by queries: what every query contributes to `metric`, in percent.

    The columns are pairs (query, person_id). A metric that is known per run only, such as the one on another style of
    people or the seconds of training, has a single column. Raises ValueError for an arm without results and for a
    metric that its runs did not record, naming what there is.
    """
    arms = list(dict.fromkeys(results.runs.index.get_level_values("arm")))
    if arm not in arms:
        raise ValueError(f"there is no finished run of the arm {arm!r}; there are: {', '.join(arms)}")
    found = PER_QUERY.fullmatch(metric)
    if found and len(results.per_query):
        return _by_query(results.per_query, arm, found)
    if metric not in results.runs or results.runs.loc[[arm], metric].isna().any():
        known = ", ".join(results.runs.loc[[arm]].dropna(axis="columns").columns)
        raise ValueError(f"not every run of the arm {arm!r} has the metric {metric!r}; they have: {known}")
    column = pd.MultiIndex.from_tuples([(0, 0)], names=["query", "person_id"])
    values = results.runs.loc[[arm], metric].astype(float).to_numpy()[:, None]
    return pd.DataFrame(values, index=results.runs.loc[[arm]].index.get_level_values("seed"), columns=column)


def _by_query(per_query: pd.DataFrame, arm: str, metric: re.Match[str]) -> pd.DataFrame:
    rows = per_query[(per_query["arm"] == arm) & (per_query["direction"] == metric["direction"])]
    value = 100 * (rows["first_rank"] <= int(metric["k"])).astype(float) if metric["k"] else 100 * rows["AP"]
    rows = rows.assign(value=value.where(rows["first_rank"].notna()))
    table = rows.pivot(index="seed", columns=["query", "person_id"], values="value")
    # A query without a right item in the gallery has no rank, whatever the model: it counts in no mean.
    table = table.dropna(axis="columns", how="all").sort_index(axis="columns")
    if table.isna().any(axis=None):
        raise ValueError(f"the seeds of the arm {arm!r} were not tested on the same queries")
    return table


def summary(results: Results, metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Mean, standard deviation over seeds and 95% interval over seeds and people, of every arm.

    Rows (metric, arm); columns as :class:`~tireid.studies.statistics.Estimate`. Raises as :func:`scores`.
    """
    rows = {}
    for metric in metrics:
        for arm in dict.fromkeys(results.runs.index.get_level_values("arm")):
            table = scores(results, arm, metric)
            rows[metric, arm] = asdict(estimate(table, table.columns.get_level_values("person_id")))
    return _indexed(rows)


def comparisons(results: Results, baseline: str | Mapping[str, str], metrics: Sequence[str] = METRICS) -> pd.DataFrame:
    """Every arm against `baseline`, or each arm that is a key of the mapping against its value; paired.

    Rows (metric, arm); columns `baseline`, those of :class:`~tireid.studies.statistics.Comparison`, and `p_holm`:
    `p` corrected for all comparisons that the table makes with that metric. Seeds that only one of the two arms has
    finished are left out.

    Raises:
        ValueError: as :func:`scores`; or two arms share no seed or were tested on other queries.
    """
    if isinstance(baseline, str):
        arms = dict.fromkeys(results.runs.index.get_level_values("arm"))
        baseline = {arm: baseline for arm in arms if arm != baseline}
    rows = {}
    for metric in metrics:
        for arm, other in baseline.items():
            one, two = _paired(scores(results, arm, metric), scores(results, other, metric), arm, other)
            found = compare(one, two, one.columns.get_level_values("person_id"))
            rows[metric, arm] = {"baseline": other, **asdict(found)}
    if not rows:
        raise ValueError("nothing to compare: the study has one arm with results")
    table = _indexed(rows)
    corrected = table.groupby(level="metric", sort=False)["p"].transform(lambda p: holm(p.to_numpy()))
    table.insert(list(table.columns).index("p") + 1, "p_holm", corrected)
    return table


def agreement(results: Results, metric: str = METRICS[0]) -> pd.DataFrame:
    """Of how many queries, in percent, two runs say the same: both find the person, or neither does.

    Arms by arms: the mean over all pairs of a seed of the one and another seed of the other. On the diagonal both are
    of the same arm, so it has what seeds alone change; NaN for an arm of one seed. Objectives that find other people
    agree less with each other than each with itself.

    Raises:
        ValueError: as :func:`scores`; `metric` is no R@k; two arms were tested on other queries.

    >>> from tireid.studies import Results, Study
    >>> table = pd.DataFrame({"query": [0, 1] * 2, "person_id": 7, "first_rank": [1, 2, 1, 1], "seed": [1, 1, 2, 2]})
    >>> runs = pd.DataFrame(index=pd.MultiIndex.from_product([["circle"], [1, 2]], names=["arm", "seed"]))
    >>> none, queries = pd.DataFrame(), table.assign(arm="circle", direction="t2i", AP=1.0)
    >>> print(agreement(Results(Study("seeds", "a.ipynb", ()), runs, queries, none, none)).loc["circle", "circle"])
    50.0
    """
    found = PER_QUERY.fullmatch(metric)
    if not found or not found["k"]:
        raise ValueError(f"metric: expected an R@k, of which a run has a hit or none per query, got {metric!r}")
    arms = list(dict.fromkeys(results.runs.index.get_level_values("arm")))
    hits, table = {arm: scores(results, arm, metric) for arm in arms}, pd.DataFrame(math.nan, arms, arms)
    for arm, other in product(arms, arms):
        one, two = hits[arm], hits[other]
        _check_queries(one, two, arm, other)
        same = (one.to_numpy()[:, None] == two.to_numpy()).mean(axis=2)  # seeds by seeds
        others = one.index.to_numpy()[:, None] != two.index.to_numpy()
        table.loc[arm, other] = 100 * same[others].mean() if others.any() else math.nan
    return table


def _paired(one: pd.DataFrame, two: pd.DataFrame, arm: str, other: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    _check_queries(one, two, arm, other)
    seeds = one.index.intersection(two.index)
    if seeds.empty:
        raise ValueError(f"the arms {arm!r} and {other!r} have no finished seed in common")
    return one.loc[seeds], two.loc[seeds]


def _check_queries(one: pd.DataFrame, two: pd.DataFrame, arm: str, other: str) -> None:
    if not one.columns.equals(two.columns):
        raise ValueError(f"the arms {arm!r} and {other!r} were tested on different queries: they cannot be paired")


def _indexed(rows: Mapping[tuple[str, str], Mapping[str, object]]) -> pd.DataFrame:
    index = pd.MultiIndex.from_tuples(list(rows), names=["metric", "arm"])
    return pd.DataFrame(list(rows.values()), index=index)


def cost(results: Results, baseline: str | None = None) -> pd.DataFrame:
    """What the arms cost: mean and standard deviation over seeds of the columns of :data:`COSTS` that the runs have.

    Rows are arms, columns (figure, "mean" or "std"); with `baseline` also (figure, "times"), the mean over its own.

    >>> from tireid.studies import Results, Study
    >>> index = pd.MultiIndex.from_product([["full", "half"], [1, 2]], names=["arm", "seed"])
    >>> none, runs = pd.DataFrame(), pd.DataFrame({"train_seconds": [60, 80, 30, 40]}, index)
    >>> table = cost(Results(Study("ablation", "a.ipynb", ()), runs, none, none, none), baseline="full")
    >>> table["seconds of training", "times"].to_dict()
    {'full': 1.0, 'half': 0.5}
    """
    known = [name for name in COSTS if name in results.runs]
    groups = results.runs[known].astype(float).groupby(level="arm", sort=False)
    parts = {(COSTS[name], what): groups[name].agg(what) for name in known for what in ("mean", "std")}
    if baseline is not None:
        for name in known:
            means = parts[COSTS[name], "mean"]
            parts[COSTS[name], "times"] = means / means[baseline]
    table = pd.DataFrame(parts)
    order = [(COSTS[name], what) for name in known for what in ("mean", "std", "times")]
    return table[[column for column in order if column in parts]]


def validation(results: Results, metrics: Sequence[str] = ("R@1", "mAP")) -> pd.DataFrame:
    """What an arm may be chosen by: text to image on the validation people at each run's best, the mean over seeds.

    The best is the validation with the highest R@1, as in :func:`tireid.train`. Rows are arms.

    Raises:
        ValueError: no run was validated.
    """
    columns = [f"val/t2i/{name}" for name in metrics]
    first = "val/t2i/R@1"
    missing = sorted({first, *columns} - set(results.history))
    if missing:
        raise ValueError(f"the runs have no validation: their history lacks {', '.join(missing)}")
    validated = results.history.dropna(subset=[first]).reset_index(drop=True)
    best = validated.loc[validated.groupby(["arm", "seed"], sort=False)[first].idxmax()]
    return best.groupby("arm", sort=False)[columns].mean().set_axis(list(metrics), axis="columns")


def label(metric: str) -> str:
    """A metric's name for people.

    >>> [label(f"test/{name}") for name in ("best/t2i/R@1", "best/i2t/mAP", "best/night/t2i/R@1", "last/t2i/mAP")]
    ['R@1', 'mAP, image to text', 'R@1, night', 'mAP, last epoch']
    """
    parts = metric.split("/")
    if parts[0] != "test" or len(parts) < 4:
        return COSTS.get(metric, metric)
    words = [parts[-1], DIRECTIONS.get(parts[-2], parts[-2]), *parts[2:-2]]
    words += ["last epoch"] if parts[1] == "last" else []
    return ", ".join(word for word in words if word)


def readable_summary(table: pd.DataFrame, digits: int = 1) -> pd.DataFrame:
    """A :func:`summary` as text: arms by metrics, "mean ± standard deviation (low to high)"."""
    cells = {(row["metric"], row["arm"]): f"{_mean(row, digits)} {_range(row, digits)}" for row in _records(table)}
    wide = pd.Series(cells).unstack(level=0)
    metrics, arms = (list(dict.fromkeys(table.index.get_level_values(level))) for level in ("metric", "arm"))
    return wide.loc[arms, metrics].rename(columns=label).rename_axis(index="arm", columns=None)


def only_metric(table: pd.DataFrame) -> str:
    """The one metric of :func:`comparisons`; ValueError where there are several."""
    metrics = list(dict.fromkeys(table.index.get_level_values("metric")))
    if len(metrics) != 1:
        raise ValueError(f"expected the comparisons of one metric, got {metrics}: take table.loc[[metric]]")
    return str(metrics[0])


def readable_comparisons(table: pd.DataFrame, digits: int = 1) -> pd.DataFrame:
    """:func:`comparisons` with one metric as text, a row per arm.

    Raises:
        ValueError: there are several metrics.
    """
    difference = f"difference in {label(only_metric(table))}"
    rows = {
        row["arm"]: {
            "against": row["baseline"],
            difference: f"{number(row['difference'], digits, '+')} {_range(row, digits, '+')}",
            "p": _p(row["p"]),
            "p, Holm": _p(row["p_holm"]),
            "p, seeds": _p(row["p_seeds"]),
            "p, people": _p(row["p_people"]),
            "d_z": number(row["d_z"], 1),
            "queries better/worse": f"{row['improved']:.0%} / {row['worsened']:.0%}" if row["queries"] > 1 else "-",
        }
        for row in _records(table)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")


def readable_cost(table: pd.DataFrame) -> pd.DataFrame:
    """A :func:`cost` as text: "mean ± standard deviation" and the factor over the baseline where there is one.

    >>> columns = pd.MultiIndex.from_product([["seconds of training"], ["mean", "std", "times"]])
    >>> table = pd.DataFrame([[35.0, 7.0, 0.5]], ["half"], columns)
    >>> readable_cost(table).loc["half", "seconds of training"]
    '35 ± 7 (x 0.50)'
    """
    rows: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(table.columns.get_level_values(0)):
        for arm, row in table[name].to_dict("index").items():
            times = f" (x {row['times']:.2f})" if "times" in row else ""
            rows.setdefault(str(arm), {})[name] = _mean(row, 0) + times
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")


def reading(table: pd.DataFrame, alpha: float = ALPHA) -> str:
    """:func:`comparisons` in sentences, one a line: which arm is ahead after Holm's correction, and which is not.

    >>> row = {"metric": "test/best/t2i/R@1", "arm": "half", "baseline": "full", "difference": -2.0}
    >>> print(reading(pd.DataFrame([row | {"low": -3.0, "high": -1.0, "p_holm": 0.01}])))
    R@1: half is behind full: −2.0 (−3.0 to −1.0), Holm's p 0.010
    """
    lines = []
    for row in _records(table):
        figures = f"{number(row['difference'], 1, '+')} {_range(row, 1, '+')}, Holm's p {_p(row['p_holm'])}"
        if row["p_holm"] < alpha:
            verb = "is ahead of" if row["difference"] > 0 else "is behind"
        else:
            verb = "is not shown to differ from"
        lines.append(f"{label(row['metric'])}: {row['arm']} {verb} {row['baseline']}: {figures}")
    return "\n".join(lines)


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.reset_index().to_dict("records")


def _mean(row: Mapping[Any, Any], digits: int) -> str:
    """With the standard deviation where there are several seeds."""
    std = "" if math.isnan(row["std"]) else f" ± {number(row['std'], digits)}"
    return number(row["mean"], digits) + std


def _range(row: Mapping[Any, Any], digits: int, sign: str = "") -> str:
    return f"({number(row['low'], digits, sign)} to {number(row['high'], digits, sign)})"


def _p(value: float) -> str:
    if math.isnan(value):
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.0995 else f"{value:.2f}"
