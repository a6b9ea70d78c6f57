"""A `CLIPModel` of transformers: a directory with config.json and safetensors, or its hub id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tireid.basics.files import read_regular
from tireid.basics.hub import hub_folder
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import WANTED
from tireid.model.io.files import read_tensors, to_safetensors, without_prefix
from tireid.model.io.parts import Parts, check_architecture, check_words, filled_towers, set_activation
from tireid.model.io.schema import CONFIG_LIMIT, ClipDescription, parse
from tireid.model.io.words import find_tokenizer, fit
from tireid.model.towers import WORDS, CheckpointError, listing, patch_size, square_grid, tower_configs
from tireid.options import Config

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
NEEDED = ("config.json", f"{WEIGHTS}|{INDEX}")
UNREAD = (".bin", ".ckpt", ".h5", ".msgpack", ".pt", ".pth", ".safetensors")
"""Of weights that other programs read, or under other names."""
NOT_WEIGHTS = (
    "logit_scale",
    "text_model.embeddings.position_ids",
    "vision_model.embeddings.position_ids",
)


def load_hub(
    name: str, config: Config | None, num_identities: int | None, tokenizer: Tokenizer | str | Path | None
) -> Parts:
    """Download a hub id, or find it in the cache, and read it; :class:`CheckpointError` says what is missing."""
    wanted = ("model-*.safetensors", "tokenizer.json", "vocab.json", *WANTED)
    try:
        folder = hub_folder(name, NEEDED, wanted)
    except OSError as error:
        raise CheckpointError(
            f"{error}. Expected a CLIP model with config.json and safetensors that can be downloaded or is in the "
            "cache; without a network, pass a directory that holds its files"
        ) from error
    return load(folder, config or Config.preset("paper", backbone=name), num_identities, tokenizer)


def load(
    path: Path, config: Config | None, num_identities: int | None, tokenizer: Tokenizer | str | Path | None
) -> Parts:
    """Read a directory; every weight of the towers must be there, and all become float32.

    Raises :class:`CheckpointError` naming the file and what does not fit.
    """
    clip_config = parse(ClipDescription, path / "config.json").clip_config()
    config = config or Config.preset("paper", backbone=str(path))
    set_activation(clip_config, config.activation)
    state = {name: value for name, value in read_directory(path).items() if name not in NOT_WEIGHTS}
    text = tower_configs(clip_config)[1]
    words = fit(find_tokenizer(tokenizer, path), text.max_position_embeddings)
    try:
        side = square_grid(clip_config)[0] * patch_size(clip_config)
        shapes = {name: tuple(value.shape) for name, value in state.items()}
        check_architecture(clip_config, (side, side), text.vocab_size, shapes)
        check_words(clip_config, len(state[WORDS]), words)
        backbone = filled_towers(clip_config, config, words, state, square_grid(clip_config))
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Parts(backbone, words, config, num_identities, path)


def read_directory(path: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors, or of the files that its index lists; if both are there, they must be alike."""
    index = path / INDEX
    if (path / WEIGHTS).is_file():
        state = read_tensors(path / WEIGHTS)
        if index.is_file():
            _check_same(state, index)
        return state
    if index.is_file():
        return _read_parts(index)
    raise CheckpointError(_no_weights(path))


def _read_parts(index: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    for name in _files(index):
        part = read_tensors(index.with_name(name))
        if twice := state.keys() & part.keys():
            raise CheckpointError(
                f"{index.with_name(name)} has weights that another file of {INDEX} has: {listing(twice)}"
            )
        state |= part
    return without_prefix(state)


def _check_same(state: dict[str, Tensor], index: Path) -> None:
    """Nobody can tell which of two different sets is meant; an index whose files are not there is no second set."""
    try:
        parts = _read_parts(index)
    except CheckpointError:
        return
    same = state.keys() & parts.keys()
    differ = (state.keys() ^ parts.keys()) | {name for name in same if not torch.equal(state[name], parts[name])}
    if differ:
        raise CheckpointError(
            f"{index.parent} has two sets of weights, {WEIGHTS} and the files of {INDEX}, and they differ in "
            f"{listing(differ)}; remove the set that is not meant"
        )


def _no_weights(path: Path) -> str:
    """What is there instead of weights, and what to do."""
    pickled = path / "pytorch_model.bin"
    if pickled.is_file():
        command = to_safetensors(pickled, path / WEIGHTS)
        return f"{path} has no {WEIGHTS}, only {pickled.name}, a pickle. Convert it once: {command}"
    there = sorted(file.name for file in path.iterdir() if file.suffix.lower() in UNREAD)
    trained = " or ".join(str(path / name) for name in ("best", "last") if (path / name / WEIGHTS).is_file())
    if trained:
        fix = f"it is the folder of a training: give {trained}"
    elif any(name.startswith("model-") and name.endswith(".safetensors") for name in there):
        fix = f"{there[0]} is a part of them: copy {INDEX}, which lists all parts, there"
    else:
        fix = f"copy it there ({', '.join(there[:3])} cannot take its place)" if there else "copy it there"
    return f"{path} has a config.json but no {WEIGHTS}; {fix}"


def _files(index: Path) -> list[str]:
    """The names in an index: files beside it and no others."""
    try:
        tree: Any = json.loads(read_regular(index, 16 * CONFIG_LIMIT))
        names = sorted(set(tree["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{index} is no index of weights ({type(error).__name__}: {error})") from error
    if not names:
        raise CheckpointError(f"{index} lists no files: the download did not finish; fetch it again")
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(f"{index} lists {name!r}: expected names of safetensors files beside it")
        if not os.path.isfile(index.with_name(name)):  # noqa: PTH113 (Path's raises for a name that is too long)
            raise CheckpointError(f"{index} lists {name!r}, and there is no such file beside it; fetch it too")
    return names
