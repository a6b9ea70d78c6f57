"""Files that hold CLIP's vocabulary: a directory, a tokenizer.json, or the list of merges that OpenAI and IRRA ship.

What strangers wrote is validated here before any library sees it.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError
from tokenizers import pre_tokenizers

from tireid.basics.files import read_regular, utf8_json
from tireid.basics.hub import hub_folder, is_hub_id
from tireid.basics.section import Strict, explain

BOS, EOS, SUFFIX = "<|startoftext|>", "<|endoftext|>", "</w>"
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())  # CLIP's order: "!" has id 0
CLIP_CONTEXT_LENGTH = 77
MERGES_FILE = "bpe_simple_vocab_16e6.txt.gz"
CLIP_MERGES = 49152 - 256 - 2
"""How many of the merges in :data:`MERGES_FILE` CLIP uses: the first ones."""
NEEDED, WANTED = ("tokenizer.json|vocab.json",), ("merges.txt", "tokenizer_config.json")
LIMIT = 100 * 2**20
_MAX_CONTEXT = 10_000  # transformers writes 1e30 where there is none

Id = Annotated[int, Field(ge=0, lt=2**24)]


class VocabularyError(ValueError):
    """Files that are not CLIP's byte-pair encoding; names the file and the fix."""


@dataclass(frozen=True)
class Vocabulary:
    """What makes a :class:`tireid.data.Tokenizer`."""

    ids: dict[str, int]
    merges: list[tuple[str, str]]
    context_length: int = CLIP_CONTEXT_LENGTH
    cleaning: bool = False


class _Bpe(Strict):
    type: Literal["BPE"] = "BPE"
    vocab: dict[str, Id]
    merges: list[tuple[str, str] | str]
    end_of_word_suffix: Literal["</w>"]


class _TokenizerFile(Strict):
    model: _Bpe


class _VocabularyFile(RootModel[dict[str, Id]]):
    model_config = ConfigDict(strict=True)


class _Own(Strict):
    context_length: int = Field(ge=3, le=_MAX_CONTEXT)
    cleaning: bool = False


class _TokenizerConfig(Strict):
    model_max_length: int | float | None = None
    tireid: _Own | None = None


Model = TypeVar("Model", bound=BaseModel)


def read_vocabulary(source: str | Path) -> Vocabulary:
    """Read a directory (`tokenizer.json`, or `vocab.json` and `merges.txt`), one such file, or a hub id.

    A file of merges, plain or gzipped, such as :data:`MERGES_FILE`, is enough: CLIP's vocabulary is the 256 bytes, the
    same at the end of a word, one token per merge, start and end of text; its weights go with cleaned text (see
    :class:`tireid.data.Tokenizer`). Raises :class:`VocabularyError`, or OSError if there is no such file or hub id.
    """
    path = Path(source)
    if path.is_dir():
        return _read_directory(path)
    if is_hub_id(source):
        return _read_directory(hub_folder(str(source), NEEDED, WANTED))
    if not path.is_file():
        raise FileNotFoundError(f"no tokenizer at {path}: expected a directory, tokenizer.json or {MERGES_FILE}")
    if path.suffix == ".json":
        return _checked(path, _read_bpe(path))
    return _checked(path, _from_merges(path))


def _read_directory(folder: Path) -> Vocabulary:
    file = folder / "tokenizer_config.json"
    config = _parse(_TokenizerConfig, file) if file.is_file() else _TokenizerConfig()
    file = folder / "tokenizer.json"
    if file.is_file():
        found = _read_bpe(file)
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        file = folder / "vocab.json"
        merges = folder / "merges.txt"
        found = Vocabulary(_parse(_VocabularyFile, file).root, _merges(_read(merges), merges))
    elif (folder / MERGES_FILE).is_file():
        return read_vocabulary(folder / MERGES_FILE)
    else:
        raise VocabularyError(f"{folder} has no tokenizer.json, no vocab.json with merges.txt and no {MERGES_FILE}")
    if config.tireid is not None:
        length, cleaning = config.tireid.context_length, config.tireid.cleaning
    else:
        limit = config.model_max_length or CLIP_CONTEXT_LENGTH
        length, cleaning = int(limit) if 3 <= limit <= _MAX_CONTEXT else CLIP_CONTEXT_LENGTH, False
    return _checked(file, Vocabulary(found.ids, found.merges, length, cleaning))


def _read_bpe(file: Path) -> Vocabulary:
    model = _parse(_TokenizerFile, file).model
    pairs = [pair if isinstance(pair, tuple) else _pair(pair, file) for pair in model.merges]
    return Vocabulary(model.vocab, pairs)


def _from_merges(path: Path) -> Vocabulary:
    merges = _merges(_read(path), path)[:CLIP_MERGES]
    tokens = [*BYTES, *(byte + SUFFIX for byte in BYTES), *(left + right for left, right in merges), BOS, EOS]
    return Vocabulary({token: id_ for id_, token in enumerate(tokens)}, merges, cleaning=True)


def _merges(content: bytes, path: Path) -> list[tuple[str, str]]:
    """The pairs, one a line, after a line with the version."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VocabularyError(f"{path} is no list of merges: {error}") from error
    lines = text.split("\n")[1:]
    return [_pair(line, path) for line in lines if line.strip()]


def _pair(line: str, path: Path) -> tuple[str, str]:
    left, space, right = line.rstrip("\r").partition(" ")
    if not (left and space and right) or " " in right:
        raise VocabularyError(
            f"{path} is no list of merges: expected two tokens and a space between, got {line[:60]!r}"
        )
    return left, right


def _checked(path: Path, found: Vocabulary) -> Vocabulary:
    """That every merge joins known tokens into a known one; the library below would panic."""
    ids = found.ids
    if BOS not in ids or EOS not in ids:
        raise VocabularyError(f"{path} is not a CLIP vocabulary: it has no {BOS} and {EOS}")
    if sorted(ids.values()) != list(range(len(ids))):
        raise VocabularyError(f"{path}: the ids of {len(ids)} tokens must be 0 to {len(ids) - 1}, each once")
    for left, right in found.merges:
        if left not in ids or right not in ids or left + right not in ids:
            raise VocabularyError(f"{path}: the merge {left!r} {right!r} or its parts are not in the vocabulary")
    return found


def _read(path: Path) -> bytes:
    """At most :data:`LIMIT` bytes, unpacked if gzipped."""
    content = read_regular(path, LIMIT)
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.open(path) as file:
            content = file.read(LIMIT + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise VocabularyError(f"{path} is a damaged gzip file ({error}); copy it again") from error
    if len(content) > LIMIT:
        raise VocabularyError(f"{path} unpacks to more than {LIMIT:,} bytes: it is no vocabulary")
    return content


def _parse(model: type[Model], path: Path) -> Model:
    try:
        return model.model_validate_json(utf8_json(_read(path)))
    except ValidationError as error:
        raise VocabularyError(f"{path} is not CLIP's byte-pair encoding: {explain(error)}") from error
