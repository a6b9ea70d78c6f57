"""Phrases that describe a person, by what they tell: the questions that can be asked about a description.

Plain English, for photographs as well as for drawn people; what to ask next is chosen by
:mod:`tireid.explain.questions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = (
    "black", "white", "grey", "red", "dark red", "pink", "orange", "yellow", "beige", "brown", "olive green", "green",
    "teal", "light blue", "blue", "dark blue", "purple",
)  # fmt: skip


@dataclass(frozen=True)
class Slot:
    """One thing that a description may tell, and the phrases that tell it."""

    name: str
    question: str
    phrases: tuple[str, ...]
    """Such as "carrying a backpack": what :func:`add_phrase` takes."""
    nouns: frozenset[str]
    """Words and pairs of words; any of them mentions the slot, unless `adjectives` are given."""
    adjectives: frozenset[str] = frozenset()
    """Any of these in the phrase that ends with a noun mentions the slot."""


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(","))


_COLOUR_WORDS = _words(
    "black, inky, white, grey, gray, charcoal, silver, red, crimson, scarlet, maroon, burgundy, wine, pink, rose, "
    "salmon, orange, tangerine, yellow, mustard, lemon, golden, gold, beige, cream, tan, sand, brown, chocolate, "
    "chestnut, coffee, olive, khaki, army, moss, green, emerald, teal, turquoise, blue, navy, cobalt, purple, violet, "
    "plum, lilac"
)
_HAIR_COLOURS = _words(
    "black, dark, raven, brown, brunette, blonde, blond, fair, golden, red, ginger, auburn, grey, gray, greying, "
    "white, snowy"
)
_HAIR_STYLES = _words(
    "short, cropped, cut, curly, curls, frizzy, bob, medium-length, chin-length, chin, long, flowing, ponytail, "
    "ponytailed, bun, bald, shaved, braided"
)
_TOP_KINDS = _words(
    "t-shirt, tshirt, tee, tank top, sleeveless top, hooded top, knitted top, singlet, polo, shirt, blouse, sweater, "
    "jumper, pullover, sweatshirt, hoodie, hoody, jacket, windbreaker, blazer, coat, overcoat, vest, waistcoat, gilet, "
    "cardigan, dress, frock, gown, suit, knit"
)
_LOWER_KINDS = _words(
    "trousers, pants, slacks, jeans, denims, sweatpants, joggers, leggings, tights, shorts, skirt, jogging bottoms"
)
_SHOE_KINDS = _words(
    "sneakers, trainers, running shoes, sports shoes, tennis shoes, leather shoes, dress shoes, loafers, boots, "
    "wellies, sandals, open shoes, flip-flops, heels, pumps, flats, flat shoes, ballerinas, slip-on shoes, "
    "high-heeled shoes"
)
_BAG_KINDS = _words(
    "backpack, rucksack, school bag, knapsack, shoulder bag, messenger bag, cross-body bag, satchel, handbag, "
    "hand bag, ladies bag, purse, tote bag, tote, large bag, cloth bag, shopper, suitcase, trolley case, travel case, "
    "shopping bag, paper bag, carrier bag, plastic bag"
)
_HAT_KINDS = _words(
    "cap, hat, beanie, helmet, headscarf, hijab, sun hat, wide-brimmed hat, floppy hat, woolly hat, winter hat, hood"
)
_TOPS, _LOWERS = _TOP_KINDS | _words("top, garment, outerwear, outer layer"), _LOWER_KINDS | {"bottoms"}
_SHOES, _BAGS, _HATS = _SHOE_KINDS | {"shoes", "footwear"}, _BAG_KINDS | {"bag", "case"}, _HAT_KINDS | {"head covering"}
_HAIR = _words("hair, bob, ponytail, bun, curls, head")
_NECK = _words("scarf, shawl, tie, necktie, belt, headphones, headset, face mask, surgical mask, mask")
_NOUNS = frozenset(noun.split()[-1] for noun in _TOPS | _LOWERS | _SHOES | _BAGS | _HATS | _HAIR | _NECK)


def _each(template: str, choices: str) -> tuple[str, ...]:
    return tuple(template.format(choice.strip()) for choice in choices.split(","))


def _coloured(name: str, question: str, template: str, nouns: frozenset[str]) -> Slot:
    phrases = (template.format(colour) for colour in COLOURS)
    spelt = tuple(re.sub(r"\ba (?=[aeiou])", "an ", phrase) for phrase in phrases)
    return Slot(name, question, spelt, nouns, _COLOUR_WORDS)


BANK: tuple[Slot, ...] = (
    Slot("person", "Man or woman?", ("a man", "a woman"), _words(
        "man, men, guy, gentleman, male, fellow, bloke, boy, he, his, woman, women, lady, female, girl, she, her"
    )),
    Slot("build", "Which build?", ("a slim person", "a heavy person"), _words(
        "slim, thin, slender, skinny, stout, heavy-set, heavy, plump, stocky, large, fat"
    )),
    Slot("hair", "Which hair?", (
        *_each("with {} hair", "short, curly, chin-length, long"), "with a ponytail", "with hair in a bun",
        "with a bald head",
    ), _HAIR, _HAIR_STYLES),
    Slot("hair colour", "Which colour of hair?", _each("with {} hair", "black, brown, blonde, red, grey, white"), _HAIR,
         _HAIR_COLOURS),
    Slot("top", "Which garment on top?", _each(
        "wearing a {}", "t-shirt, tank top, polo shirt, shirt, sweater, hoodie, jacket, blazer, puffer jacket, coat, "
        "vest, cardigan, dress"
    ), _TOP_KINDS),
    _coloured("top colour", "Which colour on top?", "wearing a {} top", _TOPS),
    Slot("pattern", "Which pattern on top?", (
        "wearing a plain top", "wearing a striped top", "wearing a checked top", "wearing a dotted top",
        "wearing a top with a print", "wearing a two-tone top",
    ), _words(
        "plain, striped, stripy, banded, checked, plaid, chequered, tartan, dotted, polka-dot, spotted, two-tone, "
        "colour-block, two-coloured, logo, print, graphic, design, emblem"
    )),
    Slot("bottoms", "Which trousers or skirt?", (
        *_each("wearing {}", "trousers, jeans, sweatpants, leggings, shorts"), "wearing a skirt", "wearing a long skirt"
    ), _LOWER_KINDS | _words("dress, frock, gown")),
    _coloured("bottoms colour", "Which colour of trousers or skirt?", "wearing {} bottoms", _LOWERS),
    Slot("shoes", "Which shoes?",
         _each("wearing {}", "sneakers, leather shoes, boots, sandals, high heels, flat shoes"), _SHOE_KINDS),
    _coloured("shoe colour", "Which colour of shoes?", "wearing {} shoes", _SHOES),
    Slot("bag", "Which bag?", _each(
        "carrying a {}", "backpack, shoulder bag, handbag, tote bag, suitcase, shopping bag"
    ), _BAG_KINDS),
    _coloured("bag colour", "Which colour of bag?", "carrying a {} bag", _BAGS),
    Slot("headwear", "What on the head?", _each("wearing a {}", "cap, hat, beanie, helmet, headscarf"), _HAT_KINDS),
    _coloured("headwear colour", "Which colour of hat?", "wearing a {} hat", _HATS),
    Slot("glasses", "Which glasses?", _each("wearing {}", "glasses, sunglasses"), _words(
        "glasses, spectacles, eyeglasses, sunglasses, shades"
    )),
    Slot("accessory", "Which accessory?", (
        *_each("wearing a {}", "scarf, face mask, tie, belt"), "wearing headphones"
    ), _NECK),
    Slot("in hand", "What in the hand?", ("holding an umbrella", "holding a phone", "holding a cup"), _words(
        "umbrella, parasol, brolly, phone, smartphone, cup, hot drink"
    )),
)  # fmt: skip
"""What can be asked."""

_STARTS_PHRASE = _words(
    "a, an, the, his, her, their, with, in, on, of, over, under, wearing, wears, wear, carrying, holding, has, have, "
    "is, are, dressed, clad, clothed, also, pair"
)


def mentioned(text: str, slots: Sequence[Slot] = BANK) -> frozenset[str]:
    """Names of the slots that `text` already tells something about; vague words ("dark", "bag") do not count.

    >>> sorted(mentioned("A man in a red coat and jeans", BANK))
    ['bottoms', 'person', 'top', 'top colour']
    """
    tokens = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*|,", text.lower())
    return frozenset(slot.name for slot in slots if _mentions(tokens, slot))


def _mentions(tokens: Sequence[str], slot: Slot) -> bool:
    for i, token in enumerate(tokens):
        if token not in slot.nouns and f"{tokens[i - 1] if i else ''} {token}" not in slot.nouns:
            continue
        if token in _NOUNS and i + 1 < len(tokens) and tokens[i + 1] in _NOUNS:
            continue  # "dress shoes" are no dress
        if not slot.adjectives or _described(tokens[: i + 1], slot.adjectives):
            return True
    return False


def _described(tokens: Sequence[str], adjectives: frozenset[str]) -> bool:
    """Whether the noun phrase that `tokens` end with has one of `adjectives`."""
    listed = False
    for token in reversed(tokens):
        if token in _STARTS_PHRASE or (listed and token in _NOUNS):
            return False  # "black jeans and boots": the colour of the jeans
        if adjectives.intersection([token, *token.split("-")]):
            return True
        listed = listed or token in ("and", ",")
    return False


def label(phrase: str) -> str:
    """What a button shows for a phrase.

    >>> label("carrying a backpack"), label("with long hair")
    ('a backpack', 'long hair')
    """
    first, _, rest = phrase.partition(" ")
    return rest if first in ("wearing", "carrying", "holding", "with") and rest else phrase


def add_phrase(text: str, phrase: str) -> str:
    """`text` with a sentence that adds `phrase`; an empty text becomes the sentence alone.

    >>> add_phrase("A woman in a red coat", "carrying a backpack")
    'A woman in a red coat. She is carrying a backpack.'
    >>> add_phrase("", "with long hair")
    'The person has long hair.'
    """
    text, phrase = text.strip(), " ".join(phrase.split())
    if not phrase:
        raise ValueError("there is no phrase to add; expected something like 'carrying a backpack'")
    subject = _pronoun(text)
    first, _, rest = phrase.partition(" ")
    if first == "with" and rest:
        sentence = f"{subject} {'have' if subject == 'They' else 'has'} {rest}."
    else:
        sentence = f"{subject} {'are' if subject == 'They' else 'is'} {phrase}."
    if not text:
        return sentence
    return f"{text}{'' if text[-1] in '.!?' else '.'} {sentence}"


def _pronoun(text: str) -> str:
    words = set(re.findall(r"[a-z]+", text.lower()))
    he = words & {"man", "guy", "gentleman", "male", "fellow", "bloke", "boy", "he", "his"}
    she = words & {"woman", "lady", "female", "girl", "she", "her"}
    if bool(he) != bool(she):
        return "He" if he else "She"
    return "They" if words & {"they", "their"} else "The person"
