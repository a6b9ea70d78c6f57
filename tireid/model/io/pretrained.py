"""Saving a model and finding one by name: bundled, directory, hub id or somebody else's file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPConfig

from tireid.basics.files import atomic_path, write_atomically
from tireid.data.text import Tokenizer
from tireid.model.io.checkpoints import read_foreign
from tireid.model.towers import CheckpointError, DualEncoder, check_shapes, copy_weights, listing, patch_size
from tireid.options import DEFAULT_HUB_BACKBONE, Config

if TYPE_CHECKING:
    from tireid.model.tireid import TIReID

ASSETS = Path(__file__).parents[2] / "assets"
BUNDLED = ("tiny", "tiny-street")
MODEL_TYPE = "tireid"
FORMAT_VERSION = 1
BACKBONE = "backbone."
CLASSIFIER = "classifier."


def save(model: TIReID, directory: Path) -> None:
    """config.json, model.safetensors and the tokenizer's files."""
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
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with atomic_path(directory / "model.safetensors") as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    model.tokenizer.save_pretrained(directory)
    # Last: a folder without it is not a model, so an interrupted first save is not taken for one.
    write_atomically(directory / "config.json", json.dumps(description, indent=2) + "\n")


def load(
    cls: type[TIReID],
    source: str | Path,
    config: Config | None,
    num_identities: int | None,
    tokenizer: Tokenizer | None,
) -> TIReID:
    """See :meth:`TIReID.from_pretrained`."""
    bundled = str(source) in BUNDLED
    path = ASSETS / source if bundled else Path(source)
    if path.suffix in (".pth", ".pt"):
        return _load_foreign(cls, path, config, num_identities, tokenizer)
    saved = _Saved.read(path)
    if saved is not None:
        return _load_own(cls, path, saved, config, num_identities, tokenizer)
    if bundled:
        raise CheckpointError(f"the bundled model is missing from {path}; reinstall tireid")
    return _load_clip(cls, source, config, num_identities, tokenizer)


@dataclass(frozen=True)
class _Saved:
    """What config.json says."""

    image_size: tuple[int, int]
    num_identities: int | None
    config: Config
    clip_config: CLIPConfig

    @property
    def grid(self) -> tuple[int, int]:
        patch = patch_size(self.clip_config)
        return self.image_size[0] // patch, self.image_size[1] // patch

    @classmethod
    def read(cls, directory: Path) -> _Saved | None:
        """None if it is not a directory of :func:`save`; CheckpointError naming the file if it is a damaged one."""
        file = directory / "config.json"
        if not file.is_file():
            return None
        try:
            tree = json.loads(file.read_text(encoding="utf-8"))
            if tree.get("model_type") != MODEL_TYPE:
                return None
            if tree["format_version"] != FORMAT_VERSION:
                raise CheckpointError(
                    f"format version {tree['format_version']}, this tireid reads {FORMAT_VERSION}; "
                    "use the version that wrote it"
                )
            height, width = map(int, tree["image_size"])
            clip_config = CLIPConfig.from_dict(tree["clip_config"])
            return cls((height, width), tree["num_identities"], Config.from_dict(tree["config"]), clip_config)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"no entry {error}" if isinstance(error, KeyError) else str(error)
            raise CheckpointError(f"{file} cannot be used: {reason}") from error


def _load_own(
    cls: type[TIReID],
    path: Path,
    saved: _Saved,
    config: Config | None,
    num_identities: int | None,
    tokenizer: Tokenizer | None,
) -> TIReID:
    exact = config is None and num_identities is None
    people = saved.num_identities if num_identities is None else num_identities
    config = config or saved.config
    tokenizer = tokenizer or Tokenizer.from_pretrained(path)
    size = (config.image.height, config.image.width)
    backbone = DualEncoder(saved.clip_config, size, tokenizer.vocab_size, tokenizer.eos_id)
    model = cls(backbone, tokenizer, config, people)
    file = path / "model.safetensors"
    try:
        state = load_file(file)
        if exact:
            copy_weights(model, state)
            return model
        towers = {name.removeprefix(BACKBONE): value for name, value in state.items() if name.startswith(BACKBONE)}
        backbone.load_towers(towers, saved.grid, config.image.position_interpolation)
        unused, _ = _load_heads(model, {name: value for name, value in state.items() if not name.startswith(BACKBONE)})
    except (CheckpointError, SafetensorError, OSError) as error:
        raise CheckpointError(f"{file}: {error}") from error
    if unused:
        warnings.warn(f"{file}: not used, the configuration has no place for them: {listing(unused)}", stacklevel=4)
    return model


def _load_clip(
    cls: type[TIReID],
    source: str | Path,
    config: Config | None,
    num_identities: int | None,
    tokenizer: Tokenizer | None,
) -> TIReID:
    config = config or Config.preset("paper", backbone=str(source))
    size = (config.image.height, config.image.width)
    clip = DualEncoder.from_clip(source, size, None, config.image.position_interpolation)
    tokenizer = tokenizer or Tokenizer.from_pretrained(source)
    return cls(clip, tokenizer, config, num_identities)


def _load_foreign(
    cls: type[TIReID],
    path: Path,
    config: Config | None,
    num_identities: int | None,
    tokenizer: Tokenizer | None,
) -> TIReID:
    weights = read_foreign(path)
    if config is None:
        config = Config.preset("irra" if weights.irra else "paper", backbone=str(path))
        if weights.interaction_layers:
            config = config.override([f"interaction.layers={weights.interaction_layers}"])
    people = weights.num_identities if num_identities is None else num_identities
    tokenizer = tokenizer or Tokenizer.from_pretrained(DEFAULT_HUB_BACKBONE)
    size = (config.image.height, config.image.width)
    backbone = DualEncoder(weights.clip_config, size, tokenizer.vocab_size, tokenizer.eos_id)
    model = cls(backbone, tokenizer, config, people)
    try:
        grid = weights.grid(backbone.grid)
        backbone.load_towers(weights.towers, grid, config.image.position_interpolation, weights.mask_row)
        unused, fresh = _load_heads(model, weights.heads)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    unused = sorted([*unused, *weights.unused])
    if unused or fresh:
        warnings.warn(f"{path}: not used: {listing(unused)}; start fresh: {listing(fresh)}", stacklevel=4)
    return model


def _load_heads(model: nn.Module, heads: Mapping[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copy what fits by name; returns the names that were not used and those that start fresh.

    A classifier for another number of people is not used; any other wrong shape raises.
    """
    own = {name: value for name, value in model.state_dict().items() if not name.startswith(BACKBONE)}
    matched = {name: value for name, value in heads.items() if name in own}
    other_people = any(name.startswith(CLASSIFIER) and len(v) != len(own[name]) for name, v in matched.items())
    if other_people:
        matched = {name: value for name, value in matched.items() if not name.startswith(CLASSIFIER)}
    check_shapes(matched, own)
    model.load_state_dict(matched, strict=False)
    return sorted(heads.keys() - matched.keys()), sorted(own.keys() - matched.keys())
