"""This package's own directories: config.json, model.safetensors and the tokenizer's files."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor

from tireid.basics.files import atomic_path
from tireid.basics.section import Strict
from tireid.data.text import Tokenizer
from tireid.domain import Domain
from tireid.domain.record import FILE as DOMAIN
from tireid.model.io.files import metadata, read_shapes, read_tensors
from tireid.model.io.parts import (
    BACKBONE,
    Parts,
    Shapes,
    check_architecture,
    check_words,
    filled_towers,
    image_size,
    set_activation,
)
from tireid.model.io.schema import ClipDescription, parse
from tireid.model.io.words import find_tokenizer, fit
from tireid.model.passes import Model
from tireid.model.towers import WORDS, CheckpointError, check_finite, listing, patch_size
from tireid.options import Config, ConfigError

MODEL_TYPE = "tireid"
FORMAT_VERSION = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
INTERACTION = ("interaction.", "mlm_head.", "recovery_head.")
DIGEST = "tokenizer"
"""In the notes of the weights: the digest of the tokenizer they were saved with."""


Pixels = Annotated[int, Field(ge=1, le=8192)]


class _Version(Strict):
    format_version: int


class Description(Strict):
    """What config.json says."""

    model_type: Literal["tireid"]
    format_version: int
    image_size: tuple[Pixels, Pixels]
    num_identities: int | None = Field(None, ge=1, lt=2**31)
    config: dict[str, Any]
    clip_config: ClipDescription


def save(model: Model, directory: Path) -> None:
    """Write the directory; each file appears whole or not at all, config.json last.

    Raises :class:`CheckpointError` for weights that are not finite, before anything is touched: what was saved before
    stays.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    try:
        check_finite(weights)
    except CheckpointError as error:
        raise CheckpointError(f"not saved to {directory}: {error}") from error
    clip_config = model.backbone.clip_config.to_diff_dict()
    clip_config.pop("transformers_version", None)
    description = {
        "model_type": MODEL_TYPE,
        "format_version": FORMAT_VERSION,
        "image_size": list(model.backbone.image_size),
        "num_identities": model.num_identities,
        "config": model.config.to_dict(),
        "clip_config": clip_config,
    }
    files = {CONFIG: json.dumps(description, indent=2) + "\n", **model.tokenizer.files()}
    notes = {"format": "pt", DIGEST: _digest(files[TOKENIZER].encode())}
    with ExitStack() as renames:  # all are written, then all renamed, config.json last: without it there is no model
        for name, text in files.items():
            renames.enter_context(atomic_path(directory / name)).write_text(text, encoding="utf-8")
        save_file(weights, renames.enter_context(atomic_path(directory / WEIGHTS)), metadata=notes)
    if model.domain is None:
        (directory / DOMAIN).unlink(missing_ok=True)
    else:
        model.domain.save(directory)


