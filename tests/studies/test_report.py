"""What a report draws and writes, against loops over the same results."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.studies.studies import ARMS, COMMIT, made_up
from tireid.cli import main
from tireid.studies import tables
from tireid.studies.report import curves_figure, differences, learning_curves, write_report
from tireid.studies.results import Results
from tireid.studies.study import Study, Task

mpl.use("Agg")
R1 = "test/best/t2i/R@1"
NOTEBOOK = Path(__file__).parents[2] / "notebooks/06_train.ipynb"


@pytest.fixture(scope="module")
def results() -> Results:
    return made_up(missing=[Task("better", 5, Path("06_train.ipynb"), {})])


@pytest.mark.parametrize("x", ["step", "seconds"])
def test_curves_are_means_in_a_band_of_the_seeds(results: Results, x: str) -> None:
    axes = learning_curves(results.history, Figure().subplots(), x=x)
    assert [line.get_label() for line in axes.lines] == list(ARMS)
    for arm, line, band in zip(ARMS, axes.lines, axes.collections, strict=True):
        rows = results.history[(results.history["arm"] == arm)].dropna(subset=["val/t2i/R@1"])
        expected = []
        for step in (0.0, 2.0, 4.0):
            at = rows[rows["step"] == step]
            expected.append(
                (at[x].sum() / 4, at["val/t2i/R@1"].sum() / 4, min(at["val/t2i/R@1"]), max(at["val/t2i/R@1"]))
            )
        assert line.get_xydata() == pytest.approx(np.array(expected)[:, :2])
        corners = {tuple(point) for point in band.get_paths()[0].vertices.round(9).tolist()}
        assert {(place, edge) for place, _, low, high in expected for edge in (low, high)} <= corners


def test_a_panel_of_curves_has_at_most_six_lines(results: Results) -> None:
    history = pd.concat([results.history.assign(arm=f"arm {number}") for number in range(13)])
    figure = curves_figure(replace(results, history=history))
    assert [len(axes.lines) for axes in figure.axes] == [6, 6, 1]
    named = [text.get_text() for axes in figure.axes for text in axes.get_legend().get_texts()]
    assert named == [f"arm {number}" for number in range(13)]


def test_curves_refuse_what_was_not_logged(results: Results) -> None:
    with pytest.raises(ValueError, match=r"no column 'val/t2i/R@2'; there are: step, seconds"):
        learning_curves(results.history, Figure().subplots(), "val/t2i/R@2")


def test_forest_has_a_row_per_arm_and_fills_what_differs_after_holm(results: Results) -> None:
    table = tables.comparisons(results, "plain", [R1])
    axes = differences(table, Figure().subplots())
    bars, dots = axes.lines[0:4:2], axes.lines[1:4:2]
    assert [list(bar.get_xdata()) for bar in bars] == [[row["low"], row["high"]] for _, row in table.iterrows()]
    assert [dot.get_xdata()[0] for dot in dots] == table["difference"].tolist()
    assert [dot.get_markerfacecolor() for dot in dots] == ["white", "C0"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["other", "better"]
    table["p_holm"] = 0.2  # an interval may leave out 0 where the correction leaves the question open
    hollow = differences(table, Figure().subplots())
    assert {dot.get_markerfacecolor() for dot in hollow.lines[1:4:2]} == {"white"}
    both = differences(tables.comparisons(results, {"other": "plain", "better": "other"}, [R1]), Figure().subplots())
    assert [tick.get_text() for tick in both.get_yticklabels()] == ["other\nagainst plain", "better\nagainst other"]


def test_report_holds_every_table_and_figure(results: Results, tmp_path: Path) -> None:
    page = write_report(results, tmp_path, "plain").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[(.+?)\]\((.+?)\)", page)
    assert len(pictures) == 3
    for _, name in pictures:
        assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
        assert (tmp_path / name).with_suffix(".pdf").read_bytes()[:4] == b"%PDF"
    for name in ("summary", "comparisons-R@1", "comparisons-mAP", "cost"):
        assert (tmp_path / f"{name}.md").read_text(encoding="utf-8").strip() in page
        assert r"\toprule" in (tmp_path / f"{name}.tex").read_text(encoding="utf-8")
    for words in (COMMIT, "a processor", "**Missing: 1 runs.** Arms and their seeds: better (5)", "12 runs"):
        assert words in page
    read = pd.read_csv(tmp_path / "comparisons.csv", index_col=["metric", "arm"])
    pd.testing.assert_frame_equal(read, tables.comparisons(results, "plain"), check_dtype=False)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.slow
def test_the_same_results_give_the_same_files(results: Results, tmp_path: Path) -> None:
    one, two = (write_report(results, tmp_path / name, metrics=[R1]).parent for name in "ab")
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in two.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_names_of_arms_are_shown_as_they_are(tmp_path: Path) -> None:
    """A dollar sign begins no formula, an underscore hides nothing, and a terminal's or a page's orders are escapes."""
    arms = ("_plain $x_{$", "red\x1b[31m \u202e\0")
    results = made_up(arms=arms, seeds=2)
    page = write_report(results, tmp_path).read_text(encoding="utf-8")
    assert not set("\x1b\u202e\0") & set(page + (tmp_path / "summary.tex").read_text(encoding="utf-8"))
    axes = learning_curves(results.history, Figure().subplots())
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == [r"_plain \$x_{\$", r"red\x1b[31m \u202e\x00"]


def test_one_arm_without_history_is_a_report_too(tmp_path: Path) -> None:
    alone = made_up(("only",), seeds=2, people=5)
    alone = Results(alone.study, alone.runs, alone.per_query, pd.DataFrame(), alone.provenance)
    page = write_report(alone, tmp_path).read_text(encoding="utf-8")
    assert "## Every arm" in page
    assert "## Differences" not in page
    assert "![" not in page


def store(results: Results, folder: Path) -> Path:
    """The results as the files of finished runs, and the study's file; its path."""
    study = folder / "study.yaml"
    lines = [f"notebook: {NOTEBOOK}", "arms:", *(f"  {arm}: {{epochs: {n}}}" for n, arm in enumerate(ARMS, 1))]
    study.write_text("\n".join([*lines, "seeds: [1, 2, 3, 4, 5]"]), encoding="utf-8")
    for task in Study.read(study).tasks:
        if (task.arm, task.seed) in results.runs.index:
            target = folder / "results" / task.key
            target.mkdir(parents=True)
            asked = {"notebook": task.notebook.name, "parameters": dict(task.parameters)}
            metrics = results.runs.loc[(task.arm, task.seed)].to_dict()
            trees = {"task": asked, "metrics": metrics, "provenance": {"code_sha256": task.sources[0]}}
            for name, tree in trees.items():
                (target / f"{name}.json").write_text(json.dumps(tree), encoding="utf-8")
            own = (results.per_query["arm"] == task.arm) & (results.per_query["seed"] == task.seed)
            results.per_query[own].drop(columns=["arm", "seed"]).to_csv(target / "per_query.csv", index=False)
    return study


def test_the_command_reports_what_is_finished(
    results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, out = store(results, tmp_path), tmp_path / "out"
    command = ["report", str(study), "--results", str(tmp_path / "results"), "--output-dir", str(out)]
    assert main([*command, "--baseline", "other", "--metrics", R1]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(out / "report.md")
    assert "3 of 15 runs are missing" in said.err
    found = pd.read_csv(out / "comparisons.csv", index_col=["metric", "arm"])
    pd.testing.assert_frame_equal(found, tables.comparisons(results, "other", [R1]), check_dtype=False)
    assert main([*command, "--baseline", "othr"]) == 2
    assert "'othr'; there are: plain, other, better" in capsys.readouterr().err
    assert main(["report", str(study), "--results", str(tmp_path / "none")]) == 2
