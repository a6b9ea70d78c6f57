"""What 05_masked_modelling says in prose about the bundled model and its variants is what was measured."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.notebooks.test_claims import ROOT, prose
from tireid.data import Split, load_dataset
from tireid.explain.grounding import grounding, recovery
from tireid.explain.where import garment_shares
from tireid.model import TIReID
from tireid.search import bootstrap_interval

NOTEBOOK = "notebooks/05_masked_modelling.ipynb"
VARIANTS = pd.read_csv(ROOT / "notebooks/data/masked_modelling.csv")
CELL = r"(-?[\d.]+) \((-?[\d.]+) to (-?[\d.]+)\)"
POINTS, NATS = 1.0, 0.05
"""What another processor or float format may move; the intervals are ten times as wide."""


def colours(variant: str, stage: str) -> pd.Series:
    at = VARIANTS[(VARIANTS["variant"] == variant) & (VARIANTS["measured after"] == stage)]
    return at[(at["words hidden"] == "one word") & (at["kind"] == "colour")].iloc[0]


def lead(variant: str, stage: str) -> float:
    return float(colours(variant, stage)["right (%)"] - colours(variant, stage)["wrong (%)"])


def test_what_the_prose_says_of_the_variants_is_in_their_table() -> None:
    text = prose(NOTEBOOK)
    fine = VARIANTS[VARIANTS["measured after"] == "fine-tuning"]
    fine = fine[(fine["words hidden"] == "one word") & (fine["kind"] == "colour")].set_index("variant")["right (%)"]
    fresh = "one look, no pre-training"
    assert f"masked modelling in the pre-training, {fine[fresh]:.1f}% of the colours" in text
    assert f"no variant is below {fine.drop(fresh).min():.1f}%" in text
    bert, half = (lead(f"one look, any {share}", "pre-training") for share in ("15% of tokens (BERT)", "50% of tokens"))
    content = lead("one look", "pre-training")
    assert f"then {bert:.1f} points ahead. It is {content:.1f} points ahead if content words" in text
    assert f"and {half:.1f} if half of all tokens are" in text
    two, one = (lead(looks, "fine-tuning") for looks in ("two looks", "one look"))
    assert f"adds {two - one:.1f} points" in text
    assert f"{two + 1e-9:.1f} against {one:.1f}" in text
    assert set(VARIANTS["steps"]) == {1000, 2000, 2992}


def test_what_the_prose_says_of_frozen_towers_is_in_their_table() -> None:
    text, table = prose(NOTEBOOK), pd.read_csv(ROOT / "notebooks/data/frozen_towers.csv")
    table = table.set_index(["training on frozen towers", "words hidden", "kind"]).sort_index()
    right, wrong = table["right (%)"], table["wrong (%)"]
    none, telling = "none (before)", "words that tell something - 20000 people"
    places = [("15%", "colour"), ("one word", "colour"), ("one word", "garment")]
    first, second, third = ([f"{right[(arm, *place)]:.1f}%" for arm in (telling, none)] for place in places)
    assert f"{first[0]} of the colours are right instead of {first[1]}" in text
    assert f"{second[0]} instead of {second[1]}, and for garments {third[0]} instead of {third[1]}" in text
    fewer = right[("fewer whole words and twice the rate - 20000 people", *places[0])]
    assert f"{fewer:.1f}% of the colours are right with 15% hidden" in text
    apart = [f"{right[(arm, *places[2])] - wrong[(arm, *places[2])]:.1f}" for arm in (telling, none)]
    assert f"they are {apart[0]} points apart, where they were {apart[1]}" in text
    more = [arm for arm in right.index.unique(0) if arm.endswith("20000 people")]
    assert len(more) == 4
    assert all(right[(arm, *place)] > right[(none, *place)] for arm in more for place in places[:2])


def quoted() -> dict[tuple[str, str], list[tuple[float, ...]]]:
    """Right, ahead and saved with their intervals, of every row of the table in the prose."""
    figures = rf"{CELL} \| {CELL} \| {CELL}"
    rows = re.findall(rf"\| (one word|15%) \| (colour|garment) \| {figures} \|", prose(NOTEBOOK))
    return {row[:2]: [tuple(map(float, row[start : start + 3])) for start in (2, 5, 8)] for row in rows}


@pytest.fixture(scope="module")
def bundled() -> tuple[TIReID, Split, Split]:
    others = load_dataset("synthetic", people=(1, 1, 200), seed=1).test
    return TIReID.from_pretrained("tiny-street"), load_dataset("synthetic").test, others


@pytest.mark.slow
def test_the_bundled_model_is_as_grounded_as_the_prose_says(bundled: tuple[TIReID, Split, Split]) -> None:
    said, found = quoted(), grounding(*bundled)
    assert len(said) == 4
    for key, rows in found.groupby(["hidden", "kind"]):
        right, ahead = 100 * rows["right"], 100 * (rows["right"] - rows["wrong"])
        measured = ((right, POINTS), (ahead, POINTS), (rows["nats wrong"] - rows["nats right"], NATS))
        for (values, tolerance), figures in zip(measured, said[key], strict=True):
            interval = bootstrap_interval(values, groups=rows["person"])
            assert (values.mean(), *interval) == pytest.approx(figures, abs=tolerance), key


@pytest.mark.slow
def test_the_bundled_model_recovers_as_the_prose_says(bundled: tuple[TIReID, Split, Split]) -> None:
    found, text = recovery(*bundled), prose(NOTEBOOK)
    patterns = {
        "right": r"belongs to the person in ([\d.]+)%",
        "masked": r"masked caption alone reaches ([\d.]+)%",
        "wrong": r"With a wrong picture it falls to ([\d.]+)%",
        "picture": r"no caption at all, reaches ([\d.]+)%",
    }
    for name, pattern in patterns.items():
        assert found[name].mean() == pytest.approx(float(re.search(pattern, text)[1]), abs=POINTS)
    low, high = map(float, re.search(r"points \(([\d.]+) to ([\d.]+)\), where 10", text).groups())
    gain = bootstrap_interval(found["right"] - found["masked"], groups=found["person"])
    assert gain == pytest.approx((low, high), abs=2 * POINTS)


def test_what_the_prose_says_of_garments_is_in_their_tables() -> None:
    text = prose(NOTEBOOK)
    maps = pd.read_csv(ROOT / "notebooks/data/garment_maps.csv").set_index(["map", "garment"])
    for name in maps.index.unique("map"):
        everywhere, parts = maps.loc[name, "all"], maps.loc[name].loc[["upper", "lower", "shoes"], "inside (%)"]
        share = f"{everywhere['inside (%)']} ({everywhere['low']} to {everywhere['high']})"
        assert f"{share} | {' | '.join(map(str, parts))} |" in text
    names = pd.read_csv(ROOT / "notebooks/data/garment_names.csv").set_index(["hidden word is", "wrong picture shows"])
    longer, whole = names.loc["part of a longer name", "all"], names.loc["the whole name", "all"]
    every = names.loc["all", "all"]
    assert f"{100 * longer['words'] / every['words']:.0f}% are a part of a longer name" in text
    assert f"{longer['right (%)']}% are right, and {longer['wrong (%)']}% with a wrong picture" in text
    assert f"{whole['right (%)']}% and {whole['wrong (%)']}% are right, {whole['ahead']} points apart" in text
    assert (
        f"{100 * names.loc[('all', 'the same garment'), 'words'] / every['words']:.0f}% of the wrong pictures" in text
    )
    assert f"{names.loc[('the whole name', 'another garment'), 'ahead']} points ahead" in text


@pytest.mark.slow
def test_the_maps_of_garments_are_what_is_measured() -> None:
    test = load_dataset("synthetic", people=(1000, 100, 200), masks=["test"]).test
    found = garment_shares(TIReID.from_pretrained("tiny-street"), test)
    maps = pd.read_csv(ROOT / "notebooks/data/garment_maps.csv").set_index(["map", "garment"])["inside (%)"]
    assert len(found) == 3460
    for column, name in (("attention", "attention, second look, mean of heads"), ("hiding", "hiding")):
        assert found[column].mean() == pytest.approx(maps[name, "all"], abs=POINTS)
