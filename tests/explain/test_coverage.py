"""The demo's statements on the default data and the bundled model: all queries of the test split.

`pytest --slow -s tests/explain/test_coverage.py` prints the figures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.explain.coverage import coverage
from tireid.data import load_dataset
from tireid.demo.collection import known_spread
from tireid.explain.confidence import QuerySpread, how_sure
from tireid.explain.failures import person_attributes
from tireid.explain.phrases import BANK, add_phrase, mentioned
from tireid.explain.questions import PhraseBank, suggest
from tireid.model import TIReID
from tireid.search import Gallery, bootstrap_interval
from tireid.search.metrics import rank_relevant

pytestmark = pytest.mark.slow

COLOUR = {"maroon": "dark red", "olive": "olive green", "navy": "dark blue"}
COLOURED = {
    "upper": "wearing {} top", "lower": "wearing {} bottoms", "shoes": "wearing {} shoes", "bag": "carrying {} bag",
    "headwear": "wearing {} hat",
}  # fmt: skip
HAIR = {
    "short": "with short hair", "curly": "with curly hair", "bob": "with chin-length hair", "long": "with long hair",
    "ponytail": "with a ponytail", "bun": "with hair in a bun", "bald": "with a bald head",
}  # fmt: skip
PATTERN = {
    "plain": "a plain top", "striped": "a striped top", "checked": "a checked top", "dotted": "a dotted top",
    "graphic": "a top with a print", "colour-block": "a two-tone top",
}  # fmt: skip


def article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def true_phrases(person: Mapping[str, str]) -> set[str]:
    """What the bank could say of a drawn person, from its ground truth."""
    told = {f"a {person['gender']}", f"a {person['build']} person", HAIR[person["hair.style"]]}
    told |= {f"with {person.get('hair.colour')} hair", f"wearing {PATTERN[person['upper.pattern']]}"}
    for part, phrase in COLOURED.items():
        if f"{part}.colour" in person:
            colour = COLOUR.get(person[f"{part}.colour"], person[f"{part}.colour"])
            told.add(phrase.format(colour if part in ("lower", "shoes") else article(colour)))
    kinds = [value for key, value in person.items() if key.endswith(".type")]
    for kind in ["flat shoes" if kind == "flats" else kind for kind in kinds]:
        told |= {f"{verb} {noun}" for verb in ("wearing", "carrying", "holding") for noun in (kind, article(kind))}
    return told


@pytest.fixture(scope="module")
def model() -> TIReID:
    return TIReID.from_pretrained("tiny-street")


@pytest.fixture(scope="module")
def data():
    return load_dataset("synthetic")


@pytest.fixture(scope="module")
def spread(model, data) -> QuerySpread:
    """Calibrated on further people, as many as are examined: 100 validation people make an easier gallery."""
    fitted = QuerySpread.fit(model, data.train.captions, data.train.caption_person_ids)
    fresh = load_dataset("synthetic", people=(1, 1, 200), seed=1).test
    return fitted.calibrate(Gallery.from_split(model, fresh), fresh.captions, fresh.caption_person_ids)


@pytest.fixture(scope="module")
def test_side(model, data):
    return Gallery.from_split(model, data.test), model.encode_texts(data.test.captions).numpy()


def test_statements_hold_on_all_test_queries(spread, data, test_side):
    """Calibrated on 200 people and 800 pictures, examined on 200 others with as many."""
    gallery, features = test_side
    table = coverage(gallery, data.test.captions, data.test.caption_person_ids, spread, features=features)
    print(f"\nscale {spread.scale:.2f}\n{table.round(3).to_string()}")
    assert abs(table["interval"] - table.index).max() < 0.05
    # One result is the fewest that can be named, and it is right more often than every second time.
    right_first = np.average(table.loc[0.5, ["R@1 ambiguous", "R@1 clear"]], weights=_shares(table.loc[0.5]))
    assert abs(table["within"] - np.maximum(table.index, right_first)).max() < 0.05
    assert table.loc[0.9, "R@1 clear"] > 2 * table.loc[0.9, "R@1 ambiguous"]


def test_of_a_few_words_no_share_is_stated(model, data, test_side):
    """By the spread that `tireid demo` brings. Where it says nothing, what it would say does not hold."""
    bundled, (gallery, _) = known_spread("tiny-street"), test_side
    for words in (4, 8, 12, 16):
        texts = [" ".join(text.split()[:words]) for text in data.test.captions[::8]]
        features = model.encode_texts(texts).numpy()
        held = []
        for text, feature, person in zip(texts, features, data.test.caption_person_ids[::8], strict=True):
            order = np.argsort(-(gallery.features @ feature), kind="stable")
            sure = how_sure(gallery, text, order[:10], bundled, 0.9, feature=feature)
            assert not sure.calibrated
            right = np.flatnonzero(gallery.person_ids[order] == person)[0]
            held += [] if sure.likeness.outside else [right < sure.within]
        print(f"the first {words} words: 90% would hold in {np.mean(held):.3f}")
        assert np.mean(held) < 0.8


def _shares(row) -> list[float]:
    return [row["ambiguous"], 1 - row["ambiguous"]]


def test_the_suggested_attribute_helps_more_than_a_random_one(model, data, spread, test_side):
    """R@1 with the sentence that tells the truth about the suggested slot, and about a slot drawn at random.

    The candidates of both are the slots that the person has and the caption does not tell.
    """
    gallery, features = test_side
    bank, people, rng = PhraseBank.encode(model), person_attributes(data.folder), np.random.default_rng(0)
    captions, ids = data.test.captions, data.test.caption_person_ids
    texts, queries, flat = [], [], []
    for query, (text, person) in enumerate(zip(captions, ids, strict=True)):
        shown = np.argsort(-(gallery.features @ features[query]), kind="stable")[:10]
        told, known = mentioned(text), true_phrases(people[person])
        true = {slot.name: p for slot in BANK if slot.name not in told for p in slot.phrases if p in known}
        if not true:
            continue
        asked = [s.slot for s in suggest(gallery, text, shown, len(BANK), bank=bank, feature=features[query], least=0)]
        suggested = next(slot for slot in asked if slot in true)
        drawn = list(true)[rng.integers(len(true))]
        texts += [add_phrase(text, true[suggested]), add_phrase(text, true[drawn])]
        queries.append(query)
        flat.append(how_sure(gallery, text, shown, spread, feature=features[query]).ambiguous)
    before = _right_first(features[queries], ids[queries], gallery)
    after = _right_first(model.encode_texts(texts).numpy(), np.repeat(ids[queries], 2), gallery).reshape(-1, 2)
    assert len(queries) > 0.95 * len(captions)
    for name, rows in (("all", np.ones(len(flat), bool)), ("ambiguous", np.array(flat))):
        who = ids[queries][rows]
        gains = [100 * (after[rows, i] - before[rows]) for i in (0, 1)]
        for arm, gain in zip(("suggested", "random", "difference"), (*gains, gains[0] - gains[1]), strict=True):
            low, high = bootstrap_interval(gain, groups=who)
            print(f"{name} ({rows.sum()}, R@1 {100 * before[rows].mean():.1f}), {arm}: {gain.mean():+.2f} ", end="")
            print(f"points, {low:+.2f} to {high:+.2f}")
        assert low > 0, "the suggested attribute must help more than the random one"


def _right_first(features, ids, gallery) -> np.ndarray:
    ranks = rank_relevant(features, gallery.features, ids, gallery.person_ids).ranks
    return np.array([first[0] == 1 for first in ranks], float)
