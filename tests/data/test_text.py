"""Tokenizer and masking, against transformers' own CLIP tokenizer and binomial statistics."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from tireid.data import SpecialIds, Tokenizer, eot_positions, mask_tokens, real_token_mask, word_mask

TEXTS = [
    "a man in a red coat, it's raining",
    "A Woman wearing blue jeans and a red hat",
    "the jekyll and hyde t-shirt, 2 bags",
]
ODD = [
    "A red  COAT\n it's",
    "jekyll",
    "穿红衣服的男人",
    "😀 naïve cafe\u0301",
    "",
    "   ",
    "<|mask|>",
    "<|endoftext|> <|startoftext|>",
    "</w> a</w>",
    "!",
    "x = {'a': [1, 2]}",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS * 3, vocab_size=600, context_length=48)


@pytest.fixture(scope="module")
def clip_folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vocab.json and merges.txt as a CLIP model on the hub has them."""
    saved = tmp_path_factory.mktemp("saved")
    tokenizer.save_pretrained(saved)
    model = json.loads((saved / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    folder = tmp_path_factory.mktemp("clip")
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_conventions_of_clip(tokenizer: Tokenizer) -> None:
    ids = tokenizer(["a red coat", "!"])
    assert ids.dtype == torch.int64
    assert ids.shape == (2, 48)
    assert tokenizer.tokens(ids[1]) == ["<|startoftext|>", "!</w>", "<|endoftext|>"]
    assert ids[:, 0].tolist() == [tokenizer.bos_id] * 2
    assert tokenizer.eos_id == tokenizer.bos_id + 1
    assert tokenizer.mask_id == tokenizer.eos_id + 1
    assert tokenizer.vocab_size == tokenizer.mask_id + 1 <= 600
    assert tokenizer.pad_id == 0
    assert tokenizer.tokens([0]) == ["!"]  # padding is a real token: real ones are told by position
    assert ids[0, 5:].tolist() == [0] * 43


@pytest.mark.parametrize("text", [t for t in ODD + TEXTS if "of" not in t or "text|" not in t])
def test_ids_equal_transformers_clip_tokenizer(tokenizer: Tokenizer, clip_folder: Path, text: str) -> None:
    expected = CLIPTokenizer.from_pretrained(clip_folder)(text)["input_ids"]
    assert tokenizer([text], trim=True)[0].tolist() == expected


def test_from_pretrained_reads_a_clip_folder_and_a_transformers_folder(
    tokenizer: Tokenizer, clip_folder: Path, tmp_path: Path
) -> None:
    CLIPTokenizer.from_pretrained(clip_folder, model_max_length=20).save_pretrained(tmp_path)
    plain, saved = Tokenizer.from_pretrained(clip_folder), Tokenizer.from_pretrained(tmp_path)
    assert (plain.context_length, saved.context_length) == (77, 20)
    for other in (plain, saved):
        assert torch.equal(other(ODD, 40), tokenizer(ODD, 40))
        assert (other.mask_id, other.eos_id) == (tokenizer.mask_id, tokenizer.eos_id)


def test_saved_tokenizer_is_the_same_and_transformers_reads_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)
    loaded = Tokenizer.from_pretrained(tmp_path)
    assert torch.equal(loaded(ODD), tokenizer(ODD))
    attributes = ("bos_id", "eos_id", "pad_id", "mask_id", "vocab_size", "context_length")
    assert [getattr(loaded, name) for name in attributes] == [getattr(tokenizer, name) for name in attributes]
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    loaded.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert set(first) == {"tokenizer.json", "tokenizer_config.json"}
    theirs = CLIPTokenizer.from_pretrained(tmp_path)(TEXTS[0])["input_ids"]
    assert tokenizer([TEXTS[0]], trim=True)[0].tolist() == theirs


def test_other_tokenizers_are_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers.models import WordLevel

    config = {"tireid": {"context_length": 8}}
    Backend(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="not CLIP's byte-pair encoding"):
        Tokenizer.from_pretrained(tmp_path)


@given(st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_any_text_survives(text: str) -> None:
    ids = TRAINED([text], context_length=400)[0]
    words = TRAINED.tokens(ids)[1:-1]
    assert not {"<|startoftext|>", "<|endoftext|>", "<|mask|>"} & set(words)
    import unicodedata

    normal = unicodedata.normalize("NFC", text).lower()
    assert "".join(TRAINED.decode(ids).split()) == "".join(normal.split())


TRAINED = Tokenizer.train(TEXTS, vocab_size=560)


@pytest.mark.parametrize("text", ["<|mask|>", "<|endoftext|>", "<|startoftext|> a man", "a <|EndOfText|> b"])
def test_special_strings_in_a_caption_are_text(tokenizer: Tokenizer, text: str) -> None:
    row = tokenizer([text])[0]
    end = int(eot_positions(row[None], tokenizer.eos_id))
    words = set(row[1:end].tolist())
    assert not words & {tokenizer.bos_id, tokenizer.eos_id, tokenizer.mask_id}
    assert "".join(tokenizer.decode(row).split()) == "".join(text.lower().split())


def test_jekyll_survives_and_the_mask_is_not_jekyll(tokenizer: Tokenizer) -> None:
    row = tokenizer(["jekyll"])[0]
    assert tokenizer.tokens(row) == ["<|startoftext|>", "jekyll</w>", "<|endoftext|>"]
    assert row[1] != tokenizer.mask_id
    hidden = tokenizer.mask(row[None], probability=1.0, mask_share=1.0, random_share=0.0)
    assert tokenizer.decode(hidden.input_ids[0]) == ""
    assert tokenizer.decode(hidden.input_ids[0], skip_special=False) == "<|startoftext|> <|mask|> <|endoftext|>"
    assert hidden.labels[0, 1] == row[1]


def test_truncation_keeps_the_end_last(tokenizer: Tokenizer) -> None:
    long = " ".join(["red"] * 100)
    ids = tokenizer([long, "red"], context_length=10)
    assert ids[0].tolist()[-1] == tokenizer.eos_id
    assert (ids[0] == tokenizer.eos_id).sum() == 1
    assert ids.shape == (2, 10)
    assert tokenizer.decode(ids[0]) == " ".join(["red"] * 8)


def test_trim_is_as_long_as_the_longest(tokenizer: Tokenizer) -> None:
    texts = ["red", "a red hat", ""]
    trimmed = tokenizer(texts, trim=True)
    assert trimmed.shape == (3, 5)
    assert torch.equal(trimmed, tokenizer(texts)[:, :5])
    assert tokenizer([]).shape == (0, 48)


@pytest.mark.slow
def test_training_is_deterministic_across_processes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    script = (
        "import sys; from tests.data.test_text import TEXTS; from tireid.data.text import Tokenizer; "
        "Tokenizer.train(TEXTS * 3, vocab_size=600, context_length=48).save_pretrained(sys.argv[1])"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "other")], check=True, cwd=root)
    tokenizer.save_pretrained(tmp_path / "own")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "other" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()


