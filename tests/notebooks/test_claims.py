"""Every figure that prose quotes from a study, against the committed results of that study."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import read_parameters
from tireid.studies.convergence import convergence
from tireid.studies.results import Results, load
from tireid.studies.tables import agreement, comparisons, readable_comparisons, validation

ROOT = Path(__file__).parents[2]
FIGURE = re.compile(r"[+−]\d+\.\d \([+−]\d+\.\d to [+−]\d+\.\d\)")
R1, MAP = "test/best/t2i/R@1", "test/best/t2i/mAP"


@dataclass(frozen=True)
class Claim:
    where: str
    study: str
    arm: str
    against: str
    metric: str
    words: str
    """As in the prose, with {} for the difference and its interval."""


PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
PEERS = "notebooks/11_peers.ipynb"
ABLATION = "notebooks/10_ablation.ipynb"
STRONG = "paper-strong, tuned"
UNBOUND = "paper-strong, no bound"
BOUNDED = "paper-strong, bounded"
ALONE = "InfoNCE, tuned, random batches"
CLAIMS = [
    Claim("README.md", "equal", STRONG, "irra, tuned", R1, "`paper-strong` with `irra`, both tuned | {} R@1"),
    Claim("README.md", "converged", "everything (paper)", "circle", R1, "`paper` with its circle loss alone | {} R@1"),
    Claim("README.md", "converged", "circle", "InfoNCE, tuned, P x K", R1, "InfoNCE on the same batches | {} R@1"),
    Claim("README.md", "random_batches", "circle", ALONE, R1, "InfoNCE on random batches, tuned | {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, MAP, "which is not shown, and {} mAP, with Holm's p"),
    Claim(ABLATION, "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim(
        ABLATION,
        "random_batches",
        "circle",
        ALONE,
        MAP,
        "which is not shown, and {} mAP, with Holm's p 0.047. The study",
    ),
    Claim(
        ABLATION, "random_batches", "circle, gamma 64", ALONE, MAP, "With gamma 64 the circle loss is ahead in mAP: {}."
    ),
    Claim(ABLATION, "random_batches", "circle, gamma 64", ALONE, R1, "In R@1 it is not shown to differ: {}."),
    Claim(
        "docs/studies.md", "random_batches", "circle, gamma 64", ALONE, MAP, "circle loss is ahead in mAP, by {} (study"
    ),
    Claim("docs/studies.md", "converged", "circle", "InfoNCE, tuned, P x K", R1, "is {} R@1 ahead of InfoNCE on"),
    Claim(
        "docs/studies.md",
        "converged",
        "everything (paper)",
        "circle",
        R1,
        "whole method from the circle loss alone is {} R@1",
    ),
    Claim("docs/studies.md", "circle_forms", "on classes", "circle", MAP, "on classes beside it by {}. SDM"),
    Claim("docs/studies.md", "circle_forms", "late", "circle", MAP, "comes in late is shown to be worse, by {} mAP."),
    Claim("docs/studies.md", "converged", "circle + batch", "circle", R1, "Batch-level noise changes R@1 by {} and"),
    Claim("docs/studies.md", "converged", "circle + batch", "circle", MAP, "(−3.4 to −0.6) and mAP by {}. After"),
    Claim(ABLATION, "converged", "circle + both", "circle", R1, "Both kinds of noise change it by {}, which"),
    Claim(
        "docs/studies.md",
        "converged",
        "circle + both + MLM",
        "circle + both",
        R1,
        "Masked modelling changes R@1 by {} and",
    ),
    Claim("docs/studies.md", "converged", "circle + both + MLM", "circle + both", MAP, "and mAP by {} where"),
    Claim(
        "docs/studies.md", "equal", STRONG, "irra, tuned", R1, "difference of `paper-strong` from `irra` is {} R@1 and"
    ),
    Claim("docs/studies.md", "equal", STRONG, "irra, tuned", MAP, "R@1 and {} mAP. The target"),
    Claim(ABLATION, "converged", "circle", "InfoNCE, tuned, P x K", R1, "There it is ahead of InfoNCE by {} R@1."),
    Claim(
        ABLATION,
        "converged",
        "SDM, tuned, P x K",
        "circle",
        R1,
        "SDM from the circle loss on the same batches is {} R@1",
    ),
    Claim(ABLATION, "converged", "tal, tuned", "circle", R1, "difference of `tal`, with random batches, is {} R@1"),
    Claim(
        ABLATION,
        "converged",
        "everything (paper)",
        "circle",
        R1,
        "whole method is not shown to differ from the circle loss alone: {} R@1.",
    ),
    Claim(ABLATION, "converged", "circle + batch", "circle", MAP, "- **Noise.** Batch-level noise changes mAP by {},"),
    Claim(
        ABLATION,
        "converged",
        "circle + identity",
        "circle",
        MAP,
        "mAP by −0.8 (−1.7 to +0.2), identity-level noise by {},",
    ),
    Claim(ABLATION, "converged", "circle + both", "circle", MAP, "and both by {}."),
    Claim(ABLATION, "converged", "circle + batch", "circle", R1, "figure: batch-level noise changes R@1 by {}. The"),
    Claim(
        ABLATION, "circle_forms", "separate optima", "circle", MAP, "in place of 0.75. This changes mAP by {}, which"
    ),
    Claim(ABLATION, "circle_forms", "on classes", "circle", MAP, "each training person. This changes mAP by {}, which"),
    Claim(ABLATION, "circle_forms", "late", "circle", MAP, "rises to 0.1. This is shown to be worse, by {} mAP."),
    Claim(
        ABLATION,
        "converged",
        "circle + both + MLM",
        "circle + both",
        R1,
        "On top of both kinds of noise masked modelling changes R@1 by {}.",
    ),
    Claim(
        ABLATION,
        "converged",
        "circle + both + recovery",
        "circle + both",
        R1,
        "recovery** of the global token changes R@1 by {}.",
    ),
    Claim("docs/studies.md", "regime_100", "100, circle + batch", "100, circle", MAP, "changes mAP by {}, which"),
    Claim(ABLATION, "regime_100", "100, circle + batch", "100, circle", MAP, "state by {} with 100 people,"),
    Claim(ABLATION, "regime_300", "300, circle + batch", "300, circle", MAP, "people, by {} with 300,"),
    Claim(ABLATION, "converged", "circle + batch", "circle", MAP, "and by {} with 1,000."),
    Claim(
        ABLATION, "regime_100", "100, circle + identity", "100, circle", MAP, "noise** changes it by {} with 100 people"
    ),
    Claim(ABLATION, "regime_100", "100, circle + both", "100, circle", MAP, "**both** by {}."),
    Claim(PEERS, "equal", STRONG, "irra, tuned", R1, "after 3,000 steps, the difference is {} R@1"),
    Claim(PEERS, "equal", STRONG, "irra, tuned", MAP, "−0.4 (−3.7 to +3.5) R@1 and {} mAP"),
    Claim(PEERS, "equal", "InfoNCE, tuned", "irra, tuned", MAP, "InfoNCE is behind `irra` by {} mAP."),
    Claim(PEERS, "equal", "InfoNCE, tuned", "irra, tuned", R1, "Its R@1 is not shown to differ, {}."),
    Claim(PEERS, "wrong", UNBOUND, "irra, tuned", R1, "the best form without a bound is {} R@1 from `irra`."),
    Claim(PEERS, "wrong_bound", BOUNDED, "paper-strong", R1, "The bound alone changes R@1 by {}."),
    Claim(PEERS, "wrong", STRONG, "irra, tuned", R1, "It is not shown to differ from `irra`: {} R@1."),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", R1, "It is not shown to differ from `irra`: {} R@1 and"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", MAP, "(−2.6 to +3.3) R@1 and {} mAP."),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", R1, "**`paper-strong`** is ahead of InfoNCE by {} R@1"),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", MAP, "(+1.5 to +5.5) R@1 and {} mAP."),
    Claim(PEERS, "equal", UNBOUND, "irra, tuned", R1, "With its best trial without a bound it is {} R@1"),
    Claim(PEERS, "equal", UNBOUND, "irra, tuned", MAP, "(−3.1 to +3.2) R@1 and {} mAP from `irra`."),
    Claim(PEERS, "wrong", UNBOUND, "irra, tuned", R1, "Without a bound `paper-strong` is {} R@1 from"),
    Claim(PEERS, "wrong", STRONG, "irra, tuned", R1, "With the bound it is {} R@1"),
    Claim(PEERS, "wrong", STRONG, "irra, tuned", MAP, "(−4.3 to −0.0) R@1 and {} mAP from"),
    Claim(PEERS, "wrong", "tal, tuned", "irra, tuned", R1, "`tal` is {} R@1 and"),
    Claim(PEERS, "wrong", "tal, tuned", "irra, tuned", MAP, "(−1.7 to +1.2) R@1 and {} mAP from"),
    Claim(PEERS, "wrong_bound", BOUNDED, "paper-strong", R1, "at the values of the preset: it changes R@1 by {}."),
    Claim(PEERS, "equal", STRONG, UNBOUND, R1, "the two tuned forms are not shown to differ: {} R@1."),
    Claim("docs/studies.md", "wrong", UNBOUND, "irra, tuned", R1, "without a bound is {} R@1 from `irra` (study"),
    Claim("docs/studies.md", "wrong_bound", BOUNDED, "paper-strong", R1, "of the preset, it changes R@1 by {} (study"),
    Claim("docs/studies.md", "wrong", STRONG, "irra, tuned", R1, "and its difference from `irra` is {}, which"),
    Claim("docs/studies.md", "wrong", "tal, tuned", "irra, tuned", R1, "`tal` is not shown to differ either: {}."),
    Claim("docs/studies.md", "equal", STRONG, UNBOUND, R1, "the two tuned forms are not shown to differ: {}."),
    Claim("docs/studies.md", "circle_forms", "separate optima", "circle", MAP, "separate optima change mAP by {},"),
]


def prose(where: str) -> str:
    """The text of a Markdown file, or of the Markdown cells of a notebook, with single spaces."""
    text = (ROOT / where).read_text(encoding="utf-8")
    if where.endswith(".ipynb"):
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return " ".join(text.split())


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{Path(claim.where).stem}, {claim.arm}, {claim.metric}")
def test_the_prose_says_what_was_measured(claim: Claim) -> None:
    found = load(ROOT / f"notebooks/studies/{claim.study}.yaml", ROOT / "notebooks/results")
    table = readable_comparisons(comparisons(found, {claim.arm: claim.against}, [claim.metric]))
    figure = table.loc[claim.arm].iloc[1]
    assert FIGURE.fullmatch(figure)
    assert claim.words.format(figure) in prose(claim.where)


def test_the_shares_of_wrong_pairs_are_those_that_the_notebook_prints() -> None:
    notebook = nbformat.read(ROOT / PEERS, as_version=4)
    printed = next(cell for cell in notebook.cells if cell["id"] == "11-w5").outputs[-1]["data"]["text/plain"]
    rows = {row[:16].strip(): row[16:].split() for row in printed.splitlines()[1:]}
    for words, form in (
        ("circle loss spends {}% of its pull on the wrong pairs at the start, and {}% after", "circle"),
        ("SDM spends {}% and {}%.", "SDM"),
        ("bounded circle loss, with {}% and {}%, is near SDM.", "circle, bounded"),
    ):
        assert words.format(*rows[form]) in prose(PEERS)


def test_the_overfitting_is_that_of_the_committed_runs() -> None:
    runs = load(ROOT / "notebooks/studies/regime_100.yaml", ROOT / "notebooks/results").runs
    means = runs.groupby("arm")[[R1, R1.replace("best", "last")]].mean()
    best, last = (f"{values.min():.1f} to {values.max():.1f}" for _, values in means.items())
    cells = nbformat.read(ROOT / ABLATION, 4).cells
    text = " ".join(" ".join(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    assert f"The best state has {best} test R@1, the last one {last}." in text
    assert set(runs["best_epoch"]) == {10, 20}  # epochs of 12 steps
    assert set(runs["steps"]) == {2_880}
    assert "after 120 or 240 of 2,880 steps" in text
    more = committed("regime_300").runs.groupby("arm")[[R1, R1.replace("best", "last")]].mean()
    best, last = (f"{values.min():.1f} to {values.max():.1f}" for _, values in more.items())
    assert f"the best state has {best}, the last one {last}." in text
    found = comparisons(committed("regime_100"), "100, circle", [MAP])
    assert f"Holm's p is {readable_comparisons(found).loc['100, circle + batch', 'p, Holm']}." in text


def pairs(name: str) -> dict[str, str]:
    """A parameter of notebook 10: arms, and what they are compared with."""
    return dict(read_parameters(read_notebook(ROOT / ABLATION))[name].default)


def committed(study: str) -> Results:
    return load(ROOT / f"notebooks/studies/{study}.yaml", ROOT / "notebooks/results")


def test_the_example_of_a_hollow_dot_is_one_of_twelve() -> None:
    compared = pairs("parts") | pairs("others")
    row = readable_comparisons(comparisons(committed("converged"), compared, [R1])).loc["circle + batch"]
    assert (len(compared), row["against"]) == (12, "circle")
    assert f"and p is {row['p']}. If this were the only comparison, it would count." in prose(ABLATION)
    assert f"Holm's p is {row['p, Holm']}. So the dot is hollow" in prose(ABLATION)


def test_the_seeds_move_the_mean_as_the_prose_says() -> None:
    found = committed("converged").runs[R1]
    gains = found["circle + batch"] - found["circle"]
    words = f"from {gains[1]:+.1f} to {gains.loc[[1, 2]].mean():+.1f}."
    assert words.replace("-", "−") in prose(ABLATION)


def test_the_parts_that_help_are_those_of_the_prose() -> None:
    compared = pairs("parts") | pairs("others")
    found = comparisons(committed("converged"), compared, [R1, MAP])
    shown = found[found["p_holm"] < 0.05]["difference"].unstack("metric")
    assert set(shown.index[(shown > 0).all(axis="columns")]) == {"circle", "circle + both + MLM"}
    assert set(shown.index[(shown < 0).all(axis="columns")]) == {"SDM, tuned, P x K"}
    assert len(shown) == 3
    forms = comparisons(committed("circle_forms"), "circle", [R1, MAP])
    assert set(forms[forms["p_holm"] < 0.05].index.unique("arm")) == {"late"}


def test_other_values_are_better_at_the_same_length_as_the_prose_says() -> None:
    here, there = (
        committed(study).runs.loc[arm][R1].mean() for study, arm in (("converged", "paper-strong"), ("equal", UNBOUND))
    )
    assert f"`paper-strong` has {here:.1f} R@1 here." in prose(ABLATION)
    assert f"With the rate 2.5e-4, gamma 64 and alpha 0.25 it has {there:.1f} after" in prose(ABLATION)
    values = next(task.parameters["overrides"] for task in committed("equal").study.tasks if task.arm == UNBOUND)
    assert {"optimizer.lr=0.00025", "loss.gamma=64", "uncertainty.alpha=0.25"} <= set(values)
    assert 4 <= there - here < 4.5
    row = readable_comparisons(comparisons(committed("random_batches"), ALONE, [MAP])).loc["circle"]
    for where in (ABLATION, "docs/studies.md"):
        assert f"with Holm's p {row['p, Holm']}." in prose(where)


def test_the_arms_have_converged_as_far_as_the_prose_says() -> None:
    found = committed("converged")
    gain, late = (convergence(found, last=last)["gain"].groupby("arm").mean() for last in (1 / 4, 1 / 8))
    rising = gain[gain >= 0.5]
    assert set(rising.index) == {"circle + both", "circle, gamma 64, log-mean-exp"}
    assert {f"{value:.1f}" for value in rising} == {"0.7"}
    assert len(gain) == 13
    assert f"last quarter, and at most {late[rising.index].max():.1f} of it in its second half" in prose(ABLATION)


def test_the_form_without_a_bound_fits_wrong_captions_as_the_prose_says() -> None:
    history = committed("wrong").history.dropna(subset="val/t2i/R@1")
    curve = history[history["arm"] == UNBOUND].groupby("epoch")["val/t2i/R@1"].mean()
    assert (curve.idxmax(), curve.index[-1]) == (12, 24)
    assert f"with {curve.max():.1f}, and then falls to {curve.iloc[-1]:.1f}." in prose(PEERS)


def test_the_tuned_objectives_are_those_of_the_prose() -> None:
    runs = committed("equal").runs
    means = runs.groupby("arm")[[R1, MAP]].mean().drop(UNBOUND)
    near = means.drop("InfoNCE, tuned")
    spans = [f"{(each[metric].max() - each[metric].min()):.1f}" for each in (means, near) for metric in (R1, MAP)]
    words = "objectives span {} points of R@1 and {} of mAP, three of them {} > and {}."
    assert words.format(*spans) in prose(PEERS)
    assert "lie within {} points of R@1 and {} of mAP.".format(*spans[2:]) in prose(PEERS)
    assert f"`irra` and RDE's triplet loss lie within {max(spans[2:])} points." in prose("README.md")
    assert set(means.idxmax()) == {"tal, tuned"}
    low = runs.loc[("irra, tuned", 4)]
    last = R1.replace("best", "last")
    assert low["best_epoch"] == 12
    assert f"with {low[R1]:.1f} test R@1. Its last epoch has {low[last]:.1f}." in prose(PEERS)
    ends = runs.groupby("arm")[last].mean()
    arms = ("irra, tuned", UNBOUND, "tal, tuned", STRONG, "InfoNCE, tuned")
    words = (
        "{:.1f} for `irra`, {:.1f} for `paper-strong` without a bound, {:.1f} for `tal`, {:.1f} for `paper-strong` and"
    )
    assert f"{words} {{:.1f}} for InfoNCE.".format(*(ends[arm] for arm in arms)) in prose(PEERS)
    gain = convergence(committed("equal"))["gain"].groupby("arm").mean()
    rising = gain[gain >= 0.5]
    assert set(rising.index) == {"irra, tuned", STRONG}
    words = f"`irra` gained {gain['irra, tuned']:.1f} points in that quarter and `paper-strong` {gain[STRONG]:.1f},"
    assert words in prose(PEERS)


def test_the_losses_find_the_same_people_as_the_prose_says() -> None:
    equal, three = committed("equal"), ("irra, tuned", "tal, tuned", STRONG)
    queries = equal.per_query[(equal.per_query["direction"] == "t2i") & equal.per_query["arm"].isin(three)]
    hits = {
        run: (rows.sort_values("query")["first_rank"] == 1).tolist() for run, rows in queries.groupby(["arm", "seed"])
    }
    assert len(hits) == 15
    pairs_of: dict[frozenset[str], list[float]] = {}
    for (arm, seed), (other, another) in itertools.combinations(hits, 2):
        if seed != another:
            same = [one == two for one, two in zip(hits[arm, seed], hits[other, another], strict=True)]
            pairs_of.setdefault(frozenset({arm, other}), []).append(100 * sum(same) / len(same))
    found = {arms: sum(shares) / len(shares) for arms, shares in pairs_of.items()}
    alone = [found.pop(frozenset({arm})) for arm in three]
    text = prose(PEERS)
    spans = [number for shares in (found.values(), alone) for number in (min(shares), max(shares))]
    assert "agree on {:.0f} to {:.0f}% of the queries, two seeds of one on {:.0f} to {:.0f}%.".format(*spans) in text
    words = (
        "agree on {:.1f}% of the queries. Two seeds of `irra` agree on {:.1f}%, and two of `paper-strong` on {:.1f}%."
    )
    assert words.format(found[frozenset({"irra, tuned", STRONG})], alone[0], alone[2]) in text
    right = [sum(column) for column in zip(*hits.values(), strict=True)]
    rate = sum(right) / len(right) / 15
    assert f"By chance it would be {100 * (rate**2 + (1 - rate) ** 2):.0f}%." in text
    assert f"All 15 runs of the three miss the same {100 * right.count(0) / len(right):.0f}% of the queries." in text
    with_infonce = agreement(equal).loc["irra, tuned", "InfoNCE, tuned"]
    assert f"agrees less: on {with_infonce:.1f}% with `irra`." in text
    sizes = [committed(f"regime_{people}").runs.loc[f"{people}, circle"][R1].mean() for people in (100, 300)]
    sizes.append(committed("converged").runs.loc["circle"][R1].mean())
    words = "has {:.1f} test R@1 with 100 training people, {:.1f} with 300 and {:.1f} with 1,000,"
    assert words.format(*sizes) in text


def test_the_trials_are_those_of_the_prose() -> None:
    tried = validation(committed("equal_tuning"))
    names = [f"InfoNCE, temperature {low}, rate 5e-4{batches}" for low in (0.05, 0.1) for batches in ("", ", P x K")]
    words = "At 0.05 R@1 goes from {:.1f} to {:.1f}, at 0.1 from {:.1f} to {:.1f}, with one seed."
    assert words.format(*tried["R@1"][names]) in prose(PEERS)
    judged = tried.mean(axis="columns")
    objective = judged.index.str.partition(",").get_level_values(0)
    assert set(judged.groupby(objective).size()) == {12}
    assert not set(committed("equal_tuning").runs.index.unique("seed")) & set(
        committed("equal").runs.index.unique("seed")
    )
    best = judged.groupby(objective).idxmax()
    assert best["tal"] == "tal, margin 0.6, temperature 0.03, rate 2.5e-4, P x K"
    assert best["InfoNCE"] == "InfoNCE, temperature 0.07, rate 2.5e-4"
    assert best["irra"] == "irra, temperature 0.07, rate 5e-4, P x K"
    assert abs(judged[best["irra"]] - judged["irra, temperature 0.07, rate 2.5e-4"]) < 0.1
    assert "bounded, gamma 32" in best["paper-strong"]
    rates = [judged[f"paper-strong, gamma 64, rate {rate}, alpha 0.25, P x K"] for rate in ("1e-3", "5e-4", "2.5e-4")]
    assert "`paper-strong` have {:.1f}, {:.1f} and {:.1f} with the rates 1e-3".format(*rates) in prose(PEERS)


@pytest.mark.parametrize("where", ["README.md", *PAGES, ABLATION, PEERS])
def test_no_figure_of_a_study_goes_unchecked(where: str) -> None:
    claimed = sum(claim.where == where for claim in CLAIMS)
    assert len(FIGURE.findall(prose(where))) == claimed
