"""Grounding and recovery agree with a slow oracle, and the bundled model is as grounded as the notebook says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.oracles import grounding as oracle
from tireid.data import Split, load_dataset
from tireid.explain.grounding import grounding, hide_words, recovery
from tireid.model import TIReID

pytestmark = pytest.mark.slow
QUERIES = ["masked", "right", "picture"]


def street(people: int, seed: int) -> Split:
    return load_dataset("synthetic", people=(1, 1, people), seed=seed).test


@pytest.fixture
def model() -> TIReID:
    return TIReID.from_pretrained("tiny-street").eval()


@pytest.fixture(scope="module")
def few() -> Split:
    return street(6, 1)


@pytest.fixture(scope="module")
def others() -> Split:
    return street(6, 2)


def paths(split: Split, others: Split) -> tuple[list, list]:
    """Of every caption: its own picture, and a stranger's."""
    own = [split.image_paths[index] for index in split.caption_image_index]
    return own, [others.image_paths[number % len(others.image_paths)] for number in range(len(own))]


@pytest.mark.parametrize("share", [None, 0.5], ids=["one word", "half"])
def test_hidden_words_are_those_of_plain_loops(model: TIReID, few: Split, others: Split, share: float | None) -> None:
    found = grounding(model, few, others, [share])
    masked = None if share is None else hide_words(model.tokenizer, few.captions, share).masked.input_ids
    for look, which in zip(("right", "wrong"), paths(few, others), strict=True):
        rows = oracle.guesses(model, few.captions, which, masked)
        expected = pd.DataFrame(rows, columns=["caption", "position", "kind", "right", "nats"])
        assert len(expected) > 20
        assert found["kind"].tolist() == expected["kind"].tolist()
        assert found["person"].tolist() == few.caption_person_ids[expected["caption"]].tolist()
        assert (found[look] == expected["right"]).mean() > 0.98  # a tie of two words may fall either way in float32
        np.testing.assert_allclose(found[f"nats {look}"], expected["nats"], atol=1e-3)


def test_recovery_is_that_of_plain_loops(model: TIReID, few: Split, others: Split) -> None:
    found = recovery(model, few, others, share=0.8, seed=3)
    generator = torch.Generator().manual_seed(3)
    masked = model.tokenizer.mask(model.tokenizer(few.captions, trim=True), 0.8, 1.0, 0.0, generator=generator)
    own, strangers = paths(few, others)
    expected = np.array(oracle.found(model, few.captions, few.caption_person_ids, own, masked.input_ids))
    np.testing.assert_array_equal(found[QUERIES], expected)
    assert 0 < found["masked"].mean() < 100
    wrong = oracle.found(model, few.captions, few.caption_person_ids, strangers, masked.input_ids)
    np.testing.assert_array_equal(found["wrong"], np.array(wrong)[:, 1])
    assert found["person"].tolist() == few.caption_person_ids.tolist()
