"""Which attribute to ask for next: the one whose mention would split the best results best.

For every slot of a bank of phrases (which bag, which colour of trousers ...) each picture t answers with probability
p(a | t), the softmax of its similarities with the phrases a of the slot; w_t is the softmax of the results' scores.
The gain of asking is the information that the answer has about which result is meant:

    gain = H(sum_t w_t p(. | t)) - sum_t w_t H(p(. | t))    bits

the expected reduction of entropy (Lindley, "On a measure of the information provided by an experiment", 1956). Its use
here is inferred. Temperatures are multiples of the standard deviation of similarities, so that they hold for models
whose similarities are spread otherwise; they were chosen on the validation people of the default data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tireid.explain.phrases import BANK, Slot, add_phrase, label, mentioned
from tireid.search.encoder import Encoder, encode
from tireid.search.features import Features, Floats, Ints, normalised_rows
from tireid.search.gallery import Gallery
from tireid.search.query import check_rows, describe

__all__ = ["BANK", "Option", "PhraseBank", "Slot", "Suggestion", "add_phrase", "label", "mentioned", "suggest"]

CONTEXT = "A person is walking."
"""What the phrases of a bank are added to before they are encoded: alone they are unlike any caption."""
ANSWER_TEMPERATURE = 0.6
"""Of p(a | t), in standard deviations of the pictures' similarities with a phrase."""
RESULT_TEMPERATURE = 0.2
"""Of w_t, in standard deviations of the gallery's similarities with the description."""
LEAST_GAIN = 0.1
"""A question that tells less, in bits, is not asked: it would split nothing."""
_SPREAD_SAMPLE = 1000
"""Pictures that the standard deviation is taken from: enough for two digits of it."""


@dataclass(frozen=True)
class PhraseBank:
    """Slots and the features of their phrases: encode once per model, pass to every :func:`suggest`."""

    slots: tuple[Slot, ...]
    features: tuple[Floats, ...]
    """Per slot (phrases, D), of length one."""

    @classmethod
    def encode(cls, model: Encoder, slots: Sequence[Slot] = BANK) -> Self:
        """All phrases through the text tower, in batches of 64.

        Raises:
            ValueError: a slot with fewer than two phrases, which cannot split anything.
        """
        for slot in slots:
            if len(slot.phrases) < 2:
                raise ValueError(f"slot {slot.name!r} has {len(slot.phrases)} phrases; a question needs two answers")
        sentences = [add_phrase(CONTEXT, phrase) for slot in slots for phrase in slot.phrases]
        if not sentences:
            return cls((), ())
        rows = normalised_rows(encode(model.encode_texts, sentences, batch_size=64), "phrase features")
        ends = np.cumsum([len(slot.phrases) for slot in slots])
        return cls(tuple(slots), tuple(np.split(rows, ends[:-1])))


@dataclass(frozen=True)
class Option:
    """One answer to a question."""

    phrase: str
    """For example "carrying a backpack": what :func:`add_phrase` takes."""
    label: str
    """For example "a backpack": what a button shows."""
    share: float
    """Expected share of the answer among the results, 0..1; over all phrases of the slot they sum to 1."""


@dataclass(frozen=True)
class Suggestion:
    """A question whose answer would split the results."""

    slot: str
    question: str
    options: tuple[Option, ...]
    """Likeliest first."""
    gain: float
    """Expected information about which result is meant, in bits, if the person has what is asked for."""


def suggest(
    gallery: Gallery,
    text: str,
    rows: Sequence[int] | Ints,
    k: int = 3,
    *,
    bank: PhraseBank | None = None,
    options: int = 6,
    feature: Features | None = None,
    least: float = LEAST_GAIN,
) -> list[Suggestion]:
    """The `k` questions that would split the results best, best first; those that `text` answers are left out.

    Fewer than `k` where fewer are open or tell enough, none for fewer than two results.

    Args:
        gallery: what was searched.
        text: the description.
        rows: (n,) rows of `gallery` that are shown, best first.
        k: how many questions.
        bank: encoded phrases; :meth:`PhraseBank.encode` is called where absent, which takes a second or more.
        options: at most so many answers each, the likeliest.
        feature: (D,) of `text`, where it is encoded already.
        least: gain in bits that a question must have.

    Raises:
        ValueError: a row outside the gallery, or `k` or `options` below 1.
    """
    shown = check_rows(rows, len(gallery))
    if k < 1 or options < 1:
        raise ValueError(f"k and options must be at least 1, not {k} and {options}")
    bank = PhraseBank.encode(gallery.model) if bank is None else bank
    told = mentioned(text, bank.slots)
    asked = [i for i, slot in enumerate(bank.slots) if slot.name not in told]
    if len(shown) < 2 or not asked:
        return []
    weights = _result_weights(gallery, text, shown, feature)
    temperature = ANSWER_TEMPERATURE * _phrase_spread(gallery, bank)
    found = []
    for i in asked:
        answers = _softmax(gallery.features[shown] @ bank.features[i].T, temperature)
        share, gain = information_gain(weights, answers)
        found.append(_suggestion(bank.slots[i], share, gain, options))
    worth = [suggestion for suggestion in found if suggestion.gain >= least]
    return sorted(worth, key=lambda suggestion: -suggestion.gain)[:k]


def information_gain(weights: Floats, answers: Floats) -> tuple[Floats, float]:
    """Expected share (A,) of every answer and the gain in bits of asking.

    Args:
        weights: (n,) probability of each result, summing to 1.
        answers: (n, A) probability of each answer given the result.

    >>> information_gain(np.array([0.5, 0.5]), np.eye(2))[1], information_gain(np.ones(1), np.array([[0.5, 0.5]]))[1]
    (1.0, 0.0)
    """
    share: Floats = weights @ answers
    return share, max(0.0, float(_entropy(share) - weights @ _entropy(answers)))


def _suggestion(slot: Slot, share: Floats, gain: float, options: int) -> Suggestion:
    likeliest = np.argsort(-share, kind="stable")[:options]
    answers = (Option(slot.phrases[i], label(slot.phrases[i]), float(share[i])) for i in likeliest)
    return Suggestion(slot.name, slot.question, tuple(answers), gain)


def _result_weights(gallery: Gallery, text: str, shown: Ints, feature: Features | None) -> Floats:
    """(n,) probability of each shown result, by its score."""
    scores = gallery.features @ describe(gallery.model, text, feature)
    weights: Floats = _softmax(scores[shown], RESULT_TEMPERATURE * float(scores.std()))
    return weights


def _phrase_spread(gallery: Gallery, bank: PhraseBank) -> float:
    """Standard deviation of the pictures' similarities with a phrase, around its mean."""
    sample = gallery.features[:: -(-len(gallery) // _SPREAD_SAMPLE)]
    scores = sample @ np.concatenate(bank.features).T
    return float((scores - scores.mean(axis=0)).std())


def _softmax(scores: Floats, temperature: float) -> Floats:
    """Over the last axis; uniform where the temperature is 0, since all scores are then equal."""
    shifted = (scores - scores.max(axis=-1, keepdims=True)) / temperature if temperature > 0 else np.zeros_like(scores)
    exponentials = np.exp(shifted)
    softmax: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return softmax


def _entropy(probabilities: Floats) -> Floats:
    """Over the last axis, in bits."""
    logarithms = np.log2(np.where(probabilities > 0, probabilities, 1.0))
    entropy: Floats = -(probabilities * logarithms).sum(axis=-1)
    return entropy
