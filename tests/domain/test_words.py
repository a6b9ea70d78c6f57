from __future__ import annotations

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import domain as oracle
from tireid.domain import Words, split_words

TRAINED = ["A man in a red coat.", "a woman in a blue coat", "The man has a red bag."]
LETTERS = string.ascii_letters + string.digits + " .,-'’äß男😀$_\t"


@given(st.text(LETTERS, max_size=40))
def test_words_are_runs_of_letters_digits_and_single_signs(text):
    assert split_words(text) == oracle.words(text)


@given(st.text(max_size=30))
def test_any_text_can_be_split(text):
    assert all(word == word.lower() and word.strip() for word in split_words(text))


@pytest.fixture
def words() -> Words:
    rng = np.random.default_rng(0)
    return Words.fit(
        TRAINED, rng.normal(size=(3, 4)), ["a man in a coat", "The man in a blue coat"] * 10, np.eye(20, 4)
    )


def test_counts_are_those_of_the_captions(words):
    assert words.counts == {
        "a": 5, "man": 2, "in": 2, "red": 2, "coat": 2, "woman": 1, "blue": 1, "the": 1, "has": 1, "bag": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a man in a red coat", None),
        (
            "a woman astronaut in an orange suit",
            "4 of 7 words were never met in training: astronaut, an, orange, suit.",
        ),
        ("asdfgh", "1 of 1 words was never met in training: asdfgh."),
        ("红衣女人 😀", "2 of 2 words were never met in training: 红衣女人, 😀."),
        ("?!", "The description has no words."),
        ("x" * 60, "1 of 1 words was never met in training: " + "x" * 24 + "…."),
    ],
)
def test_words_that_were_never_met_are_named(words, text, sentence):
    assert words.sentence(text) == sentence


def test_pairs_that_were_never_met(words):
    assert words.new_pairs("a man has a coat") == [("a", "coat")]
    assert words.new_pairs("coat man") == [("", "coat"), ("coat", "man")]
    assert words.new_pairs("a teal coat") == []


def test_new_words_weigh_more_than_pairs_and_pairs_more_than_the_feature(words):
    near = words.features.rows[:1]
    far = -words.features.rows.mean(axis=0, keepdims=True)
    texts = ["a man in a red coat", "a man in a red coat", "a man has a coat", "coat man coat man coat", "a teal coat"]
    features = np.concatenate([near, far, near, near, near])
    assert np.all(np.diff(words.scores(texts, features)) > 0)


def test_p_values_are_ranks_among_held_out_captions(words):
    texts, features = ["a man in a red coat", "a teal coat", "?"], np.ones((3, 4), np.float32)
    expected = [oracle.p_value(list(words.held_out), score) for score in words.scores(texts, features)]
    np.testing.assert_allclose(words.p_values(texts, features), expected)
    assert words.p_values(texts, features)[1:] == pytest.approx(1 / 21)


def test_without_held_out_captions_nothing_is_marked():
    bare = Words.fit(TRAINED, np.eye(3), [], np.zeros((0, 3)))
    assert bare.p_values(["a teal coat"], np.ones((1, 3), np.float32)).tolist() == [1.0]
    assert bare.sentence("a teal coat") == "1 of 3 words was never met in training: teal."
