"""The gain of a question against its definition, the bank against itself and against what drawn captions tell."""

from __future__ import annotations

import itertools
from functools import partial
from math import log2

import numpy as np
import pytest

from tests.search.fakes import ColourModel
from tireid.explain import questions
from tireid.explain.phrases import BANK, COLOURS, Slot, add_phrase, label, mentioned
from tireid.explain.questions import CONTEXT, LEAST_GAIN, PhraseBank, information_gain
from tireid.pedestrians import describe, sample_person
from tireid.search import Gallery

suggest = partial(questions.suggest, least=0.0)
"""Every question, however little it tells: what is asked for a tenth of a bit is told by a test of its own."""

TOP = Slot("top", "Which top?", ("wearing red", "wearing blue"), frozenset({"shirt"}))
HAT = Slot("hat", "Which hat?", ("wearing green", "wearing yellow"), frozenset({"hat"}))


class SentenceModel(ColourModel):
    """Reads colours before a full stop, too, and remembers what it was given last."""

    texts: tuple[str, ...] = ()

    def encode_texts(self, texts, *, batch_size: int = 64):
        self.texts = tuple(texts)
        return super().encode_texts([text.replace(".", " ") for text in texts], batch_size=batch_size)


@pytest.fixture
def model() -> SentenceModel:
    return SentenceModel()


@pytest.fixture
def gallery(model: ColourModel) -> Gallery:
    """Red and blue pictures; none is green rather than yellow."""
    return Gallery(model, model.encode_texts(["red", "blue", "red", "blue", "black"]), list("abcde"))


@pytest.fixture
def bank(model: ColourModel) -> PhraseBank:
    return PhraseBank.encode(model, (HAT, TOP))


def test_gain_is_the_mutual_information_of_result_and_answer():
    rng = np.random.default_rng(0)
    weights, answers = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(3), size=5)
    share, gain = information_gain(weights, answers)
    total = 0.0
    for result, answer in itertools.product(range(5), range(3)):
        joint = weights[result] * answers[result, answer]
        marginal = sum(weights[r] * answers[r, answer] for r in range(5))
        assert share[answer] == pytest.approx(marginal)
        total += joint * log2(joint / (weights[result] * marginal))
    assert gain == pytest.approx(total)


def test_the_question_that_splits_the_results_comes_first(gallery, bank):
    first, second = suggest(gallery, "red and blue", [0, 1, 2, 3], bank=bank)
    assert (first.slot, second.slot) == ("top", "hat")
    assert first.gain > 2 * second.gain
    assert {option.phrase for option in first.options} == {"wearing red", "wearing blue"}
    assert sum(option.share for option in first.options) == pytest.approx(1)


def test_likeliest_answers_come_first(gallery, bank):
    top = suggest(gallery, "red and blue", [0, 2, 1], bank=bank)[0]
    assert [option.label for option in top.options] == ["red", "blue"]
    assert top.options[0].share > 0.5
    assert len(suggest(gallery, "red and blue", [0, 2, 1], bank=bank, options=1)[0].options) == 1


def test_weights_follow_the_scores(gallery, bank):
    """A red query makes the blue results unlikely, so that less is left to ask."""
    flat = suggest(gallery, "red and blue", [0, 1], 1, bank=bank)[0]
    red = suggest(gallery, "red", [0, 1], 1, bank=bank)[0]
    assert red.gain < flat.gain
    assert red.options[0].phrase == "wearing red"
    assert red.options[0].share > flat.options[0].share


def test_shares_and_gain_equal_a_loop(gallery, bank, model):
    shown = [1, 0, 4]
    found = {s.slot: s for s in suggest(gallery, "red and pink", shown, bank=bank)}
    scores = (gallery.features @ model.encode_texts(["red and pink"])[0].numpy()).astype(np.float64)
    spread = np.concatenate([gallery.features @ f.T for f in bank.features], axis=1)
    temperature = 0.6 * np.sqrt(np.mean([(column - column.mean()) ** 2 for column in spread.T]))
    weights = np.exp((scores[shown] - scores[1]) / (0.2 * scores.std()))
    weights /= weights.sum()
    for slot, features in zip(bank.slots, bank.features, strict=True):
        answers = np.exp(np.stack([gallery.features[row] @ features.T for row in shown]) / temperature)
        answers /= answers.sum(axis=1, keepdims=True)
        share, gain = information_gain(weights, answers)
        shares = {slot.phrases[i]: share[i] for i in range(2)}
        assert found[slot.name].gain == pytest.approx(gain, rel=1e-4)
        assert {o.phrase: o.share for o in found[slot.name].options} == pytest.approx(shares, rel=1e-4)


def test_what_the_text_tells_is_not_asked(gallery, bank):
    assert [s.slot for s in suggest(gallery, "a red shirt", [0, 1], bank=bank)] == ["hat"]
    assert suggest(gallery, "a red shirt and a hat", [0, 1], bank=bank) == []


def test_nothing_to_split_is_nothing_to_ask(model, bank):
    alone = Gallery(model, model.encode_texts(["red"]), ["a"])
    assert suggest(alone, "someone", [0], bank=bank) == []
    same = Gallery(model, model.encode_texts(["red", "red"]), ["a", "b"])
    assert all(s.gain == pytest.approx(0, abs=1e-9) for s in suggest(same, "someone", [0, 1], bank=bank))
    assert suggest(same, "someone", [0, 1], bank=PhraseBank((), ())) == []


def test_bank_is_encoded_where_it_is_absent(gallery):
    assert len(suggest(gallery, "\N{GRINNING FACE} <script>", [0, 1, 4], 2)) == 2


