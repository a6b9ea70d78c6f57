"""The tokenizer that belongs to weights: given, beside them, or in the cache."""

from __future__ import annotations

import copy
from pathlib import Path

from tireid.basics.hub import hub_folder
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import MERGES_FILE, NEEDED, WANTED, VocabularyError
from tireid.model.towers import CheckpointError
from tireid.options import DEFAULT_HUB_BACKBONE

FIX = (
    f"Pass tokenizer=, a directory with tokenizer.json or the file {MERGES_FILE} that comes with the code of OpenAI's "
    "CLIP and IRRA, or put that file beside the weights"
)


def find_tokenizer(given: Tokenizer | str | Path | None, folder: Path, *, cached: bool = False) -> Tokenizer:
    """`given`, or read from it if it is a path; else what lies in `folder`; with `cached` else CLIP's, if in the cache.

    Never asks the network unless `given` is a hub id. Raises :class:`CheckpointError` that says how to bring it.
    """
    if isinstance(given, Tokenizer):
        return given
    try:
        if given is not None:
            return Tokenizer.from_pretrained(given)
        if any((folder / name).exists() for name in ("tokenizer.json", "vocab.json", MERGES_FILE)):
            return Tokenizer.from_pretrained(folder)
        if cached:
            return Tokenizer.from_pretrained(hub_folder(DEFAULT_HUB_BACKBONE, NEEDED, WANTED, download=False))
    except (OSError, VocabularyError) as error:
        raise CheckpointError(f"the tokenizer is missing or damaged: {error}. {FIX}") from error
    raise CheckpointError(f"the tokenizer is missing from {folder}. {FIX}")


def fit(tokenizer: Tokenizer, positions: int) -> Tokenizer:
    """The same, with rows no longer than the text tower's position table."""
    if tokenizer.context_length <= positions:
        return tokenizer
    shorter = copy.copy(tokenizer)
    shorter.context_length = positions
    return shorter