def test_misuse_is_explained(tokenizer: Tokenizer) -> None:
    with pytest.raises(TypeError, match=r"write \[text\]"):
        tokenizer("a man")
    with pytest.raises(ValueError, match="context_length must be at least 3"):
        tokenizer(["a"], context_length=2)
    with pytest.raises(ValueError, match="vocab_size must be at least 515"):
        Tokenizer.train(TEXTS, vocab_size=500)
    with pytest.raises(ValueError, match="id 99999 is not in the vocabulary"):
        tokenizer.tokens([99999])
    with pytest.raises(ValueError, match="row 1 of input_ids has no end of text"):
        eot_positions(torch.tensor([[7], [3]]), eos_id=7)


# ---- positions


def test_positions_by_hand() -> None:
    ids = torch.tensor([[6, 0, 0, 7, 0, 0], [6, 7, 7, 7, 7, 7], [6, 5, 4, 3, 2, 7]])  # zero is a word before the end
    assert eot_positions(ids, 7).tolist() == [3, 1, 5]
    assert real_token_mask(ids, 7).int().tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
    assert word_mask(ids, 7).int().tolist() == [[0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 0]]


# ---- masking

BOS, EOS, MASK, VOCAB = 20, 21, 22, 23


def captions(number: int, words: int, length: int = 40, seed: int = 0) -> torch.Tensor:
    """Rows of random words, the id of padding among them."""
    ids = torch.zeros(number, length, dtype=torch.int64)
    ids[:, 0] = BOS
    ids[:, 1 : words + 1] = torch.randint(0, 20, (number, words), generator=torch.Generator().manual_seed(seed))
    ids[:, words + 1] = EOS
    return ids


