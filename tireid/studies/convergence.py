"""Whether a study's runs were trained until nothing moves: what the last quarter of the schedule still gained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tireid.studies.typesetting import number

if TYPE_CHECKING:
    from tireid.studies.results import Results

VALIDATION = "val/t2i/R@1"
"""What the best checkpoint is selected by, in the histories of the runs."""
LAST = 0.25
"""The part of the schedule that is asked about."""
ENOUGH = 0.5
"""A run that gains less there, in points, has converged."""


def convergence(results: Results, column: str = VALIDATION, last: float = LAST, enough: float = ENOUGH) -> pd.DataFrame:
    """What each run gained in the part `last` of its schedule, whose end is its last validation.

    Rows (arm, seed); columns `before`, the figure where that part begins, on the straight line between the validations
    around it; `end`, the last validation; `gain`, their difference in points; and `flat`, whether it is below `enough`.
    A run without a validation before that part has gained nobody knows what: NaN, and it is not flat.

    Raises:
        ValueError: no run was validated.

    >>> from tireid.studies import Results, Study
    >>> index = pd.MultiIndex.from_product([["full"], [1]], names=["arm", "seed"])
    >>> none, runs = pd.DataFrame(), pd.DataFrame(index=index)
    >>> history = pd.DataFrame({"arm": "full", "seed": 1, "step": [1, 3, 4], VALIDATION: [10.0, 50.0, 50.2]})
    >>> results = Results(Study("ablation", "a.ipynb", ()), runs, none, history, none)
    >>> convergence(results).round(1).to_dict("records")
    [{'before': 50.0, 'end': 50.2, 'gain': 0.2, 'flat': True}]
    """
    if column not in results.history or results.history[column].isna().all():
        raise ValueError(f"the runs have no validation: their history lacks {column}")
    rows = results.history.dropna(subset=[column]).sort_values("step", kind="stable")
    found = {}
    for key, run in rows.groupby(["arm", "seed"], sort=False):
        steps, values = run["step"].to_numpy(), run[column].to_numpy()
        before = float(np.interp((1 - last) * steps[-1], steps, values, left=np.nan))
        gain = values[-1] - before
        found[key] = {"before": before, "end": values[-1], "gain": gain, "flat": bool(gain < enough)}
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis(["arm", "seed"])
    return table.loc[[key for key in results.runs.index if key in found]]


def readable_convergence(table: pd.DataFrame, enough: float = ENOUGH) -> pd.DataFrame:
    """:func:`convergence` as text, a row per arm: means over its seeds, and whether that of the gain is below `enough`.

    One seed's gain is a difference of two noisy figures: the mean says more than any of them.

    >>> index = pd.MultiIndex.from_tuples([("full", 1), ("full", 2)], names=["arm", "seed"])
    >>> figures = {"before": [50.0, 51], "end": [50.2, 51.4], "gain": [0.2, 0.4], "flat": True}
    >>> readable_convergence(pd.DataFrame(figures, index)).loc["full"].to_list()
    ['50.5', '50.8', '+0.3', '+0.2 to +0.4', '2 of 2', 'yes']
    """
    rows = {}
    for arm, runs in table.groupby(level="arm", sort=False):
        before, end, gain = (runs[name].mean(skipna=False) for name in ("before", "end", "gain"))
        rows[arm] = {
            "at three quarters": number(before, 1),
            "at the end": number(end, 1),
            "gain": number(gain, 1, "+"),
            "lowest to highest seed": " to ".join(number(runs["gain"].agg(edge), 1, "+") for edge in ("min", "max")),
            "flat seeds": f"{runs['flat'].sum()} of {len(runs)}",
            "converged": "yes" if gain < enough else "no",
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("arm")
