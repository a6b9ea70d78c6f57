"""The report of a study: tables, learning curves with bands, differences with intervals, ready for a paper.

::

    report/
      report.md                 all of it on one page, with how to read it
      summary.csv .md .tex      mean, standard deviation, 95% interval of every arm
      comparisons.csv           every arm against the baseline, all metrics
      comparisons-R@1.md .tex   the same for one metric, as text
      cost.csv .md .tex         samples per second, memory, time
      convergence.csv .md .tex  what the last quarter of the schedule still gained
      differences.png .pdf      a forest plot
      curves-step.png .pdf      the validation figure over steps ...
      curves-seconds.png .pdf   ... and over wall time

CSV files are for programs and hold names as they are; a spreadsheet may take one that begins with ``=`` for a formula.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tireid.basics.extras import require
from tireid.basics.files import atomic_path, write_atomically
from tireid.basics.terminal import one_line
from tireid.show.plots import interval_plot, plot_style
from tireid.studies import tables
from tireid.studies.convergence import ENOUGH, VALIDATION, convergence, readable_convergence
from tireid.studies.typesetting import escape_markdown, to_latex, to_markdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tireid.studies.results import Results

MARKERS = "os^Dv<>pXP"
DASHES = ("-", "--", ":")
CURVES = 6
"""More lines than this in one panel cannot be told apart."""
AXES = {"step": "step", "epoch": "epoch", "seconds": "wall time (s)"}
HOW_TO_READ = """\
Means are over seeds and test queries; the standard deviation is that of the seeds. Intervals are 95% bootstrap
intervals over seeds *and* people: they are for the mean that other seeds and other people of the same kind would give.
Differences are paired: the same seeds, the same queries. `p` asks whether a difference would show with other seeds and
other people; `p, Holm` is the same, corrected for all comparisons of the table. `p, seeds` (paired t-test) asks about
other seeds on these people, `p, people` (sign flips of whole people) about other people for these very models. `d_z`
is the mean of the seeds' differences over their standard deviation; with five seeds it comes out a quarter too large
on average."""

CONVERGED = f"""\
What the last quarter of the schedule still gained in validation R@1. An arm has converged whose seeds gain less than
{ENOUGH:g} points there on average; the order of the others may turn with a longer schedule."""


def learning_curves(
    history: pd.DataFrame, axes: Axes, column: str = VALIDATION, x: str = "step", arms: Sequence[str] | None = None
) -> Axes:
    """One line per arm: the mean over its seeds, in a band from the lowest to the highest seed.

    Args:
        history: a row per logged step of every run: arm, seed, step, `x` and `column`, which may be missing.
        axes: to draw on.
        column: what is drawn.
        x: `step`, `epoch` or `seconds`; a point lies at the mean over the seeds at the same step.
        arms: which, in this order (default: all).

    Raises:
        ValueError: a column that no run has.
    """
    for name in (column, x):
        if name not in history or history[name].isna().all():
            raise ValueError(f"the histories have no column {name!r}; there are: {', '.join(history.columns)}")
    rows = history.dropna(subset=[column, x])
    for number, arm in enumerate(arms if arms is not None else dict.fromkeys(rows["arm"])):
        by_step = rows[rows["arm"] == arm].groupby("step")
        values = by_step[column].agg(["mean", "min", "max"])
        places = values.index if x == "step" else by_step[x].mean()
        # Another dash after each round of the palette: no two arms look alike.
        marker, dash = MARKERS[number % len(MARKERS)], DASHES[number // len(MARKERS) % len(DASHES)]
        axes.plot(places, values["mean"], label=arm, marker=marker, linestyle=dash, markersize=4)
        axes.fill_between(places, values["min"], values["max"], color=axes.lines[-1].get_color(), alpha=0.15, lw=0)
    axes.set(xlabel=AXES.get(x, x), ylabel=f"validation {column.rpartition('/')[2]} (%)")
    # Named one by one: of itself matplotlib leaves out names that begin with an underscore.
    names = [_drawn(line.get_label()) for line in axes.lines]
    axes.legend(axes.lines, names, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def differences(table: pd.DataFrame, axes: Axes) -> Axes:
    """A forest plot of the comparisons of one metric: the difference of every arm, with its interval.

    `table` is :func:`~tireid.studies.tables.comparisons`, of one metric. A filled dot is ahead or behind after Holm's
    correction, as in :func:`~tireid.studies.tables.reading`; so a hollow one's interval may still leave out 0.
    """
    metric = tables.only_metric(table)
    rows = table.droplevel("metric").rename(columns={"difference": "estimate"})
    rows["sure"] = rows["p_holm"] < tables.ALPHA
    one = rows["baseline"].nunique() == 1
    pairs = zip(rows.index, rows["baseline"], strict=True)
    names = [_drawn(arm) if one else f"{_drawn(arm)}\nagainst {_drawn(other)}" for arm, other in pairs]
    against = f"\nagainst {_drawn(rows['baseline'].iloc[0])}" if one else ""
    rows.index = pd.Index(names)
    return interval_plot(rows, axes, f"difference in {tables.label(metric)} (points){against}")


def curves_figure(results: Results, x: str = "step", column: str = VALIDATION) -> Figure:
    """:func:`learning_curves` of a study in the project's style: panels one below the other, of at most six arms."""
    arms = list(dict.fromkeys(results.history.dropna(subset=[column])["arm"])) if column in results.history else []
    groups = [arms[at : at + CURVES] for at in range(0, len(arms), CURVES)] or [arms]
    with plot_style():
        figure, panels = _panels(1, len(groups), figsize=(7.5, 0.8 + 2.8 * len(groups)), sharex=True, sharey=True)
        for group, axes in zip(groups, panels, strict=True):
            learning_curves(results.history, axes, column, x, group)
            axes.label_outer()
    return figure


