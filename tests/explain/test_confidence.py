"""Rank intervals against loops, and what they state against people simulated with known Gaussians."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.explain.coverage import coverage
from tests.search.fakes import ColourModel
from tireid.explain.calibration import KnownCaptions, ranks_of
from tireid.explain.confidence import FLAT_ABOVE, FLAT_LEVEL, UNCALIBRATED, QuerySpread, how_sure
from tireid.explain.sureness import ABSENT, SHORT, claims
from tireid.search import Gallery
from tireid.search.likeness import Likeness


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def gallery_of(features: np.ndarray, person_ids: np.ndarray | None = None) -> Gallery:
    names = [f"/g/{i:04d}.jpg" for i in range(len(features))]
    return Gallery(ColourModel(), unit(features), names, person_ids)


def simulated(people: int, rng: np.random.Generator, dim: int = 6, pictures: int = 3, captions: int = 4):
    """Gallery, caption features and ids of people whose captions scatter along three directions more than elsewhere."""
    centres = rng.standard_normal((people, dim))
    deviation = np.where(np.arange(dim) < 3, 1.2, 0.5)
    ids = np.repeat(np.arange(people), captions)
    texts = centres[ids] + deviation * rng.standard_normal((len(ids), dim))
    owner = np.repeat(np.arange(people), pictures)
    images = centres[owner] + 0.3 * rng.standard_normal((len(owner), dim))
    return gallery_of(images, owner), unit(texts), ids


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(5)
    gallery, texts, ids = simulated(12, rng)
    return gallery, texts, ids, QuerySpread.from_features(texts, ids)


def test_covariance_is_the_mean_of_each_persons_own_mixed_with_everybodys():
    rng = np.random.default_rng(0)
    ids = np.array([4, 4, 4, 9, 9, 2])  # the last one has a single caption and tells nothing of its own
    rows = unit(rng.standard_normal((6, 5)))
    own = [np.cov(rows[ids == person].T) for person in (4, 9)]
    everybody = np.cov(rows.T, bias=True)
    for lam in (0.0, 0.3, 1.0):
        factor = QuerySpread.from_features(3 * rows, ids, lam).factor.astype(np.float64)
        np.testing.assert_allclose(factor.T @ factor, lam * everybody + (1 - lam) * sum(own) / 2, atol=1e-6)


def test_variance_is_that_of_the_draws(small):
    _, texts, _, spread = small
    drawn = spread.draw(texts[0], draws=20_000, seed=1)
    np.testing.assert_allclose(drawn.mean(axis=0), texts[0], atol=0.03)
    np.testing.assert_allclose(drawn.var(axis=0), spread.scale**2 * spread.variance, rtol=0.1)


def test_ranks_and_shares_equal_those_counted_draw_by_draw(small):
    gallery, texts, _, spread = small
    shown, level = [7, 3, 20], 0.8
    levels = np.linspace(0, 1, 101)
    spread = replace(spread, scale=1.0, interval_levels=0.9 * levels, within_levels=levels)
    sure = how_sure(gallery, "someone", shown, spread, level, draws=40, seed=3, feature=texts[5])

    answer = [1 + sum(other @ texts[5] > f @ texts[5] for other in gallery.features) for f in gallery.features]
    ranks, standing, first = [], [], np.zeros(3)
    for draw in spread.draw(texts[5], 40, 3):
        scores = [float(f @ draw) for f in gallery.features]
        ranks.append([1 + sum(other > scores[row] for other in scores) for row in shown])
        best = scores.index(max(scores))
        standing.append(answer[best])
        first += [row == best for row in shown]
    for column, counted in enumerate(np.sort(np.array(ranks), axis=0).T):
        # The middle 72% of 40 draws, ends rounded outwards: from place floor(0.14 * 39) to ceil(0.86 * 39).
        assert (sure.low[column], sure.high[column]) == (counted[5], counted[34])
    np.testing.assert_allclose(sure.first, first / 40)
    assert sure.within == sorted(standing)[32]  # ceil(0.8 * 39)


def test_needs_are_what_an_interval_must_hold(small):
    gallery, texts, ids, spread = small
    known = KnownCaptions.of(gallery, [""] * len(ids), ids, texts, limit=5)
    noise = spread.draw(np.zeros(6), 30, 2) @ gallery.features.T
    query = int(known.queries[2])
    needs = iter(known.interval_needs(query, noise, k=4))
    base = gallery.features @ texts[query]
    for picture in np.argsort(-base)[:4]:
        drawn = [int((base + row > (base + row)[picture]).sum()) + 1 for row in noise]
        for other in np.flatnonzero((ids == ids[query]) & (np.arange(len(ids)) != query)):
            told = ranks_of(gallery.features @ texts[other])[picture]
            below, equal = sum(r < told for r in drawn), sum(r == told for r in drawn)
            assert next(needs) == pytest.approx(abs(2 * (below + equal / 2) / 30 - 1), abs=1e-6)
    assert next(needs, None) is None
    first_right = min(ranks_of(base)[gallery.person_ids == ids[query]])
    standing = [ranks_of(base)[int((base + row).argmax())] for row in noise]
    assert known.within_need(query, noise) == pytest.approx(sum(s < first_right for s in standing) / 29)


def test_levels_are_the_quantiles_of_the_needs(small):
    gallery, texts, ids, spread = small
    fitted = spread.calibrate(gallery, [""] * len(ids), ids, features=texts, k=5, draws=40, seed=2)
    known = KnownCaptions.of(gallery, [""] * len(ids), ids, texts, limit=99)
    noise = fitted.draw(np.zeros(6), 40, 2) @ gallery.features.T
    intervals = np.concatenate([known.interval_needs(query, noise, 5) for query in known.queries])
    within = np.array([known.within_need(query, noise) for query in known.queries])
    for level in (30, 60, 90):
        for needs, levels in ((intervals, fitted.interval_levels), (within, fitted.within_levels)):
            # At least `level` percent need no more, and no fewer than the rest need as much.
            assert (needs <= levels[level] + 1e-6).mean() >= level / 100 - 0.01
            assert (needs >= levels[level] - 1e-6).mean() >= 1 - level / 100 - 0.01
    assert fitted.calibrated


def test_statements_hold_for_other_people_and_a_gallery_of_twice_the_size():
    rng = np.random.default_rng(1)
    gallery, texts, ids = simulated(40, rng)
    spread = QuerySpread.from_features(texts, ids).calibrate(gallery, [""] * len(ids), ids, features=texts, draws=60)
    other, other_texts, other_ids = simulated(80, rng)
    table = coverage(other, [""] * len(other_ids), other_ids, spread, (0.5, 0.85), features=other_texts, draws=60)
    scores = other_texts @ other.features.T
    first_right = (other.person_ids[scores.argmax(axis=1)] == other_ids).mean()
    # 40 people calibrate: their standard error alone is about 3 points.
    assert abs(table["interval"] - table.index).max() < 0.07
    # No fewer than one result can be named, so `within` holds at least as often as the first result is right.
    assert abs(table["within"] - np.maximum(table.index, first_right)).max() < 0.07
    assert table.loc[0.85, "first"] > 2 * table.loc[0.5, "first"]


def test_coverage_counts_cases(small):
    gallery, texts, ids, spread = small
    table = coverage(gallery, [""] * len(ids), ids, spread, (0.7,), features=texts, k=3, draws=30)
    held, within = [], []
    for query in range(len(ids)):
        scores = gallery.features @ texts[query]
        shown = np.argsort(-scores)[:3]
        sure = how_sure(gallery, "", shown, spread, 0.7, 30, feature=texts[query])
        for other in np.flatnonzero((ids == ids[query]) & (np.arange(len(ids)) != query)):
            ranks = ranks_of(gallery.features @ texts[other])[shown]
            held += [low <= rank <= high for rank, low, high in zip(ranks, sure.low, sure.high, strict=True)]
        within.append(min(ranks_of(scores)[gallery.person_ids == ids[query]]) <= sure.within)
    assert table.loc[0.7, "interval"] == pytest.approx(np.mean(held))
    assert table.loc[0.7, "within"] == pytest.approx(np.mean(within))


def test_intervals_grow_with_the_level(small):
    gallery, texts, _, spread = small
    sures = [how_sure(gallery, "", [0, 5], spread, level, feature=texts[0]) for level in (0.2, 0.5, 0.8, 0.95)]
    for less, more in pairwise(sures):
        assert (more.low <= less.low).all()
        assert (less.high <= more.high).all()
        assert less.within <= more.within


def test_a_clear_answer_is_not_ambiguous_and_a_flat_one_is():
    rng = np.random.default_rng(2)
    query = np.eye(8)[0]
    spread = QuerySpread(0.2 * np.eye(8, dtype=np.float32), scale=1.0)
    near = np.concatenate([query[None] + 0.01, -query + 0.3 * rng.standard_normal((30, 8))])
    clear = how_sure(gallery_of(near), "", [0], spread, feature=query)
    assert not clear.ambiguous
    assert (clear.within, clear.first.tolist()) == (1, [1.0])
    crowd = gallery_of(query + 0.3 * rng.standard_normal((60, 8)))
    flat = how_sure(crowd, "", [0], replace(spread, scale=5.0), FLAT_LEVEL, feature=query)
    assert flat.ambiguous
    assert flat.within > FLAT_ABOVE


def test_a_filtered_search_is_one_of_a_smaller_gallery(small):
    gallery, texts, _, spread = small
    kept = np.arange(0, len(gallery), 2)
    allowed = np.isin(np.arange(len(gallery)), kept)
    whole = how_sure(gallery, "", [4, 10], spread, allowed=allowed, feature=texts[1])
    part = how_sure(gallery_of(gallery.features[kept]), "", [2, 5], spread, feature=texts[1])
    for name in ("low", "high", "first", "within"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(part, name))


def test_the_answer_encodes_its_text_and_hangs_on_the_seed_only(model):
    gallery = Gallery(model, model.encode_texts(["red", "green", "blue", "pink"]), list("abcd"))
    spread = QuerySpread.from_features(model.encode_texts(["red", "pink", "blue", "black"]), [0, 0, 1, 1])
    one, two = (how_sure(gallery, "a man in red \N{GRINNING FACE} <b>", [0, 3], spread, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.low, two.low)
    np.testing.assert_array_equal(one.first, two.first)


def test_one_picture_is_always_first():
    spread = QuerySpread(np.eye(4, dtype=np.float32))
    sure = how_sure(gallery_of(np.ones((1, 4))), "", [0], spread, feature=np.eye(4)[0])
    assert (sure.low.tolist(), sure.high.tolist(), sure.first.tolist(), sure.within) == ([1], [1], [1.0], 1)
    assert not sure.ambiguous
    assert sure.meaning == UNCALIBRATED


def test_meaning_tells_the_level(small):
    gallery, texts, ids, spread = small
    calibrated = spread.calibrate(gallery, [""] * len(ids), ids, features=texts, draws=20)
    assert "about 85%" in how_sure(gallery, "", [0], calibrated, 0.85, feature=texts[0]).meaning


def test_no_share_of_cases_is_stated_in_a_gallery_larger_than_the_calibrations(small):
    gallery, texts, ids, spread = small
    calibrated = spread.calibrate(gallery, [""] * len(ids), ids, features=texts, draws=20)
    larger = gallery_of(np.concatenate([gallery.features, gallery.features[:1]]))
    sure = how_sure(larger, "", [0], calibrated, feature=texts[0])
    assert not sure.calibrated
    assert sure.meaning == UNCALIBRATED
    some = np.arange(len(larger)) < len(gallery)  # what a filter leaves counts
    assert how_sure(larger, "", [0], calibrated, feature=texts[0], allowed=some).calibrated


def test_no_share_of_cases_is_stated_of_a_description_shorter_than_the_calibrations(small):
    gallery, texts, ids, spread = small
    captions = ["red"] * 11 + ["a man in a red coat"] * (len(ids) - 11)  # fewer than a quarter are of one word
    calibrated = spread.calibrate(gallery, captions, ids, features=texts, draws=20)
    assert calibrated.fewest_words == 5
    whole, cut, repeated = (
        how_sure(gallery, text, [0], calibrated, feature=texts[0])
        for text in ("The man in a coat", "The man in a", "a red man, a red man, a red man")
    )
    assert whole.calibrated
    assert not cut.calibrated
    assert not repeated.calibrated
    assert cut.meaning == UNCALIBRATED
    assert claims(cut)[-1] == claims(repeated)[-1] == SHORT.format(fewest=5)


def test_no_share_of_cases_is_stated_where_perhaps_nobody_fits(small, monkeypatch):
    gallery, texts, ids, spread = small
    calibrated = spread.calibrate(gallery, [""] * len(ids), ids, features=texts, draws=20)
    for nobody, share in ((None, True), (0.06, True), (0.05, False)):
        monkeypatch.setattr(Likeness, "of", lambda *_, p=nobody: Likeness(nobody=p))
        sure = how_sure(gallery, "", [0], calibrated, feature=texts[0])
        assert sure.calibrated == share
        assert (claims(sure)[-1] == ABSENT) != share


def test_default_comes_from_drawn_captions(model):
    spread = QuerySpread.default(model, people=5)
    assert not spread.calibrated
    assert spread.variance.shape == (4,)
    assert spread.variance.sum() > 0


def test_fit_encodes_no_more_than_the_limit(model):
    captions, ids = ["red", "pink", "blue", "black"] * 3, [0, 0, 1, 1] * 3
    limited = QuerySpread.fit(model, captions, ids, limit=4)
    assert model.calls == [4]
    np.testing.assert_allclose(
        limited.factor, QuerySpread.from_features(model.encode_texts(captions[:4]), ids[:4]).factor
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": [99]}, "rows must lie in 0..35"),
        ({"level": 1.0}, "0 < level < 1"),
        ({"draws": 1}, "draws >= 2"),
        ({"allowed": np.zeros(36, bool)}, "allowed leaves out"),
        ({"spread": QuerySpread(np.eye(3, dtype=np.float32))}, "fit it with the gallery's model"),
    ],
)
def test_wrong_arguments_are_named(small, options, message):
    gallery, texts, _, spread = small
    options = {"rows": [0], "spread": spread, **options}
    with pytest.raises(ValueError, match=message):
        how_sure(gallery, "", feature=texts[0], **options)


def test_calibration_says_what_it_lacks(small):
    gallery, texts, ids, spread = small
    with pytest.raises(ValueError, match="gallery with identities"):
        spread.calibrate(gallery_of(gallery.features), [""] * len(ids), ids, features=texts)
    with pytest.raises(ValueError, match="calibration needs 20"):
        spread.calibrate(gallery, [""] * 8, ids[:8], features=texts[:8])
    with pytest.raises(ValueError, match="no person has two captions"):
        QuerySpread.from_features(texts[::4], ids[::4])
    with pytest.raises(ValueError, match="lam"):
        QuerySpread.from_features(texts, ids, lam=2)
