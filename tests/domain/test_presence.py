from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import domain as oracle
from tireid.domain import Presence


def people(rng: np.random.Generator, count: int, pictures: int = 2, captions: int = 2, noise: float = 0.6):
    """Features and ids of captions and of pictures of `count` people: points around one per person."""
    who = rng.normal(size=(count, 8))
    made = []
    for each in (captions, pictures):
        rows = np.repeat(who, each, axis=0) + noise * rng.normal(size=(count * each, 8))
        made.append((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return (made[0], np.repeat(np.arange(count), captions)), (made[1], np.repeat(np.arange(count), pictures))


def best(rng: np.random.Generator, texts, images, others: int, present: bool) -> float:
    """Best score of a caption in a gallery with or without its person."""
    query = rng.integers(len(texts[1]))
    person = texts[1][query]
    chosen = rng.choice(np.setdiff1d(images[1], person), others, replace=False)
    rows = np.isin(images[1], [*chosen, person] if present else chosen)
    return float((images[0][rows] @ texts[0][query]).max())


@pytest.mark.parametrize(("own", "others"), [(1, 0), (2, 0), (1, 1), (2, 1), (1, 3), (2, 3)])
def test_p_values_equal_the_count_over_all_galleries(own, others):
    texts, images = people(np.random.default_rng(0), 20)
    presence = Presence.fit(texts, images)
    scores = texts[0] @ images[0].T
    right = texts[1][:, None] == images[1]
    mine = [row[known] for row, known in zip(scores, right, strict=True)]
    theirs = [np.delete(row.reshape(20, 2).max(axis=1), who) for row, who in zip(scores, texts[1], strict=True)]
    for place in (60, 200, 320):
        threshold = float(presence.thresholds[place])
        found = presence.p_value(threshold, 2 * (others + 1), [own] * (others + 1))
        assert found == pytest.approx(oracle.presence(mine, theirs, threshold, own, others), abs=1e-4)


def test_p_values_fall_with_the_size_and_rise_with_the_score():
    presence = Presence.fit(*people(np.random.default_rng(1), 60))
    sizes = [presence.p_value(0.8, 2 * size, [2] * size) for size in (1, 2, 5, 20, 60, 600)]
    assert np.all(np.diff(sizes) <= 1e-9)
    assert np.all(np.diff([presence.p_value(score, 40) for score in np.linspace(-1, 1, 50)]) >= 0)
    assert presence.p_value(-1, 40) == pytest.approx(1 / 121, rel=0.01)
    assert presence.p_value(1, 40) == pytest.approx(1)


@pytest.mark.parametrize(("others", "known"), [(4, True), (40, True), (40, False), (150, True)])
def test_false_alarms_stay_at_the_stated_rate(others, known):
    """60 people held out, 300 fresh: over 40 repetitions at most 5%, within three standard errors; about 5% where the
    identities are known and the gallery is not larger than what was held out."""
    rng, marked = np.random.default_rng(2), []
    for _ in range(40):
        presence = Presence.fit(*people(rng, 60))
        texts, images = people(rng, 300)
        counts = [2] * (others + 1) if known else None
        scores = [best(rng, texts, images, others, present=True) for _ in range(60)]
        marked.append(np.mean([presence.p_value(score, 2 * (others + 1), counts) <= 0.05 for score in scores]))
    error = np.std(marked) / 40**0.5
    assert np.mean(marked) <= 0.05 + 3 * error
    if known and others < 60:
        assert np.mean(marked) >= 0.05 - 3 * error - 1 / 121


def test_power_is_how_often_a_missing_person_is_noticed():
    rng = np.random.default_rng(3)
    presence = Presence.fit(*people(rng, 400, noise=0.25))
    texts, images = people(rng, 400, noise=0.25)
    scores = [best(rng, texts, images, 19, present=False) for _ in range(2000)]
    noticed = np.mean([presence.p_value(score, 40, [2] * 20) <= 0.05 for score in scores])
    assert presence.power(40, [2] * 20) == pytest.approx(noticed, abs=0.05)
    assert noticed > 0.3


def test_power_is_not_told_beyond_what_was_held_out():
    presence = Presence.fit(*people(np.random.default_rng(4), 60))
    assert presence.power(120, [2] * 60) is not None
    assert presence.power(2000) is None


def test_too_few_people_give_no_test():
    assert Presence.fit(*people(np.random.default_rng(5), 19)) is None
