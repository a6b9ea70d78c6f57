"""One entry for all sources: what a name, a directory or a file is, told by what is in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tireid.basics.files import read_regular
from tireid.basics.hints import nearest
from tireid.basics.hub import is_hub_id
from tireid.data.text import Tokenizer
from tireid.model.io import huggingface, irra, openai, openclip, own
from tireid.model.io.files import read_tensors
from tireid.model.io.parts import Parts, Weights, assemble
from tireid.model.io.schema import CONFIG_LIMIT
from tireid.model.io.words import find_tokenizer, fit
from tireid.model.towers import CheckpointError, tower_configs
from tireid.options import Config

ASSETS = Path(__file__).parents[2] / "assets"
BUNDLED = ("tiny", "tiny-street")
FILES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")


def load(
    source: str | Path,
    config: Config | None = None,
    num_identities: int | None = None,
    tokenizer: Tokenizer | str | Path | None = None,
) -> Parts:
    """Find out what `source` is and read it; see :meth:`tireid.TIReID.from_pretrained`."""
    path = Path(os.path.expanduser(source))  # noqa: PTH111 (Path's raises for the ~ of nobody)
    try:
        path.exists()
    except OSError as error:  # a name that is too long
        raise CheckpointError(f"cannot read a CLIP model from {str(path)!r}: {error.strerror}") from None
    if str(source) in BUNDLED:
        path = ASSETS / source
        if not (path / own.CONFIG).is_file():
            raise CheckpointError(f"the bundled model is missing from {path}; reinstall tireid")
    elif path.is_file() or (path.suffix in FILES and not path.exists()):
        return load_file(path, config, num_identities, tokenizer)
    elif is_hub_id(source):
        return huggingface.load_hub(str(source), config, num_identities, tokenizer)
    return _load_directory(path, config, num_identities, tokenizer)


def load_file(
    path: Path, config: Config | None, num_identities: int | None, tokenizer: Tokenizer | str | Path | None
) -> Parts:
    """Somebody else's file of weights; text is cleaned as in the code that they come from."""
    try:
        weights = sniff(path)
    except CheckpointError as error:
        if str(path) in str(error):
            raise
        raise CheckpointError(f"{path}: {error}") from error
    words = find_tokenizer(tokenizer, path.parent, cached=True)
    positions = tower_configs(weights.clip_config)[1].max_position_embeddings
    return assemble(weights, path, config, num_identities, fit(words.cleaned(), positions))


def sniff(path: Path) -> Weights:
    """Read a file and tell whose it is by its keys; :class:`CheckpointError` if nobody's that is known here."""
    state = read_tensors(path)
    if irra.is_irra(state):
        return irra.read(state, path)
    if irra.is_tbps(state):
        return irra.read_tbps(state, path)
    if any(name.startswith(("vision_model.", "backbone.vision_model.")) for name in state):
        raise CheckpointError(f"{path} is the weights of a directory: pass {path.parent}, with its config.json")
    if all(name in state for name in openai.SIZES):
        return openai.read(state, path)
    return openclip.read(state, path)


def _load_directory(
    path: Path, config: Config | None, num_identities: int | None, tokenizer: Tokenizer | str | Path | None
) -> Parts:
    file = path / "config.json"
    if file.is_file():
        read = own.load if _model_type(file) == own.MODEL_TYPE else huggingface.load
        return read(path, config, num_identities, tokenizer)
    found = openclip.weights_file(path)
    if found is not None:
        return load_file(found, config, num_identities, tokenizer)
    there = sorted(found.name for ending in FILES for found in path.glob(f"*{ending}"))
    fix = f"; if {there[0]} in it is meant, give that" if there else ""
    what = f"has no config.json{fix}" if path.is_dir() else "is no regular file" if path.exists() else "does not exist"
    raise CheckpointError(
        f"cannot read a CLIP model from {str(path)!r}: it {what}. Expected a bundled one ({nearest(path, BUNDLED)}), a "
        f"directory with config.json and model.safetensors, a file of weights, or a hub id, owner/name"
    )


def _model_type(file: Path) -> str:
    """Whose directory it is."""
    try:
        tree: Any = json.loads(read_regular(file, CONFIG_LIMIT))
        return str(tree["model_type"]) if isinstance(tree, dict) and "model_type" in tree else "clip"
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} cannot be used: {error}") from error