def differences_figure(table: pd.DataFrame) -> Figure:
    """:func:`differences`, a panel per metric of `table`, as a figure in the project's style."""
    groups = [table.loc[[metric]] for metric in dict.fromkeys(table.index.get_level_values("metric"))]
    rows = max(map(len, groups))
    with plot_style():
        figure, panels = _panels(len(groups), figsize=(2.2 + 3.2 * len(groups), 0.9 + 0.42 * rows), sharey=True)
        for group, axes in zip(groups, panels, strict=True):
            differences(group, axes)
        panels[0].set_ylim(rows - 0.5, -0.5)  # the first arm on top, also where panels share the axis
    return figure


def _drawn(name: object) -> str:
    """A name as text in a figure, where dollar signs would begin a formula."""
    return one_line(name).replace("$", r"\$")


def _panels(columns: int, rows: int = 1, **options: Any) -> tuple[Figure, Sequence[Axes]]:
    pyplot = require("matplotlib.pyplot", "notebooks")
    figure, panels = pyplot.subplots(rows, columns, layout="constrained", squeeze=False, **options)
    return figure, panels.ravel()


def write_report(
    results: Results,
    folder: str | Path,
    baseline: str | Mapping[str, str] | None = None,
    metrics: Sequence[str] = tables.METRICS,
) -> Path:
    """Write the folder that this module describes; returns the path of `report.md`.

    Args:
        results: of :func:`tireid.studies.results.load`.
        folder: made where it is not there; files of the same names are replaced.
        baseline: the arm that all others are compared with (default: the first), or a mapping of arms to theirs.
        metrics: names as in the runs' `metrics.json`.

    Raises:
        ValueError: as :func:`~tireid.studies.tables.comparisons`.
    """
    folder = Path(folder)
    arms = list(dict.fromkeys(results.runs.index.get_level_values("arm")))
    wanted = results.study.arms[:1]
    note = []
    if baseline is None and wanted and wanted[0] not in arms:
        first, instead = escape_markdown(wanted[0]), escape_markdown(arms[0])
        note = [f"**The baseline {first} has no finished run: the arms are compared with {instead}.**"]
    found = tables.summary(results, metrics)
    parts = ["## Every arm", _table(folder, "summary", found, tables.readable_summary(found))]
    if len(arms) > 1:
        compared = tables.comparisons(results, arms[0] if baseline is None else baseline, metrics)
        parts += ["## Differences", *note, *_compared(folder, compared)]
    cost = tables.cost(results)
    if cost.shape[1]:
        flat = cost.set_axis(cost.columns.map(", ".join), axis="columns")
        parts += ["## Cost", _table(folder, "cost", flat, tables.readable_cost(cost))]
    parts += [*_converged(folder, results), *_curves(folder, results)]
    head = [f"# Study {escape_markdown(results.study.name)}", _what(results), HOW_TO_READ]
    write_atomically(folder / "report.md", "\n\n".join([*head, *parts]) + "\n")
    return folder / "report.md"


