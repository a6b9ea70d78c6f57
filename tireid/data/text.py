"""Captions as token ids: CLIP's byte-pair encoding, trained here or read from a CLIP model."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import tokenizers
import torch
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from tireid.basics.files import write_atomically
from tireid.data.masking import FUNCTION_WORDS, MaskedTokens, SpecialIds, Unit, WordTable, mask_tokens
from tireid.data.vocabulary import BOS, BYTES, EOS, SUFFIX, read_vocabulary

MASK = "<|mask|>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Tokenizer:
    """CLIP's byte-pair encoding: NFC, white space collapsed, lower case, byte level, `</w>` ends a word.

    Any text can be encoded, and no text can become a special token: the encoder knows none, the ids of start and end
    are put around its output, and the mask token is a new id of its own. So a caption with "jekyll" (whose id the peers
    sacrifice) or with `<|endoftext|>` in it survives as words.

    With `cleaning`, a text goes through :func:`clean` first, as in the code of OpenAI, IRRA and open_clip: it is part
    of their weights. transformers' tokenizer leaves it out, and so do vocabularies that are read from its files.

    Attributes:
        bos_id, eos_id: start and end of text (CLIP: 49406, 49407).
        pad_id: fills up behind the end; 0 as in OpenAI's code.
        mask_id: one past the last id of the vocabulary (CLIP: 49408).
        vocab_size: number of ids, the mask included.
        context_length: ids per row, start and end included.

    Raises:
        ValueError: the vocabulary has no start and end of text, or a row has no room for them and one token.

    >>> tokenizer = Tokenizer.train(["a red coat", "a red hat"], vocab_size=530, context_length=8)
    >>> ids = tokenizer(["A red  COAT", "a hat"])
    >>> ids.shape, tokenizer.decode(ids[0])
    (torch.Size([2, 8]), 'a red coat')
    """

    def __init__(
        self, vocab: dict[str, int], merges: Sequence[tuple[str, str]], context_length: int, cleaning: bool = False
    ) -> None:
        """`vocab` holds every token, start and end included; `merges` in order of priority."""
        if context_length < 3:
            raise ValueError(f"context_length must be at least 3 (start, one token, end), got {context_length}")
        if BOS not in vocab or EOS not in vocab:
            raise ValueError(f"not a CLIP vocabulary: it has no {BOS} and {EOS}")
        model = models.BPE(vocab=vocab, merges=list(merges), continuing_subword_prefix="", end_of_word_suffix=SUFFIX)
        self._backend = _pipeline(model, cleaning)
        self._token = {id_: token for token, id_ in vocab.items()}
        self.bos_id, self.eos_id, self.pad_id = vocab[BOS], vocab[EOS], 0
        self.mask_id = max(vocab.values()) + 1
        self.vocab_size = self.mask_id + 1
        self.context_length = context_length
        self.cleaning = cleaning
        self._word_tables = self._tables()  # here, not when first needed: a compiled step would break at it

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 1000, context_length: int = 64) -> Tokenizer:
        """Learn a vocabulary of at most `vocab_size` ids (mask included) from `texts`; the same for the same texts.

        As in CLIP, it starts with the 256 bytes, the same with `</w>`, and ends with start and end of text.

        Raises:
            ValueError: `vocab_size` has no room for these.
        """
        base = [*BYTES, *(byte + SUFFIX for byte in BYTES)]
        if vocab_size < len(base) + 3:
            raise ValueError(f"vocab_size must be at least {len(base) + 3} (bytes, start, end, mask), got {vocab_size}")
        backend = _pipeline(models.BPE(continuing_subword_prefix="", end_of_word_suffix=SUFFIX))
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - 3,
            special_tokens=base,  # fixes their ids, so that the result does not depend on the order of a hash table
            end_of_word_suffix=SUFFIX,
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        vocab, merges = _vocabulary(backend)
        return cls(vocab | {BOS: len(vocab), EOS: len(vocab) + 1}, merges, context_length)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Tokenizer:
        """The tokenizer in a directory (of :meth:`save_pretrained` or of a CLIP model), a file or a model on the hub.

        A file is a `tokenizer.json`, or the `bpe_simple_vocab_16e6.txt.gz` that OpenAI's and IRRA's code brings (see
        :func:`tireid.data.vocabulary.read_vocabulary`). Raises ValueError naming the file if it is not CLIP's kind of
        byte-pair encoding; OSError if there is none.
        """
        found = read_vocabulary(source)
        return cls(found.ids, found.merges, found.context_length, found.cleaning)

    def cleaned(self) -> Tokenizer:
        """The same vocabulary, with `cleaning`."""
        if self.cleaning:
            return self
        return type(self)(*_vocabulary(self._backend), self.context_length, cleaning=True)

    def save_pretrained(self, directory: str | Path) -> None:
        """Write :meth:`files`; transformers' CLIP tokenizer reads them too."""
        for name, text in self.files().items():
            write_atomically(Path(directory) / name, text)

    def files(self) -> dict[str, str]:
        """Names and contents of what :meth:`save_pretrained` writes."""
        special = {"bos_token": BOS, "eos_token": EOS, "pad_token": EOS, "unk_token": EOS}
        ids = {"bos_id": self.bos_id, "eos_id": self.eos_id, "pad_id": self.pad_id, "mask_id": self.mask_id}
        config = {
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": self.context_length,
            **special,
            "tireid": {"context_length": self.context_length, "cleaning": self.cleaning, **ids},
        }
        return {
            "tokenizer.json": self._backend.to_str(pretty=True) + "\n",
            "tokenizer_config.json": json.dumps(config, indent=2) + "\n",
        }

    def __call__(self, texts: Sequence[str], context_length: int | None = None, *, trim: bool = False) -> Tensor:
        """Ids int64 (N, L), L = `context_length`; with `trim`, L is that of the longest text if that is less.

        A text that is too long loses its last tokens, and the end of text stays last. An empty text is start and end.
        Raises TypeError for a lone string.
        """
        if isinstance(texts, str):
            raise TypeError("expected a list of texts, got one string; write [text]")
        length = self.context_length if context_length is None else context_length
        if length < 3:
            raise ValueError(f"context_length must be at least 3 (start, one token, end), got {length}")
        spelled = [text.encode("utf-8", "replace").decode() for text in texts]  # halves of a character: question marks
        spelled = [clean(text) for text in spelled] if self.cleaning else spelled
        rows = [row.ids[: length - 2] for row in self._backend.encode_batch(spelled, add_special_tokens=False)]
        if trim:
            length = max((len(row) + 2 for row in rows), default=2)
        ids = np.full((len(rows), length), self.pad_id, dtype=np.int64)
        ids[:, 0] = self.bos_id
        for target, row in zip(ids, rows, strict=True):
            target[1 : len(row) + 1] = row
            target[len(row) + 1] = self.eos_id
        return torch.from_numpy(ids)

    def tokens(self, ids: Tensor | Sequence[int]) -> list[str]:
        """The tokens of one row, int64 (L), up to and including the end of text, as the vocabulary spells them.

        >>> tokenizer = Tokenizer.train(["red"], vocab_size=517)
        >>> tokenizer.tokens([tokenizer.bos_id, tokenizer.mask_id, tokenizer.eos_id, tokenizer.pad_id])
        ['<|startoftext|>', '<|mask|>', '<|endoftext|>']
        """
        row = [int(id_) for id_ in ids]
        end = row.index(self.eos_id) + 1 if self.eos_id in row else len(row)
        return [self._spell(id_) for id_ in row[:end]]

    def decode(self, ids: Tensor | Sequence[int], skip_special: bool = True) -> str:
        """The text of one row, int64 (L); special tokens (`<|mask|>`, ...) only with `skip_special=False`."""
        spaced = {token: _byte_level(f"{token} ") for token in (BOS, EOS, MASK)}
        kept = [token for token in self.tokens(ids) if not (skip_special and token in spaced)]
        pieces = [spaced.get(token) or _end_word(token) for token in kept]
        text: str = decoders.ByteLevel().decode(["".join(pieces)])
        return text.strip()

    def mask(
        self,
        input_ids: Tensor,
        probability: float = 0.15,
        mask_share: float = 0.8,
        random_share: float = 0.1,
        generator: torch.Generator | Tensor | None = None,
        up_to: float | None = None,
        unit: Unit = "token",
    ) -> MaskedTokens:
        """:func:`mask_tokens` of int64 (N, L) with this tokenizer's ids: tokens, words or telling words."""
        return mask_tokens(
            input_ids,
            SpecialIds(self.bos_id, self.eos_id, self.mask_id, self.vocab_size),
            probability=probability,
            up_to=up_to,
            mask_share=mask_share,
            random_share=random_share,
            words=None if unit == "token" else self._word_tables[unit],
            generator=generator,
        )

    def _tables(self) -> dict[Unit, WordTable]:
        """For whole words, and for those that are neither function words nor punctuation."""
        ends, skipped = [True] * self.vocab_size, [False] * self.vocab_size
        for id_, token in self._token.items():
            word = token.removesuffix(SUFFIX)
            ends[id_] = token.endswith(SUFFIX) or id_ == self.bos_id
            tells = word not in FUNCTION_WORDS and not word.startswith("'") and any(map(str.isalnum, word))
            skipped[id_] = token.endswith(SUFFIX) and not tells
        last, silent = torch.tensor(ends), torch.tensor(skipped)
        return {"word": WordTable(last, torch.zeros_like(silent)), "content": WordTable(last, silent)}

    def __repr__(self) -> str:
        return f"Tokenizer(vocab_size={self.vocab_size}, context_length={self.context_length})"

    def _spell(self, id_: int) -> str:
        if id_ == self.mask_id:
            return MASK
        if id_ not in self._token:
            raise ValueError(f"id {id_} is not in the vocabulary (0..{self.mask_id})")
        return self._token[id_]


def clean(text: str) -> str:
    """What OpenAI's, IRRA's and open_clip's tokenizers do before they split a text.

    ftfy mends wrong encodings, curly quotes, ligatures and full-width forms; HTML entities are decoded twice; white
    space collapses; lower case (source: IRRA, utils/simple_tokenizer.py).

    >>> clean("the man\u2019s  Coat &amp;amp; \uff22\uff21\uff27")
    "the man's coat & bag"
    """
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return re.sub(r"\s+", " ", text).strip().lower()


def _pipeline(model: models.BPE, cleaning: bool = False) -> tokenizers.Tokenizer:
    """CLIP's normalisation and word splitting around `model` (source: transformers' CLIPTokenizer).

    Cleaned text is normalised already.
    """
    backend = tokenizers.Tokenizer(model)
    if not cleaning:
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
    split = pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    return backend


def _vocabulary(backend: tokenizers.Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model: dict[str, Any] = json.loads(backend.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


def _byte_level(text: str) -> str:
    return "".join(
        piece for piece, _ in pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    )


def _end_word(token: str) -> str:
    return token.removesuffix(SUFFIX) + _byte_level(" ") if token.endswith(SUFFIX) else token