def load(
    path: Path, config: Config | None, num_identities: int | None, tokenizer: Tokenizer | str | Path | None
) -> Parts:
    """Read a directory of :func:`save`; :class:`CheckpointError` names the file that is damaged or does not fit.

    Without `config` and `num_identities` the model is exactly the saved one; else the towers are kept, resampled to
    the new picture size, and so are the heads that fit.
    """
    saved = read_description(path / CONFIG)
    exact = config is None and num_identities is None
    people = saved.num_identities if num_identities is None else num_identities
    own_config = read_config(saved, path / CONFIG) if config is None else config
    clip_config = saved.clip_config.clip_config()
    set_activation(clip_config, own_config.activation)
    file = path / WEIGHTS
    words = fit(find_tokenizer(tokenizer, path), saved.clip_config.text_config.max_position_embeddings)
    try:
        if tokenizer is None:
            _check_same_save(path)
        shapes = read_shapes(file)
        towers = {name.removeprefix(BACKBONE): shape for name, shape in shapes.items() if name.startswith(BACKBONE)}
        if not towers:
            raise CheckpointError(f"its keys must begin with {BACKBONE!r}; it has {listing(sorted(shapes))}")
        height, width = saved.image_size
        for rows in (saved.clip_config.text_config.vocab_size, *towers.get(WORDS, ())[:1]):
            check_words(clip_config, rows, words)
        check_architecture(clip_config, (height, width), words.vocab_size, towers)
        if exact:
            _check_heads(own_config, people, (height, width), shapes)
        state = read_tensors(file)
        patch = patch_size(clip_config)
        own = {name.removeprefix(BACKBONE): value for name, value in state.items() if name.startswith(BACKBONE)}
        grid = height // patch, width // patch
        backbone = filled_towers(clip_config, own_config, words, own, grid, draw=not exact)
    except (ValueError, OSError) as error:
        raise CheckpointError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
    heads = {name: value for name, value in state.items() if not name.startswith(BACKBONE)}
    notes: tuple[str, ...] = ()
    if not exact:
        heads, notes = _wanted(heads, own_config, read_config(saved, path / CONFIG))
    same = tokenizer is None and image_size(own_config) == saved.image_size
    domain = Domain.load(path) if same else None
    return Parts(backbone, words, own_config, people, file, heads, notes=notes, exact=exact, domain=domain)


def _wanted(heads: dict[str, Tensor], config: Config, saved: Config) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Without the interaction encoder and its heads where `config` wants them anew, or built in another way."""
    kept = {name: value for name, value in heads.items() if not name.startswith(INTERACTION)}
    # What says how to start and what to read changes no weight.
    alike = [c.interaction.model_copy(update={"fresh": False, "attend_padding": False}) for c in (config, saved)]
    if config.interaction.fresh or len(kept) == len(heads):
        return kept, ()
    if alike[0] == alike[1]:
        return heads, ()
    return kept, ("config.interaction is not that of the file: the interaction encoder and its heads start fresh",)


def read_description(file: Path) -> Description:
    """Validate config.json; :class:`CheckpointError` names the file and each field."""
    version = parse(_Version, file).format_version
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{file}: format version {version}, this tireid reads {FORMAT_VERSION}; use the version that wrote it"
        )
    return parse(Description, file)


def read_config(saved: Description, file: Path) -> Config:
    """Its options; :class:`CheckpointError` names the file and the option."""
    try:
        return Config.from_stored(saved.config)
    except (ConfigError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be used: config: {str(error)[:500]}") from error


def _check_same_save(path: Path) -> None:
    """The tokenizer is the one that was saved with the weights: a save that was cut off leaves two."""
    file = path / TOKENIZER
    digest = metadata(path / WEIGHTS).get(DIGEST)
    if digest is not None and file.is_file() and _digest(file.read_bytes()) != digest:
        raise CheckpointError(
            f"{file} is not the one that these weights were saved with: a save was interrupted, or the file was "
            "replaced. Save the model again, or copy the whole directory again"
        )


def _check_heads(config: Config, people: int | None, size: tuple[int, int], shapes: Shapes) -> None:
    """What config.json says of the heads is what the weights have, before a model of that size is made."""
    if image_size(config) != size:
        raise CheckpointError(f"config.json says image_size {size} and config.image {image_size(config)}")
    prefix = "interaction.resblocks."
    layers = len({name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)})
    if (config.loss.mlm or config.loss.recovery) and config.interaction.layers != layers:
        raise CheckpointError(f"config.json says {config.interaction.layers} interaction.layers, the weights: {layers}")
    rows = shapes.get("classifier.weight", (0,))[0]
    if config.loss.identity and people is not None and people != rows:
        raise CheckpointError(f"config.json says num_identities {people}, the weights have a classifier for {rows}")
    width = shapes[f"{BACKBONE}visual_projection.weight"][0]
    if width % (config.interaction.heads or 1):
        raise CheckpointError(f"config.json says {config.interaction.heads} interaction.heads, no divisor of {width}")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
