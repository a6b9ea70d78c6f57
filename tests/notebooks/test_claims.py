"""Every figure that prose quotes from a study, against the committed results of that study."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from tireid.studies.results import load
from tireid.studies.tables import comparisons, readable_comparisons

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
HIDDEN = "image token, masked patches"
STRONG = "paper-strong, tuned"
FIFTH, HALF = "tuned, caption_noise 0.2", "tuned, caption_noise 0.5"
BOUNDED = "paper-strong, bounded"
ALONE = "InfoNCE, tuned, random batches"
CLAIMS = [
    Claim("README.md", "equal", STRONG, "irra, tuned", R1, "`paper-strong` with `irra`, both tuned | {} R@1"),
    Claim("README.md", "converged", "everything (paper)", "circle", R1, "`paper` with its circle loss alone | {} R@1"),
    Claim("README.md", "converged", "circle", "InfoNCE, tuned, P x K", R1, "InfoNCE on the same batches | {} R@1"),
    Claim("README.md", "random_batches", "circle", ALONE, R1, "InfoNCE on random batches, tuned | {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim("docs/studies.md", "random_batches", "circle", ALONE, MAP, "(−2.1 to +1.4) R@1 and {} mAP, which is not"),
    Claim(ABLATION, "random_batches", "circle", ALONE, R1, "of the circle loss from it is {} R@1"),
    Claim(ABLATION, "random_batches", "circle", ALONE, MAP, "(−2.1 to +1.4) R@1 and {} mAP."),
    Claim("docs/studies.md", "converged", "circle", "InfoNCE, tuned, P x K", R1, "is {} R@1 ahead of InfoNCE on"),
    Claim(
        "docs/studies.md",
        "converged",
        "everything (paper)",
        "circle",
        R1,
        "whole method from the circle loss alone is {} R@1",
    ),
    Claim("docs/studies.md", "circle_forms", "separate optima", "circle", MAP, "Separate optima change mAP by {},"),
    Claim("docs/studies.md", "circle_forms", "on classes", "circle", MAP, "on classes beside it by {}."),
    Claim("docs/studies.md", "circle_forms", "late", "circle", MAP, "that comes in late changes mAP by {}."),
    Claim("docs/studies.md", "converged", "circle + batch", "circle", MAP, "Batch-level noise changes mAP by {}."),
    Claim(
        "docs/studies.md",
        "converged",
        "circle + both + MLM",
        "circle + both",
        R1,
        "Masked modelling changes R@1 by {} where",
    ),
    Claim(
        "docs/studies.md", "equal", STRONG, "irra, tuned", R1, "difference of `paper-strong` from `irra` is {} R@1 and"
    ),
    Claim("docs/studies.md", "equal", STRONG, "irra, tuned", MAP, "R@1 and {} mAP. The target"),
    Claim("docs/studies.md", "equal", "tal, tuned", "irra, tuned", MAP, "`tal` is ahead of `irra` by {} mAP."),
    Claim(
        "docs/studies.md", "peers", "paper-strong, tuned", "irra, tuned", R1, "of `paper-strong` from `irra` was {} R@1"
    ),
    Claim("docs/studies.md", "ablation", "circle", "CLIP, tuned, P x K", MAP, "with a tuned temperature by {} mAP"),
    Claim(ABLATION, "converged", "circle", "InfoNCE, tuned, P x K", R1, "There it is ahead of InfoNCE by {} R@1."),
    Claim(
        ABLATION,
        "converged",
        "SDM, tuned, P x K",
        "circle",
        R1,
        "SDM from the circle loss on the same batches is {} R@1",
    ),
    Claim(ABLATION, "converged", "tal, tuned", "circle", R1, "difference of `tal` from the circle loss is {} R@1"),
    Claim(
        ABLATION, "converged", "everything (paper)", "circle", R1, "whole method from the circle loss alone is {} R@1"
    ),
    Claim(ABLATION, "converged", "circle + batch", "circle", MAP, "- **Noise.** Batch-level noise changes mAP by {}."),
    Claim(
        ABLATION, "converged", "circle + both + MLM", "circle + both", R1, "on top of both noises changes R@1 by {}."
    ),
    Claim(
        ABLATION,
        "converged",
        "circle + both + recovery",
        "circle + both",
        R1,
        "recovery** of the global token changes R@1 by {}.",
    ),
    Claim("docs/studies.md", "regime_100", "100, circle + batch", "100, circle", MAP, "changes mAP by {}: it is not"),
    Claim(ABLATION, "regime_100", "100, circle + batch", "100, circle", MAP, "state by {} with 100 people"),
    Claim(ABLATION, "regime_300", "300, circle + batch", "300, circle", MAP, "and by {} with 300."),
    Claim(ABLATION, "converged", "circle + batch", "circle", MAP, "With 1,000 it was {}."),
    Claim(ABLATION, "regime_100", "100, circle + identity", "100, circle", MAP, "noise** changes it by {} with 100"),
    Claim(ABLATION, "regime_100", "100, circle + both", "100, circle", MAP, "**both** by {}."),
    Claim(ABLATION, "ablation", "CLIP, tuned", "CLIP", R1, "is ahead of CLIP's 0.02 by {} R@1"),
    Claim(ABLATION, "ablation", "circle", "CLIP", R1, "The circle loss is ahead of CLIP's 0.02 by {},"),
    Claim(ABLATION, "ablation", "circle", "CLIP, tuned, P x K", R1, "circle loss against tuned InfoNCE is {} R@1."),
    Claim(ABLATION, "ablation", "circle", "CLIP, tuned, P x K", MAP, "is ahead of tuned InfoNCE by {} mAP,"),
    Claim(ABLATION, "ablation", "CLIP, tuned, P x K", "CLIP, tuned", MAP, "P x K changes it by {} mAP"),
    Claim(ABLATION, "ablation", "circle", "CLIP, tuned", R1, "+0.9 (−0.3 to +2.2) mAP and {} R@1"),
    Claim(ABLATION, "ablation", "circle", "CLIP, tuned", MAP, "from InfoNCE with random batches is {} mAP"),
    Claim(ABLATION, "ablation", "circle + batch", "circle", MAP, "Batch-level noise at alpha 1 changes mAP by {}."),
    Claim(ABLATION, "ablation", "circle + identity", "circle", MAP, "(−3.5 to −1.2). Identity-level noise, {} mAP,"),
    Claim(ABLATION, "noise_scale", "alpha 0.5", "alpha 1", MAP, "is better than alpha 1 by {} mAP,"),
    Claim(ABLATION, "noise_scale", "alpha 0.5", "no noise", MAP, "Its difference from no noise at all is {} mAP"),
    Claim(
        ABLATION,
        "ablation",
        "circle + both + MLM",
        "circle + both",
        MAP,
        "- **Masked language modelling** changes mAP by {},",
    ),
    Claim(
        ABLATION,
        "ablation",
        "circle + both + recovery",
        "circle + both",
        MAP,
        "**the recovery of the global token** by {}.",
    ),
    Claim(
        ABLATION, "options", "detached deviation", "circle + both", MAP, "through the deviation is worse, by {} mAP."
    ),
    Claim(ABLATION, "options", "gamma 8", "circle + both", MAP, "two more are worse: gamma 8, {} mAP,"),
    Claim(ABLATION, "options", "summed variances", "circle + both", MAP, "mAP, and adding the variances up, {} mAP."),
    Claim(ABLATION, "recovery", HIDDEN, "circle + both + recovery", MAP, "difference from the default form is {} mAP"),
    Claim(ABLATION, "recovery", HIDDEN, "circle + both + recovery", R1, "+0.9 (+0.4 to +1.5) mAP and {} R@1."),
    Claim(ABLATION, "recovery", HIDDEN, "without recovery", MAP, "leaving the recovery out is {} mAP."),
    Claim(ABLATION, "recovery_paper", HIDDEN, "everything (paper)", MAP, "There it changes mAP by {},"),
    Claim(PEERS, "equal", STRONG, "irra, tuned", R1, "after 1,500 steps, the difference is {} R@1"),
    Claim(PEERS, "equal", STRONG, "irra, tuned", MAP, "−0.0 (−1.8 to +1.6) R@1 and {} mAP"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", MAP, "with P x K batches, is ahead of `irra` by {} mAP"),
    Claim(PEERS, "equal", "tal, tuned", "irra, tuned", R1, "In R@1 it is not shown to be ahead, {}. - **InfoNCE**"),
    Claim(PEERS, "equal", "InfoNCE, tuned", "irra, tuned", MAP, "batches: its difference from `irra` is {} mAP."),
    Claim(PEERS, "equal", "InfoNCE, tuned", "irra, tuned", R1, "not shown to differ, {}. - **`paper-strong`** is"),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", MAP, "**`paper-strong`** is ahead of InfoNCE by {} mAP"),
    Claim(PEERS, "equal", STRONG, "InfoNCE, tuned", R1, "Its R@1 is not shown to differ, {}. Of the trials"),
    Claim(PEERS, "peers", STRONG, "irra, tuned", R1, "There the difference is {} R@1"),
    Claim(PEERS, "peers", STRONG, "irra, tuned", MAP, "The difference in mAP is {}. Holm's p is"),
    Claim(PEERS, "peers", "paper-strong, tuned", "irra", R1, "difference of the same arm from it is {} R@1"),
    Claim(PEERS, "peers", "irra, tuned", "irra", R1, "tuning `irra` alone changes R@1 by {}. -"),
    Claim(
        PEERS, "peers", "tal, tuned", "irra, tuned", R1, "margin and temperature, differs from `irra, tuned` by {} R@1"
    ),
    Claim(PEERS, "peers", "clip, tuned", "irra, tuned", R1, "alone differs from `irra, tuned` by {} R@1"),
    Claim(PEERS, "peers", "paper-strong, tuned", "clip, tuned", MAP, "is ahead of tuned InfoNCE by {} mAP."),
    Claim(PEERS, "peers", "paper-strong, tuned", "clip, tuned", R1, "it is not shown to be ahead, {}."),
    Claim(PEERS, "bridge", "circle for SDM", "irra, tuned", R1, "the difference from `irra, tuned` is {} R@1"),
    Claim(PEERS, "bridge", "circle for SDM", "irra, tuned", MAP, "in SDM's place also changes mAP by {}."),
    Claim(PEERS, "bridge", "whole captions", "circle for SDM", MAP, "for the alignment loss, change mAP by {}."),
    Claim(PEERS, "bridge", "P x K batches", "recovery", R1, "P x K batches the change is {} R@1."),
    Claim(PEERS, "bridge", "InfoNCE for SDM", "irra, tuned", R1, "in SDM's place lose too: InfoNCE {} R@1,"),
    Claim(PEERS, "bridge", "TAL for SDM", "irra, tuned", R1, "(−4.6 to −1.2) R@1, and TAL {} R@1."),
    Claim(
        PEERS,
        "bridge",
        "InfoNCE x 8 for SDM",
        "irra, tuned",
        R1,
        "the weight InfoNCE differs from `irra, tuned` by {} R@1",
    ),
    Claim(PEERS, "bridge", "TAL x 8 for SDM", "irra, tuned", R1, "and TAL by {} R@1"),
    Claim(
        PEERS,
        "noise",
        f"paper-strong, {FIFTH}",
        f"irra, {FIFTH}",
        R1,
        "a fifth of them `paper-strong, tuned` is {} R@1",
    ),
    Claim(
        PEERS,
        "noise",
        f"paper-strong, {HALF}",
        f"irra, {HALF}",
        R1,
        "the captions wrong, `paper-strong, tuned` is {} R@1",
    ),
    Claim("docs/studies.md", "wrong", "paper-strong", "irra, tuned", R1, "`paper-strong` is {} R@1 from `irra` (study"),
    Claim("docs/studies.md", "wrong", BOUNDED, "paper-strong", R1, "This changes R@1 by {}."),
    Claim("docs/studies.md", "wrong", BOUNDED, "irra, tuned", R1, "The difference from `irra` is then {}, which"),
    Claim(PEERS, "wrong", BOUNDED, "paper-strong", R1, "Its bounded form changes R@1 by {}."),
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", R1, "It is then {} R@1 from `irra, tuned`."),
    Claim(PEERS, "wrong", "paper-strong", "irra, tuned", R1, "`paper-strong` is {} R@1 from `irra, tuned`. The two"),
    Claim(PEERS, "wrong", BOUNDED, "paper-strong", R1, "The two options alone change R@1 by {}."),
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", R1, "With it `paper-strong` is {} R@1 and"),
    Claim(PEERS, "wrong", BOUNDED, "irra, tuned", MAP, "R@1 and {} mAP from `irra, tuned`. The intervals"),
    Claim(PEERS, "noise", f"clip, {HALF}", f"irra, {HALF}", R1, "With half of them InfoNCE is {} and"),
    Claim(PEERS, "noise", f"tal, {HALF}", f"irra, {HALF}", R1, "−21.9 (−24.0 to −19.7) and TAL {}, as"),
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
    assert set(runs["best_epoch"]) == {10, 20, 30}  # epochs of 12 steps
    assert set(runs["steps"]) == {1_440}
    assert "after 120 to 360 of 1,440 steps" in text


@pytest.mark.parametrize("where", ["README.md", *PAGES, ABLATION, PEERS])
def test_no_figure_of_a_study_goes_unchecked(where: str) -> None:
    claimed = sum(claim.where == where for claim in CLAIMS)
    assert len(FIGURE.findall(prose(where))) == claimed
