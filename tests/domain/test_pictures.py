from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import domain as oracle
from tireid.domain import Pictures, picture_statistics


@pytest.mark.parametrize("size", [(24, 16), (96, 32)])
def test_statistics_equal_those_of_a_loop(size):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, *size), dtype=np.uint8)
    ramp = np.tile(np.linspace(0, 255, size[1]).astype(np.uint8), (3, size[0], 1))
    pictures = np.stack([noise, ramp, np.full_like(noise, 90)])
    expected = [oracle.picture_statistics(picture) for picture in pictures]
    np.testing.assert_allclose(picture_statistics(pictures), expected, atol=2e-4)


def test_sides_are_cut_to_a_multiple_of_eight():
    picture = np.random.default_rng(1).integers(0, 256, (1, 3, 27, 22), dtype=np.uint8)
    np.testing.assert_array_equal(picture_statistics(picture), picture_statistics(picture[:, :, :24, :16]))


def test_statistics_refuse_other_shapes():
    with pytest.raises(ValueError, match="N, 3, H, W"):
        picture_statistics(np.zeros((2, 96, 32, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 16"):
        picture_statistics(np.zeros((2, 3, 96, 8), np.uint8))


def made_up(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    features = rng.normal(size=(count, 6)).astype(np.float32)
    return rng.normal(size=(count, 4)).astype(np.float32), features / np.linalg.norm(features, axis=1, keepdims=True)


def test_p_values_equal_ranks_of_both_distances():
    rng = np.random.default_rng(2)
    trained, held, tested = made_up(rng, 30), made_up(rng, 25), made_up(rng, 8)
    found = Pictures.fit(trained, held).p_values(*tested)

    scale = trained[0].std(axis=0)
    rows = trained[0] / scale, trained[1]
    without = [np.delete(rows[part], i, axis=0) for part in (0, 1) for i in range(30)]
    own = [oracle.fifth_nearest(without[i], rows[i // 30][i % 30]) for i in range(60)]

    def score(statistics, feature):
        first, second = oracle.fifth_nearest(rows[0], statistics / scale), oracle.fifth_nearest(rows[1], feature)
        ranks = oracle.p_value(own[:30], first), oracle.p_value(own[30:], second)
        return -np.log(ranks[0]) - 0.3 * np.log(ranks[1]) + 0.001 * first / np.median(own[:30])

    known = [score(*pair) for pair in zip(*held, strict=True)]
    expected = [oracle.p_value(known, score(*pair) - 1e-6) for pair in zip(*tested, strict=True)]
    np.testing.assert_allclose(found, expected, atol=2.01 / 26)  # half precision may swap neighbours
    assert np.abs(found - expected).mean() < 0.02


def test_false_alarms_over_many_draws():
    """200 data sets of 99 held-out pictures each: 5% of the tested are marked, within four standard errors."""
    rng = np.random.default_rng(3)
    marked = []
    for _ in range(200):
        tests = Pictures.fit(made_up(rng, 50), made_up(rng, 99))
        marked.append((tests.p_values(*made_up(rng, 50)) <= 0.05).mean())
    assert np.mean(marked) == pytest.approx(0.05, abs=4 * np.std(marked) / 200**0.5)


def test_what_lies_far_away_gets_the_least_p_value():
    rng = np.random.default_rng(4)
    tests = Pictures.fit(made_up(rng, 500), made_up(rng, 99))
    statistics, features = made_up(rng, 5)
    np.testing.assert_allclose(tests.p_values(statistics + 50, -features), 0.01, atol=0.015)