def test_phrases_are_encoded_in_their_context(model):
    bank = PhraseBank.encode(model, (TOP, HAT))
    assert model.texts[0] == "A person is walking. The person is wearing red."
    sentences = [[add_phrase(CONTEXT, phrase) for phrase in slot.phrases] for slot in (TOP, HAT)]
    assert model.texts == (*sentences[0], *sentences[1])
    for features, texts in zip(bank.features, sentences, strict=True):
        np.testing.assert_allclose(features, model.encode_texts(texts), atol=1e-6)


def test_wrong_arguments_are_named(gallery, bank, model):
    with pytest.raises(ValueError, match=r"rows must lie in 0\.\.4"):
        suggest(gallery, "someone", [0, 5], bank=bank)
    with pytest.raises(ValueError, match="at least 1"):
        suggest(gallery, "someone", [0, 1], 0, bank=bank)
    with pytest.raises(ValueError, match="needs two answers"):
        PhraseBank.encode(model, (Slot("x", "x?", ("wearing x",), frozenset()),))


@pytest.mark.parametrize("slot", BANK, ids=lambda slot: slot.name)
def test_a_phrase_of_the_bank_answers_its_own_question(slot):
    for phrase in slot.phrases:
        assert slot.name in mentioned(add_phrase(CONTEXT, phrase)), phrase
        assert slot.name not in mentioned(CONTEXT)
    labels = [label(phrase) for phrase in slot.phrases]
    assert len(set(labels)) == len(labels) >= 2


@pytest.mark.parametrize(
    ("text", "told", "untold"),
    [
        ("a man in black jeans and boots", {"bottoms", "bottoms colour", "shoes"}, {"shoe colour", "top"}),
        ("She has grey leather shoes.", {"shoes", "shoe colour", "person"}, {"bottoms", "top colour"}),
        ("silver grey dress shoes", {"shoes", "shoe colour"}, {"top"}),
        ("a dark jacket", {"top"}, {"top colour"}),
        ("long, black hair", {"hair", "hair colour"}, {"top colour"}),
        ("a red and white striped tank top", {"top", "top colour", "pattern"}, {"bottoms colour"}),
        ("a long red skirt", {"bottoms", "bottoms colour"}, {"hair", "top colour"}),
        ("an off-white cross-body bag", {"bag", "bag colour"}, set()),
        ("", set(), {slot.name for slot in BANK}),
    ],
)  # fmt: skip
def test_mentions(text, told, untold):
    found = mentioned(text)
    assert told <= found
    assert not untold & found


TOLD = {
    "bottoms colour": ("lower.colour", "lower.second"), "shoe colour": ("shoes.colour",), "bag": ("bag.type",),
    "bag colour": ("bag.colour",), "headwear colour": ("headwear.colour",), "hair colour": ("hair.colour",),
    "top colour": ("upper.colour", "upper.second", "upper.inner"),
    "in hand": ("umbrella.type", "phone.type", "cup.type"), "glasses": ("glasses.type", "sunglasses.type"),
    "person": ("gender",),
}  # fmt: skip


def test_mentions_agree_with_what_drawn_captions_tell():
    """The describer notes what it tells; the bank, which knows nothing of it, reads 98% of that and no more."""
    rng = np.random.default_rng(0)
    right = wrong = 0
    for _ in range(150):
        caption = describe(sample_person(rng), rng, "street", ["front"])
        found = mentioned(caption.text)
        for slot, keys in TOLD.items():
            told = any(key in caption.mentioned and key not in caption.vague for key in keys)
            right, wrong = right + (told == (slot in found)), wrong + (told != (slot in found))
    assert wrong / (right + wrong) < 0.02


@pytest.mark.parametrize(
    ("text", "phrase", "joined"),
    [
        ("a man in red", "carrying an orange bag", "a man in red. He is carrying an orange bag."),
        ("A lady walks!", "with long hair", "A lady walks! She has long hair."),
        ("They wear jeans.", "with a ponytail", "They wear jeans. They have a ponytail."),
        ("They wear jeans.", "holding a cup", "They wear jeans. They are holding a cup."),
        ("a man and a woman", "a slim person", "a man and a woman. The person is a slim person."),
        ("  ", "wearing  boots ", "The person is wearing boots."),
    ],
)
def test_added_phrases_make_sentences(text, phrase, joined):
    assert add_phrase(text, phrase) == joined


def test_no_phrase_is_an_error():
    with pytest.raises(ValueError, match="no phrase to add"):
        add_phrase("a man", " ")


def test_articles_fit():
    phrases = [phrase for slot in BANK for phrase in slot.phrases]
    assert not [phrase for phrase in phrases if " a o" in phrase or " an b" in phrase]
    assert "wearing an olive green top" in phrases
    assert len(COLOURS) == len(set(COLOURS))


def test_questions_that_tell_too_little_are_not_asked(gallery):
    same = Slot("same", "Which green?", ("wearing green", "wearing a green coat"), frozenset({"coat"}))
    bank = PhraseBank.encode(gallery.model, (TOP, HAT, same))
    every = suggest(gallery, "a person", range(5), k=9, bank=bank)
    gains = [suggestion.gain for suggestion in every]
    assert len(gains) == 3
    assert gains[-1] < LEAST_GAIN == 0.1
    for least in (gains[0] + 1e-9, gains[0], gains[1]):
        asked = questions.suggest(gallery, "a person", range(5), k=9, bank=bank, least=least)
        assert [suggestion.gain for suggestion in asked] == [gain for gain in gains if gain >= least]
    asked = questions.suggest(gallery, "a person", range(5), k=9, bank=bank)
    assert [suggestion.gain for suggestion in asked] == [gain for gain in gains if gain >= 0.1]
