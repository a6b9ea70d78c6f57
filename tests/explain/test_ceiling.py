"""The ceiling against plain loops: shuffled rankings, and how often a describer really says what."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.notebooks.test_claims import ABLATION, ROOT, prose
from tireid.data import load_dataset
from tireid.explain.ceiling import stated_likelihood, text_ceiling
from tireid.pedestrians import attributes, describe, sample_person, write_dataset
from tireid.pedestrians.phrases import HABITS
from tireid.pedestrians.words import TYPES
from tireid.runner.notebook import read_notebook
from tireid.runner.parameters import read_parameters
from tireid.studies.statistics import estimate


@pytest.mark.parametrize("style", ["studio", "street", "night"])
def test_likelihoods_are_the_frequencies_of_a_describer(style: str) -> None:
    rng = np.random.default_rng(3)
    people = [sample_person(rng) for _ in range(12)]
    told, said = Counter(), Counter()
    for who, person in enumerate(people):
        for _ in range(1500):
            for key, value in describe(person, rng, style, ["front"]).mentioned.items():
                told[who, key] += 1
                said[who, key, value] += 1
    compared, wrong, expected = 0, 0, 0.0
    for (who, key, value), count in said.items():
        n, p = told[who, key], stated_likelihood(key, value, attributes(people[who]).get(key), HABITS[style])
        assert p > 0, (key, value)
        if key.endswith(".type") and value in TYPES and value != attributes(people[who])[key]:
            wrong, expected = wrong + count, expected + n * p
        if n > 100:
            compared += 1
            assert abs(count / n - p) < 5 * (p * (1 - p) / n) ** 0.5 + 0.01, (key, value, count / n, p)
    assert compared > 60
    assert abs(wrong - expected) <= 5 * expected**0.5 + 0.05 * expected


def test_the_ceiling_is_what_shuffled_rankings_reach(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, people=(1, 1, 6), images_per_person=2, style="night")
    truth_file = folder / "ground_truth.json"
    truth = json.loads(truth_file.read_text(encoding="utf-8"))
    images = [image for image in truth["images"] if image["split"] == "test"]
    twins = sorted({image["id"] for image in images})[:2]
    truth["people"][str(twins[1])] = truth["people"][str(twins[0])]  # two who cannot be told apart
    for image in images:
        if image["id"] == twins[1]:
            image["captions"] = images[0]["captions"]
    truth_file.write_text(json.dumps(truth), encoding="utf-8")
    found, rng, expected = text_ceiling(folder), np.random.default_rng(0), []
    for image in images:
        for caption in image["captions"]:
            scores = []
            for other in images:
                wears, product = truth["people"][str(other["id"])], 1.0
                for key, told in caption["mentioned"].items():
                    product *= stated_likelihood(key, told, wears.get(key), HABITS["night"])
                scores.append(product)
            hits = 0
            for _ in range(400):
                order = rng.permutation(len(images))
                first = max(order, key=lambda i, scores=scores: round(scores[i], 12))
                hits += images[first]["id"] == image["id"]
            expected.append(hits / 4)
    assert found["person"].tolist() == [image["id"] for image in images for _ in image["captions"]]
    np.testing.assert_allclose(found["hit"], expected, atol=12)
    assert found.loc[found["person"].isin(twins), "hit"].eq(50).all()
    assert found.loc[found["person"].isin(twins), "fit"].eq(2).all()


def test_data_without_ground_truth_has_no_ceiling(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        text_ceiling(tmp_path)


@pytest.mark.slow
def test_the_ceiling_of_the_default_test_people_is_what_notebook_10_says() -> None:
    found = text_ceiling(load_dataset("synthetic").folder)
    expected = estimate(found[["hit"]].T, found["person"])
    assert f"would reach {expected.mean:.2f}% R@1 ({expected.low:.1f} to {expected.high:.0f};" in prose(ABLATION)
    figures = [round(expected.mean, 2), round(expected.low, 1), round(expected.high, 1)]
    assert read_parameters(read_notebook(ROOT / ABLATION))["ceiling"].default == figures
