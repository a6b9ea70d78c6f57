"""Every figure that prose quotes from a study, against the committed results of that study."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import read_parameters
from tireid.studies.convergence import convergence
from tireid.studies.results import Results, load
from tireid.studies.tables import comparisons, readable_comparisons, validation

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
BOUNDED = "paper-strong, bounded"
ALONE = "InfoNCE, tuned, random batches"
CLAIMS = [
    Claim("README.md", "equal", STRONG, "irra, tuned", R1, "`paper-strong` with `irra`, both tuned | {} R@1"),
    Claim("README.md", "converged", "everything (paper)", "circle", R1, "`paper` with its circle loss alone | {} R@1"),
    Claim("README.md", "converged", "circle", "InfoNCE, tuned, P x K", R1, "InfoNCE on the same batches | {} R@1"),
    Claim("README.md", "random_batches", "circle", ALONE, R1, "InfoNCE on random batches, tuned | {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, MAP, "(−2.5 to +1.1) R@1 and {} mAP. With gamma 64"),
    Claim(ABLATION, "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim(ABLATION, "random_batches", "circle", ALONE, MAP, "(−2.5 to +1.1) R@1 and {} mAP. The study"),
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
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", R1, "It is still behind `irra`, by {} R@1."),
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
    Claim("docs/studies.md", "equal", "tal, tuned", "irra, tuned", MAP, "`tal` is ahead of `irra` by {} mAP."),
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
    Claim(PEERS, "equal", STRONG, "irra, tuned", MAP, "−1.4 (−3.4 to +0.6) R@1 and {} mAP"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", MAP, "one loss alone, is ahead of `irra` by {} mAP, and"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", MAP, "with P x K batches, is ahead of `irra` by {} mAP"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", R1, "In R@1 it is not shown to be ahead, {}. - **InfoNCE**"),
    Claim(PEERS, "equal", "InfoNCE, tuned", "irra, tuned", MAP, "with random batches, is behind `irra` by {} mAP."),
    Claim(
        PEERS, "equal", "InfoNCE, tuned", "irra, tuned", R1, "Its R@1 is not shown to differ, {}. - **`paper-strong`**"
    ),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", MAP, "**`paper-strong`** is ahead of InfoNCE by {} mAP"),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", R1, "from that of InfoNCE, {}. The next"),
    Claim("docs/studies.md", "wrong", "paper-strong", "irra, tuned", R1, "`paper-strong` is {} R@1 from `irra` (study"),
    Claim("docs/studies.md", "wrong", BOUNDED, "paper-strong", R1, "This changes R@1 by {}."),
    Claim("docs/studies.md", "wrong", BOUNDED, "irra, tuned", R1, "The difference from `irra` is then {}."),
    Claim("docs/studies.md", "wrong_short", BOUNDED, "irra, tuned", R1, "precision and machine too, it is {}, which"),
    Claim("docs/studies.md", "circle_forms", "separate optima", "circle", MAP, "separate optima change mAP by {},"),
    Claim(PEERS, "wrong", BOUNDED, "paper-strong", R1, "Its bounded form, explained below, changes R@1 by {}."),
    Claim(
        PEERS,
        "wrong_short",
        "paper-strong",
        "irra, tuned",
        R1,
        "With 1,500 steps the same arms are {} R@1 and, bounded,",
    ),
    Claim(PEERS, "wrong_short", BOUNDED, "irra, tuned", R1, "R@1 and, bounded, {} R@1 from `irra, tuned`. The last"),
    Claim(PEERS, "wrong", "paper-strong", "irra, tuned", R1, "`paper-strong` is {} R@1 from `irra, tuned`. The two"),
    Claim(PEERS, "wrong", BOUNDED, "paper-strong", R1, "The two options alone change R@1 by {}."),
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", R1, "With it `paper-strong` is {} R@1 and"),
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", MAP, "R@1 and {} mAP from `irra, tuned`. Shorter"),
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


def test_twice_the_steps_are_not_better_as_the_prose_says() -> None:
    short, long = (committed(study).runs.loc["circle"][R1].mean() for study in ("circle_forms", "converged"))
    assert f"the circle loss has {short:.1f} R@1 on the test people" in prose(ABLATION)
    assert f"After 3,000 steps it has {long:.1f} (five" in prose(ABLATION)


def test_the_arms_have_converged_as_far_as_the_prose_says() -> None:
    found = committed("converged")
    gain, late = (convergence(found, last=last)["gain"].groupby("arm").mean() for last in (1 / 4, 1 / 8))
    rising = gain[gain >= 0.5]
    assert set(rising.index) == {"circle + both", "circle, gamma 64, log-mean-exp"}
    assert {f"{value:.1f}" for value in rising} == {"0.7"}
    assert len(gain) == 13
    assert f"last quarter, and at most {late[rising.index].max():.1f} of it in its second half" in prose(ABLATION)


def test_the_best_states_come_as_early_as_the_prose_says() -> None:
    epochs = committed("wrong").runs["best_epoch"].groupby("arm").mean()
    strong, bounded, irra = epochs[["paper-strong", BOUNDED, "irra, tuned"]]
    words = f"comes after {strong:.1f} of 24 epochs on average, that of the bounded form after {bounded:.1f}, and"
    assert f"{words} that of `irra` after {irra:.1f}." in prose(PEERS)


def test_the_tuned_objectives_and_their_trials_are_those_of_the_prose() -> None:
    means = committed("equal").runs.groupby("arm")[[R1, MAP]].mean()
    spans = "objectives span {:.1f} points of R@1 and {:.1f} of mAP.".format(*means.max() - means.min())
    assert prose(PEERS).count(spans) == 2
    assert set(means.idxmax()) == {"tal, tuned"}
    row = readable_comparisons(comparisons(committed("equal"), "InfoNCE, tuned", [MAP])).loc[STRONG]
    assert f"mAP, with Holm's p {row['p, Holm']}." in prose(PEERS)
    tried = validation(committed("equal_tuning"))
    names = [f"InfoNCE, temperature {low}, rate 5e-4{batches}" for low in (0.1, 0.4) for batches in ("", ", P x K")]
    words = "At 0.1 R@1 goes from {:.1f} to {:.1f}, at 0.4 from {:.1f} to {:.1f}, with one seed."
    assert words.format(*tried["R@1"][names]) in prose(PEERS)
    judged = tried.mean(axis="columns")
    bounded = judged[judged.index.str.startswith("paper-strong, bounded")]
    ahead = [value > judged[name.replace(", bounded", "")] for name, value in bounded.items()]
    assert (len(ahead), sum(ahead)) == (6, 2)
    assert "The bounded form is ahead in two and behind in four." in prose(PEERS)


@pytest.mark.parametrize("where", ["README.md", *PAGES, ABLATION, PEERS])
def test_no_figure_of_a_study_goes_unchecked(where: str) -> None:
    claimed = sum(claim.where == where for claim in CLAIMS)
    assert len(FIGURE.findall(prose(where))) == claimed
