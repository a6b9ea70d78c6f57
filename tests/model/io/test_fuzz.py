"""config.json and the tokenizer's files of strangers: whatever is in them, a model or a CheckpointError, and soon.

A long run: `TIREID_FUZZ=1000000 python -m pytest -s --slow --timeout=0 tests/model/io/test_fuzz.py`.
"""

from __future__ import annotations

import json
import os
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import CLIPModel

from tests.model.conftest import CAPTIONS, small_model
from tests.mutate import mutated
from tireid.data.text import Tokenizer
from tireid.model import CheckpointError, TIReID, tiny_clip_config
from tireid.model.io import own
from tireid.model.io.schema import ClipDescription, parse
from tireid.model.io.words import find_tokenizer

MANY = int(os.environ.get("TIREID_FUZZ", "20000"))
SECONDS = 1.0
Fixture = tuple[Path, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def folders(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Fixture]:
    """An own directory and a transformers one, and the trees of their JSON files."""
    words = Tokenizer.train(CAPTIONS, vocab_size=540, context_length=40)
    found = {}
    for kind in ("own", "clip"):
        folder = tmp_path_factory.mktemp(kind)
        if kind == "own":
            small_model(words, []).save_pretrained(folder)
        else:
            config = tiny_clip_config(words.mask_id, words.eos_id)
            for section in (config.vision_config, config.text_config):
                section.num_hidden_layers = 1
            CLIPModel(config).save_pretrained(folder)
            words.save_pretrained(folder)
        names = ("config.json", "tokenizer.json", "tokenizer_config.json")
        found[kind] = folder, {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in names}
    return found


def only_checkpoint_errors(call: Callable[[], object]) -> bool:
    """Whether it came through; no other exception (a panic is no Exception) and no long time is allowed."""
    start, message = time.process_time(), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except CheckpointError as error:
        message = str(error)
    assert time.process_time() - start < SECONDS
    assert len(message) < 10_000
    return not message


def whole(folder: Path) -> Callable[[], object]:
    return lambda: TIReID.from_pretrained(folder).encode_texts(["a man"])


def parsed(kind: str, name: str, folder: Path) -> Callable[[], object]:
    """The part of loading that reads this file."""
    if name != "config.json":
        return lambda: find_tokenizer(None, folder)(["a red coat"])
    if kind == "clip":
        return lambda: parse(ClipDescription, folder / name).clip_config()
    return lambda: own.read_config(own.read_description(folder / name), folder / name)


def run(folders: dict[str, Fixture], count: int, seed: int, entire: bool) -> float:
    """The share of `count` damaged files that came through."""
    rng = random.Random(seed)
    passed = 0
    targets = [(kind, name) for kind, (_, trees) in folders.items() for name in trees]
    for kind, name in targets:
        folder, trees = folders[kind]
        original = (folder / name).read_bytes()
        call = whole(folder) if entire else parsed(kind, name, folder)
        for _ in range(count // len(targets)):
            damaged = mutated(trees[name], rng)
            (folder / name).write_bytes(damaged)
            try:
                passed += only_checkpoint_errors(call)
            except BaseException as error:
                raise AssertionError(f"{kind} {name}: {type(error).__name__}: {error}\n{damaged[:2000]!r}") from error
        (folder / name).write_bytes(original)
    return passed / count


def test_damaged_json_gives_a_model_or_a_checkpoint_error(folders: dict[str, Fixture]) -> None:
    assert 0.02 < run(folders, 150, seed=1, entire=True) < 0.9  # both happen


def test_damaged_json_is_read_or_refused(folders: dict[str, Fixture]) -> None:
    assert 0.02 < run(folders, 1000, seed=2, entire=False) < 0.9


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_many_damaged_files(folders: dict[str, Fixture]) -> None:
    for begin in range(0, MANY, 10_000):
        count = min(10_000, MANY - begin)
        run(folders, count, seed=3 + begin, entire=False)
        run(folders, max(1, count // 50), seed=4 + begin, entire=True)
        print(f"checkpoints: {begin + count:,} inputs", flush=True)