def draw(ids: torch.Tensor, seed: int = 0, **options: float):  # type: ignore[no-untyped-def]
    generator = torch.Generator().manual_seed(seed)
    return mask_tokens(ids, SpecialIds(BOS, EOS, MASK, VOCAB), generator=generator, **options)


def within(count: int, n: int, p: float) -> bool:
    """Within four standard deviations of a binomial."""
    return abs(count - n * p) < 4 * (n * p * (1 - p)) ** 0.5


def test_shares_of_masking() -> None:
    words, number = 30, 4000
    ids = captions(number, words)
    masked = draw(ids)
    chosen = masked.chosen
    # a caption of which none is drawn gets one: that happens with (1 - p)^words, 0.8% here
    expected = 0.15 + 0.85**words / words
    assert within(int(chosen.sum()), number * words, expected)
    n = int(chosen.sum())
    is_mask = (masked.input_ids == MASK) & chosen
    assert within(int(is_mask.sum()), n, 0.8)
    changed = (masked.input_ids != ids) & chosen & ~is_mask
    assert within(int(changed.sum()), n, 0.1 * 19 / 20)  # one random draw in twenty is the word itself
    per_position = chosen[:, 1 : words + 1].sum(0)
    assert all(within(int(count), number, expected) for count in per_position)


def test_random_words_are_uniform_over_ordinary_ids() -> None:
    ids = captions(2000, 30)
    masked = draw(ids, probability=1.0, mask_share=0.0, random_share=1.0)
    found = torch.bincount(masked.input_ids[:, 1:31].flatten(), minlength=VOCAB)
    assert found[20:].tolist() == [0, 0, 0]
    assert all(within(int(count), 60_000, 1 / 20) for count in found[:20])


def test_special_ids_in_the_middle_are_never_drawn() -> None:
    ids = torch.tensor([[2, *[0] * 2000, 5, 0]])
    generator = torch.Generator().manual_seed(0)
    special = SpecialIds(bos=2, eos=5, mask=3, vocab_size=8)
    found = mask_tokens(ids, special, probability=1, mask_share=0, random_share=1, generator=generator).input_ids
    assert found[0, 1:2001].unique().tolist() == [0, 1, 4, 6, 7]


def test_only_words_are_touched_and_labels_are_the_originals() -> None:
    ids = captions(200, 12)
    masked = draw(ids, probability=0.5)
    words = torch.zeros_like(ids, dtype=torch.bool)
    words[:, 1:13] = True
    assert not masked.chosen[~words].any()
    assert torch.equal(masked.input_ids[~masked.chosen], ids[~masked.chosen])
    assert torch.equal(masked.labels[masked.chosen], ids[masked.chosen])
    assert eot_positions(masked.input_ids, EOS).tolist() == [13] * 200


