from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tireid.pedestrians import Item, attributes, describe, hidden_parts, sample_conditions, sample_person, visible
from tireid.pedestrians import words as vocabulary
from tireid.pedestrians.phrases import article, join


def told(style: str, count: int, seed: int = 0) -> list[tuple]:
    """(person, view, hidden parts, caption) of `count` random pictures."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        person, conditions = sample_person(rng), sample_conditions(rng, style, 1 + i % 8)
        hidden = hidden_parts(person, conditions)
        found.append((person, conditions.view, hidden, describe(person, rng, style, [conditions.view], hidden)))
    return found


STYLES = ("studio", "street", "night")


@pytest.mark.parametrize("style", STYLES)
def test_captions_are_long_and_varied_enough(style: str) -> None:
    texts = [caption.text for *_, caption in told(style, 800)]
    lengths = [len(text.split()) for text in texts]
    assert 18 <= np.mean(lengths) <= 30
    assert max(lengths) < 62
    distinct = {word for text in texts for word in re.findall(r"[a-z'-]+", text.lower())}
    assert len(distinct) >= (90 if style == "studio" else 250)
    assert len(set(texts)) > 0.95 * len(texts)


def test_the_street_has_words_that_the_studio_never_uses() -> None:
    plain, loose = ({w for *_, c in told(s, 600) for w in re.findall(r"[a-z'-]+", c.text.lower())} for s in STYLES[:2])
    assert len(loose - plain) > 150


@pytest.mark.parametrize("style", STYLES)
def test_captions_mention_only_what_can_be_seen(style: str) -> None:
    for person, view, hidden, caption in told(style, 500):
        assert set(caption.mentioned) <= set(visible(person, [view], hidden))


@pytest.mark.parametrize("style", STYLES)
def test_ground_truth_separates_true_vague_and_wrong(style: str) -> None:
    vague = wrong = 0
    for person, _, _, caption in told(style, 500):
        truth = attributes(person)
        for key, value in caption.mentioned.items():
            if key in caption.mistakes or key in caption.vague:
                assert value != truth[key]
            else:
                assert value == truth[key], key
        assert set(caption.vague) | set(caption.mistakes) <= set(caption.mentioned)
        assert not set(caption.vague) & set(caption.mistakes)
        vague, wrong = vague + bool(caption.vague), wrong + bool(caption.mistakes)
    if style == "studio":
        assert vague == wrong == 0
    else:
        assert 100 < vague < 400
        assert 40 < wrong < 250


@pytest.mark.parametrize("style", STYLES)
def test_the_text_says_what_the_ground_truth_says(style: str) -> None:
    """Read back from the text: every colour and thing noted as told is there in one of its words, and none else."""
    column = 0 if style == "studio" else 1
    words_of = {name: both[column] for name, both in vocabulary.COLOURS.items()}
    seen_words = {word for several in words_of.values() for word in several}
    for _, _, _, caption in told(style, 400):
        text, spoken = caption.text.lower(), set()
        for key, value in caption.mentioned.items():
            if (
                key.endswith((".colour", ".second", ".inner"))
                and not key.startswith("hair")
                and key not in caption.vague
            ):
                assert any(word in text for word in words_of[value]), (key, value, text)
                spoken |= set(words_of[value])
            if key.endswith(".type") and key not in caption.vague and key != "beard.type":
                assert any(word in text for word in vocabulary.TYPES[value][column]), (key, value, text)
        if style == "studio":  # plain words are unambiguous: no colour is named that was not noted
            clothes = re.sub(r"\b[\w-]+ (hair|ponytail|bob|bun)\b", " ", text)
            for word in sorted(seen_words - spoken, key=len):
                compound = any(word in other and word != other for other in spoken)
                assert compound or not re.search(rf"\b{word}\b", clothes), (word, text)


@pytest.mark.parametrize("style", STYLES)
def test_grammar(style: str) -> None:
    for person, _, _, caption in told(style, 1500):
        text = caption.text
        assert text == text.strip()
        assert "  " not in text
        assert " ," not in text
        assert " ." not in text
        assert text.endswith(".")
        assert all(sentence[0].isupper() for sentence in text.split(". "))
        assert not re.search(r"\ba [aeio]\w", text.replace("a one", ""), re.I), text
        assert not re.search(r"\ban [^aeiou]", text, re.I), text
        assert not re.search(r"\b(\w+) \1\b", text), text
        assert not re.search(r"\ba (?:[\w-]+ )?(?:trousers|jeans|sneakers|shorts|boots|sandals|glasses)\b", text), text
        assert not re.search(r"\bthey (?:is|has|wears)\b|\b(?:she|he) (?:are|have|wear)\b", text, re.I), text
        female = re.search(r"\b(she|her|woman|girl|lady|female)\b", text, re.I)
        male = re.search(r"\b(he|his|man|boy|guy|male|gentleman|fellow)\b", text, re.I)
        assert not (female if person.gender == "man" else male), text


def test_article_and_join() -> None:
    assert article("orange cap") == "an orange cap"
    assert article("blue cap") == "a blue cap"
    assert article("one-piece dress") == "a one-piece dress"
    assert join(["a"]) == "a"
    assert join(["a", "b", "c"]) == "a, b and c"


def test_descriptions_are_deterministic_and_checked() -> None:
    person = sample_person(np.random.default_rng(0))
    one, other = (describe(person, np.random.default_rng(5), "street", ["back"]) for _ in range(2))
    assert one == other
    with pytest.raises(ValueError, match="style must be one of"):
        describe(person, np.random.default_rng(0), "novel", ["back"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="views must be some of"):
        describe(person, np.random.default_rng(0), "street", ["under"])


@pytest.mark.parametrize("style", STYLES)
def test_a_caption_can_be_made_of_anything_that_is_left(style: str) -> None:
    rng = np.random.default_rng(2)
    of_all = {key.split(".")[0] for _ in range(200) for key in attributes(sample_person(rng))}
    everything = of_all - {"gender", "age", "build"}
    for keep in (set(), {"hair"}, {"bag"}, {"umbrella", "hair"}, {"scarf"}):
        for _ in range(20):
            person = sample_person(rng)
            caption = describe(person, rng, style, ["front"], everything - keep)
            assert caption.text.endswith(".")
            assert {key.split(".")[0] for key in caption.mentioned} <= keep | {"gender", "age", "build"}


def test_whoever_tells_little_still_tells_something_worn() -> None:
    """The street's sentences are built around clothes: with one garment left to tell, it is told."""
    rng = np.random.default_rng(0)
    held = (Item("scarf", "red"), Item("cup", "white"))
    person = replace(sample_person(rng), bag=Item("backpack", "blue"), hair=Item("short", "red"), headwear=None)
    person = replace(person, accessories=held)
    for _ in range(200):
        caption = describe(person, rng, "street", ["front"], ["upper", "lower", "shoes"])
        assert "scarf.type" in caption.mentioned
