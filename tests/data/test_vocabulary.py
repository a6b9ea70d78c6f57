"""Vocabulary files, against a plain re-computation and transformers' own tokenizer."""

from __future__ import annotations

import gzip
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from tests.oracles import words as oracle
from tireid.data import Tokenizer
from tireid.data.text import clean
from tireid.data.vocabulary import CLIP_MERGES, VocabularyError, read_vocabulary

TEXTS = [
    "A man in a red coat; it's raining",
    "the woman’s “grey” bag &amp;amp; 2 hats",
    "ＦＵＬＬ－ｗｉｄｔｈ　ｃｏａｔ",
    "naïve café cafe\u0301 ﬁne",
    "doesnâ€™t wear a hat &lt;b&gt; &#39;s",
    "穿红衣服的男人 😀",
    "a <b> &amp;quot;c&amp;quot;",  # ftfy decodes no entities beside a tag: both decodings are needed
    "  \n\t ",
    "jekyll Σας İ",
    "<|mask|> </w>",
]


@pytest.fixture(scope="module")
def merges() -> list[tuple[str, str]]:
    trained = Tokenizer.train(TEXTS * 3 + ["a woman wearing a red coat and a red hat"] * 5, vocab_size=620)
    return json.loads(trained.files()["tokenizer.json"])["model"]["merges"]


@pytest.fixture(scope="module")
def file(merges: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "bpe_simple_vocab_16e6.txt.gz"
    lines = ["a line that names the version", *(" ".join(pair) for pair in merges)]
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


@pytest.mark.parametrize("text", TEXTS)
def test_a_file_of_merges_makes_clips_tokenizer(text: str, file: Path, merges: list[tuple[str, str]]) -> None:
    tokenizer = Tokenizer.from_pretrained(file)
    assert (tokenizer.context_length, tokenizer.cleaning) == (77, True)
    assert tokenizer.eos_id == 512 + len(merges) + 1
    ids = [tokenizer.bos_id, *oracle.encode(text, [tuple(pair) for pair in merges], cleaning=True), tokenizer.eos_id]
    assert tokenizer([text], 400, trim=True)[0].tolist() == ids
    plain = Tokenizer(read_vocabulary(file).ids, read_vocabulary(file).merges, 77)
    if "Σ" not in text:  # the tokenizers library lowers letter by letter, and a final sigma is another letter
        expected = oracle.encode(text, [tuple(pair) for pair in merges], cleaning=False)
        assert plain([text], 400, trim=True)[0, 1:-1].tolist() == expected


@given(text=st.text(st.characters(exclude_categories=["Cn", "Cs"]), max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_cleaned_as_by_the_plain_code(text: str, file: Path, merges: list[tuple[str, str]]) -> None:
    assume(all(unicodedata.category(c) != "Cn" for c in clean(text)))  # libraries know different versions of Unicode
    ids = oracle.encode(text, [tuple(pair) for pair in merges], cleaning=True)
    assert Tokenizer.from_pretrained(file)([text], 1000, trim=True)[0, 1:-1].tolist() == ids


def test_without_cleaning_it_is_transformers_tokenizer(file: Path, tmp_path: Path) -> None:
    found = read_vocabulary(file)
    (tmp_path / "vocab.json").write_text(json.dumps(found.ids), encoding="utf-8")
    pairs = "\n".join(" ".join(pair) for pair in found.merges)
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + pairs + "\n", encoding="utf-8")
    theirs, ours = CLIPTokenizer.from_pretrained(tmp_path), Tokenizer.from_pretrained(tmp_path)
    for text in TEXTS[:-1]:
        assert ours([text], 400, trim=True)[0].tolist() == theirs(text)["input_ids"]


def test_curly_quotes_entities_and_full_width_forms_are_what_irra_reads() -> None:
    assert clean("The man’s &amp;quot;ＢＡＧ&amp;quot;") == 'the man\'s "bag"'
    tokenizer = Tokenizer.train(["the man's coat"], vocab_size=560).cleaned()
    assert torch.equal(*tokenizer(["the man’s coat", "the man's coat"])[:, None])
    plain = Tokenizer.train(["the man's coat"], vocab_size=560)
    assert not torch.equal(*plain(["the man’s coat", "the man's coat"])[:, None])


def test_cleaning_is_saved(file: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_pretrained(file)
    tokenizer.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.cleaning
    assert torch.equal(again(TEXTS), tokenizer(TEXTS))


def test_only_clips_merges_are_used(tmp_path: Path) -> None:
    """The file has more lines than CLIP's vocabulary has merges."""
    letters = oracle.alphabet()
    pairs = [f"{a} {b}" for a in letters for b in letters][: CLIP_MERGES + 500]
    path = tmp_path / "merges.txt"
    path.write_text("version\n" + "\n".join(pairs), encoding="utf-8")
    found = read_vocabulary(path)
    assert len(found.merges) == 48_894
    assert len(found.ids) == 49_408


def tokenizer_json(**changes: Any) -> str:
    vocab = {"a": 0, "b": 1, "ab": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}
    model = {"type": "BPE", "vocab": vocab, "merges": [["a", "b"]], "end_of_word_suffix": "</w>"}
    return json.dumps({"model": model | changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tokenizer_json(type="WordLevel"), "not CLIP's byte-pair encoding"),
        (tokenizer_json(end_of_word_suffix=None), "not CLIP's byte-pair encoding.*end_of_word_suffix"),
        (tokenizer_json(vocab={"a": 0}), "has no .*startoftext"),
        (tokenizer_json(merges=[["a", "c"]]), "the merge 'a' 'c' or its parts are not in the vocabulary"),
        (tokenizer_json(merges=["a"]), "expected two tokens and a space between, got 'a'"),
        (tokenizer_json(vocab={"a": -1}), r"vocab\.a: Input should be greater"),
        (tokenizer_json(vocab={"a": 2**63}), r"vocab\.a"),
        (
            tokenizer_json(vocab={"a": 0, "<|startoftext|>": 7, "<|endoftext|>": 7}),
            "the ids of 3 tokens must be 0 to 2",
        ),
        ("[" * 100_000, "not CLIP's byte-pair encoding"),
        ("", "not CLIP's byte-pair encoding"),
    ],
)
def test_a_strangers_tokenizer_is_validated_first(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(VocabularyError, match=message) as error:
        Tokenizer.from_pretrained(tmp_path)
    assert "tokenizer.json" in str(error.value)


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"has no tokenizer\.json, no vocab\.json with merges\.txt and no bpe"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no tokenizer at .*absent"):
        Tokenizer.from_pretrained(tmp_path / "absent")
    cut = tmp_path / "bpe_simple_vocab_16e6.txt.gz"
    cut.write_bytes(file.read_bytes()[:100])
    with pytest.raises(VocabularyError, match="damaged gzip file"):
        Tokenizer.from_pretrained(cut)
    cut.write_bytes(b"version\nno pair")
    with pytest.raises(VocabularyError, match="merge 'no' 'pair'"):
        Tokenizer.from_pretrained(cut)
    cut.unlink()
    os.mkfifo(cut)
    with pytest.raises(FileNotFoundError):
        Tokenizer.from_pretrained(cut)