def test_every_caption_with_a_word_has_a_chosen_one() -> None:
    ids = torch.cat([captions(300, 1), captions(300, 5), captions(10, 0)])
    chosen = draw(ids, probability=0.0).chosen.sum(1)
    assert bool((chosen[:600] == 1).all())  # no lists: where they differ, pytest compares them for minutes
    assert bool((chosen[600:] == 0).all())
    forced = draw(captions(3000, 5), probability=0.0).chosen[:, 1:6].sum(0)
    assert all(within(int(count), 3000, 0.2) for count in forced)


def test_seed_repeats_and_input_is_left_alone() -> None:
    ids = captions(20, 12)
    before = ids.clone()
    first, again, other = draw(ids, 1), draw(ids, 1), draw(ids, 2)
    assert torch.equal(ids, before)
    assert torch.equal(first.input_ids, again.input_ids)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        draw(captions(1, 1), mask_share=0.8, random_share=0.3)


def hidden_words(texts: list[str], unit: str, **options: object) -> list[list[bool]]:
    """For every word of every text whether it was chosen; a word of which a part was chosen fails."""
    tokenizer = Tokenizer.train(TEXTS, vocab_size=560)
    ids = tokenizer(texts)
    chosen = tokenizer.mask(ids, unit=unit, generator=torch.Generator().manual_seed(3), **options).chosen
    found = []
    for row, hidden in zip(ids, chosen, strict=True):
        words: list[list[bool]] = [[]]
        for position, token in enumerate(tokenizer.tokens(row)[1:-1], 1):
            words[-1].append(bool(hidden[position]))
            if token.endswith("</w>"):
                words.append([])
        assert all(len(set(word)) == 1 for word in words[:-1])
        found.append([word[0] for word in words[:-1]])
        assert hidden.sum() == sum(map(sum, words))
    return found


def test_whole_words_are_chosen_with_their_probability() -> None:
    assert len(Tokenizer.train(TEXTS, vocab_size=560)(["burgundy"], trim=True)[0]) > 3  # a word of many pieces
    found = hidden_words(["a man in a burgundy coat , it 's a bag"] * 400, "word", probability=0.3)
    words = [word for row in found for word in row]
    assert within(sum(words), len(words), 0.3 + 0.7**11 / 11)
    assert within(sum(words[4::11]), 400, 0.3 + 0.7**11 / 11)


def test_function_words_and_punctuation_are_never_content() -> None:
    text = "a man in a burgundy coat , and it 's red"
    content = [False, True, False, False, True, True, False, False, False, False, True]
    found = hidden_words([text] * 300, "content", probability=0.4)
    assert not any(hidden and not tells for row in found for hidden, tells in zip(row, content, strict=True))
    hidden = sum(map(sum, found))
    assert within(hidden, 300 * 4, 0.4 + 0.6**4 / 4)
    assert hidden_words(["a the", "in a coat"], "content", probability=1.0) == [[True, True], [False, False, True]]


def test_every_caption_draws_its_own_share() -> None:
    found = hidden_words(["red " * 40] * 500, "word", probability=0.2, up_to=0.8)
    shares = torch.tensor([sum(row) / 40 for row in found])
    assert abs(shares.mean() - 0.5) < 4 * (0.03 / 500) ** 0.5 + 0.01
    assert abs(shares.var() - (0.36 / 12 + 0.22 / 40)) < 0.006  # of the uniform share, and binomial around it
    with pytest.raises(ValueError, match="up to"):
        hidden_words(["red"], "word", probability=0.5, up_to=0.4)


def test_masks_do_not_depend_on_padding() -> None:
    ids, noise = captions(20, 6), torch.rand(4, 20, 60, generator=torch.Generator().manual_seed(0))
    options = {"bos": BOS, "eos": EOS, "mask": MASK, "vocab_size": VOCAB}
    whole, trimmed = (mask_tokens(rows, SpecialIds(**options), generator=noise) for rows in (ids, ids[:, :8]))
    assert torch.equal(whole.input_ids[:, :8], trimmed.input_ids)
    assert torch.equal(whole.labels[:, :8], trimmed.labels)