def _what(results: Results) -> str:
    runs = results.runs.index.to_frame(index=False)
    seeds = runs.groupby("arm", sort=False)["seed"].nunique()
    number = f"{seeds.min()}" if seeds.nunique() == 1 else f"{seeds.min()} to {seeds.max()}"
    notebook = _code(results.study.notebook.name)
    lines = [f"{len(runs)} runs of {notebook}: arms {len(seeds)}, seeds of each {number}."]
    if results.missing:
        wanted: dict[str, list[str]] = {}
        for task in results.missing:
            wanted.setdefault(task.arm, []).append(str(task.seed))
        words = "; ".join(f"{escape_markdown(arm)} ({', '.join(numbers)})" for arm, numbers in wanted.items())
        lines.append(f"**Missing: {len(results.missing)} runs.** Arms and their seeds: {words}.")
    for name, title in (("git/commit", "commit"), ("machine/cpu", "processor"), ("data", "data")):
        known = list(results.provenance[name].dropna().unique()) if name in results.provenance else []
        lines += [f"{title}: {', '.join(map(_code, known))}."] if known else []
    if "git/dirty" in results.provenance and results.provenance["git/dirty"].fillna(False).any():
        lines.append("Some runs were made with changes that were not committed.")
    return "  \n".join(lines)


def _code(value: object) -> str:
    return f"<code>{escape_markdown(value)}</code>"


def _table(folder: Path, name: str, numbers: pd.DataFrame, text: pd.DataFrame) -> str:
    """Write numbers as CSV and text as Markdown and LaTeX; returns the Markdown."""
    write_atomically(folder / f"{name}.csv", numbers.to_csv())
    return _typeset(folder, name, text)


def _typeset(folder: Path, name: str, text: pd.DataFrame) -> str:
    markdown = to_markdown(text)
    write_atomically(folder / f"{name}.md", markdown + "\n")
    write_atomically(folder / f"{name}.tex", to_latex(text) + "\n")
    return markdown


def _compared(folder: Path, table: pd.DataFrame) -> list[str]:
    write_atomically(folder / "comparisons.csv", table.to_csv())
    parts = []
    for metric in dict.fromkeys(table.index.get_level_values("metric")):
        name, group = re.sub(r"[^\w@]+", "-", tables.label(metric)), table.loc[[metric]]
        parts.append(_typeset(folder, f"comparisons-{name}", tables.readable_comparisons(group)))
    alt = "Differences of the arms to what they are compared with, and their intervals"
    return [*parts, _figure(folder, "differences", differences_figure(table), alt)]


def _converged(folder: Path, results: Results) -> list[str]:
    if VALIDATION not in results.history or results.history[VALIDATION].isna().all():
        return []
    found = convergence(results)
    return ["## Convergence", CONVERGED, _table(folder, "convergence", found, readable_convergence(found))]


def _curves(folder: Path, results: Results) -> list[str]:
    drawn = []
    for x, words in (("step", "steps"), ("seconds", "wall time")):
        history = results.history
        if all(name in history and history[name].notna().any() for name in (VALIDATION, x)):
            alt = f"Validation R@1 of every arm over {words}: the mean of the seeds, in a band from lowest to highest"
            drawn.append(_figure(folder, f"curves-{x}", curves_figure(results, x), alt))
    return ["## Learning curves", *drawn] if drawn else []


def _figure(folder: Path, name: str, figure: Figure, alt: str) -> str:
    """Save for the page and for a paper, close; returns the Markdown that shows it."""
    # No date and no version inside: the same results give the same files.
    for ending, metadata in (("png", {"Software": None}), ("pdf", {"CreationDate": None, "Producer": None})):
        with atomic_path(folder / f"{name}.{ending}") as path:
            figure.savefig(path, format=ending, metadata=metadata, bbox_inches="tight")
    require("matplotlib.pyplot", "notebooks").close(figure)
    return f"![{alt}]({name}.png)"
