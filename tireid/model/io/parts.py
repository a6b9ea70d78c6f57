"""What every source becomes: a backbone with its weights, and the rest of a model that is put together later."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from transformers import CLIPConfig

from tireid.data.text import Tokenizer
from tireid.domain import Domain
from tireid.model.towers import (
    IMAGE_POSITIONS,
    WORDS,
    CheckpointError,
    DualEncoder,
    check_weights,
    configured_eos,
    listing,
    patch_size,
)
from tireid.model.towers import tower_configs as sections
from tireid.options import Config

BACKBONE = "backbone."
CLASSIFIER = "classifier."
RESBLOCKS = "interaction.resblocks."
Shapes = Mapping[str, tuple[int, ...]]
Grid = tuple[int, int]


@dataclass(frozen=True)
class Parts:
    """A model before it is one: make it from the first four fields, then :meth:`fill` it.

    `heads` are the weights of everything but the backbone; with `exact` they must be all there.
    """

    backbone: DualEncoder
    tokenizer: Tokenizer
    config: Config
    num_identities: int | None
    file: Path
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    """Keys of the file that have no place in any model here."""
    notes: tuple[str, ...] = ()
    """What the user should know; said when the model is filled."""
    exact: bool = False
    tell_fresh: bool = False
    """Whether to name the parts of the model that the file does not have."""
    domain: Domain | None = None
    """What the weights were trained on, where they say so."""

    def fill(self, model: nn.Module) -> None:
        """Copy the heads into `model` and warn about what found no place and what starts fresh.

        A classifier for another number of people is not used; any other weight that does not fit raises
        :class:`CheckpointError` naming file and key.
        """
        try:
            unused, fresh = self._copy(model)
        except CheckpointError as error:
            raise CheckpointError(f"{self.file}: {error}") from error
        model.domain = self.domain  # type: ignore[assignment]  # no part of the network
        unused = sorted([*unused, *self.unused])
        for note in self.notes:
            warnings.warn(f"{self.file}: {note}", stacklevel=3)
        if unused or (fresh and self.tell_fresh):
            ending = f"; start fresh: {listing(fresh)}" if self.tell_fresh else ""
            why = "" if self.tell_fresh else ", the configuration has no place for them"
            warnings.warn(f"{self.file}: not used{why}: {listing(_in_parts(unused))}{ending}", stacklevel=3)

    def _copy(self, model: nn.Module) -> tuple[list[str], list[str]]:
        own = {name: value for name, value in model.state_dict().items() if not name.startswith(BACKBONE)}
        if self.exact:
            check_weights(self.heads, own)
        matched = {name: value for name, value in self.heads.items() if name in own}
        if any(name.startswith(CLASSIFIER) and len(value) != len(own[name]) for name, value in matched.items()):
            matched = {name: value for name, value in matched.items() if not name.startswith(CLASSIFIER)}
        check_weights(matched, own, partly=True)
        model.load_state_dict(matched, strict=False)
        return sorted(self.heads.keys() - matched.keys()), sorted(own.keys() - matched.keys())


@dataclass
class Weights:
    """A checkpoint file in this package's names: `towers` for :meth:`DualEncoder.load_towers`, `heads` for the rest."""

    source: str
    clip_config: CLIPConfig
    preset: str
    """What to train it with where the user does not say."""
    towers: dict[str, Tensor] = field(default_factory=dict)
    heads: dict[str, Tensor] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    known_grids: Mapping[int, Grid] | None = None
    """Number of patches to grid, for sources whose grid is not square; None where it is."""
    notes: tuple[str, ...] = ()
    guess: str = ""
    """A note on the activation, for files that do not tell it; said unless the configuration does."""

    @property
    def mask_row(self) -> int | None:
        """The word row that IRRA and its descendants train as their mask: the last before start and end of text."""
        return len(self.towers[WORDS]) - 3 if "mlm_head.fc.weight" in self.heads else None

    @property
    def num_identities(self) -> int | None:
        """Rows of the classifier, if there is one."""
        return next(iter(self.heads["classifier.weight"].shape), None) if "classifier.weight" in self.heads else None

    @property
    def interaction_layers(self) -> int:
        """Blocks of the interaction encoder that are as wide as the features."""
        ending, width = ".mlp.c_fc.weight", self.clip_config.projection_dim
        first = [value for name, value in self.heads.items() if name.startswith(RESBLOCKS) and name.endswith(ending)]
        return sum(value.shape[1:] == (width,) for value in first)

    def grid(self, wanted: Grid | None = None) -> Grid:
        """(h, w) of the position table.

        OpenAI's and open_clip's are square. The others have that of their training pictures, and the table does not
        say which: that of `config.image` (`wanted`) if the number of patches agrees, else the size that the source
        publishes. Raises :class:`CheckpointError` if neither is it.
        """
        patches = len(self.towers[IMAGE_POSITIONS]) - 1
        if self.known_grids is None:
            side = sections(self.clip_config)[0].image_size // patch_size(self.clip_config)  # type: ignore[operator]
            return side, side
        if wanted is not None and patches == wanted[0] * wanted[1]:
            return wanted
        if patches in self.known_grids:
            return self.known_grids[patches]
        against = "" if wanted is None else f", not those of the {wanted[0]}x{wanted[1]} grid of config.image,"
        raise CheckpointError(
            f"visual.positional_embedding covers {patches} patches{against} and {self.source} files do not say which "
            f"size that is: pass a config and set image.height and image.width to the size it was trained with (a "
            "stride smaller than the patch is not supported). To use another size, save the model and load that"
        )

    def default_config(self, backbone: str) -> Config:
        """The preset, with the sizes of the file."""
        config = Config.preset(self.preset, backbone=backbone)
        changes = [f"interaction.layers={self.interaction_layers}"] if self.interaction_layers else []
        if self.known_grids is not None:
            grid = (
                config.image.height // patch_size(self.clip_config),
                config.image.width // patch_size(self.clip_config),
            )
            height, width = (side * patch_size(self.clip_config) for side in self.grid(grid))
            changes += [f"image.height={height}", f"image.width={width}"]
        return config.override(changes)


def assemble(
    weights: Weights, file: Path, config: Config | None, num_identities: int | None, tokenizer: Tokenizer
) -> Parts:
    """The parts of a checkpoint file; :class:`CheckpointError` names the file."""
    try:
        config = config or weights.default_config(str(file))
        set_activation(weights.clip_config, config.activation)
        check_words(weights.clip_config, len(weights.towers[WORDS]), tokenizer)
        patch, shapes = patch_size(weights.clip_config), {name: tuple(x.shape) for name, x in weights.towers.items()}
        grid = weights.grid((config.image.height // patch, config.image.width // patch))
        table = (grid[0] * patch, grid[1] * patch)
        check_architecture(weights.clip_config, table, len(weights.towers[WORDS]), shapes, "the model")
        backbone = filled_towers(weights.clip_config, config, tokenizer, weights.towers, grid, weights.mask_row)
    except CheckpointError as error:
        raise CheckpointError(f"{file}: {error}") from error
    people = weights.num_identities if num_identities is None else num_identities
    unused = tuple(sorted(weights.unused))
    notes = (*weights.notes, weights.guess) if weights.guess and config.activation == "auto" else weights.notes
    return Parts(backbone, tokenizer, config, people, file, weights.heads, unused, notes, tell_fresh=True)


class _Undrawn(TorchFunctionMode):
    """Random weights are not drawn: of CLIP's towers that takes longer than to read what replaces them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_):
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def filled_towers(
    clip_config: CLIPConfig,
    config: Config,
    tokenizer: Tokenizer,
    state: Mapping[str, Tensor],
    grid: Grid,
    mask_row: int | None = None,
    *,
    draw: bool = False,
) -> DualEncoder:
    """Towers for `config` with the weights `state`, see :meth:`DualEncoder.load_towers`.

    With `draw` as many random numbers are used up as new towers take: parts that start fresh then do so as they did
    in the stored studies.
    """
    with nullcontext() if draw else _Undrawn():
        backbone = DualEncoder(clip_config, image_size(config), tokenizer.vocab_size, tokenizer.eos_id)
    backbone.load_towers(state, grid, config.image.position_interpolation, mask_row)
    return backbone


def image_size(config: Config) -> Grid:
    """(H, W) in pixels."""
    return config.image.height, config.image.width


def set_activation(clip_config: CLIPConfig, activation: str) -> None:
    """Put `activation` in place of the one of the configuration, but for `auto`."""
    if activation != "auto":
        for section in sections(clip_config):
            section.hidden_act = activation


def check_words(clip_config: CLIPConfig, rows: int, tokenizer: Tokenizer) -> None:
    """The tokenizer has an id for each row of the word table, or one more: its mask; and ends a text as the model."""
    if rows not in (tokenizer.mask_id, tokenizer.vocab_size):
        unlike = f"has {tokenizer.mask_id} tokens, the word table {rows} rows"
    elif tokenizer.eos_id != (eos_id := configured_eos(clip_config)):
        unlike = f"ends a text by token {tokenizer.eos_id}, the model by {eos_id}"
    else:
        return
    raise CheckpointError(
        f"the tokenizer {unlike}: it is another model's. Pass tokenizer=, the directory or file of this model's "
        "tokenizer"
    )


def check_architecture(
    clip_config: CLIPConfig, size: Grid, words: int, shapes: Shapes, source: str = "config.json"
) -> None:
    """The towers of `clip_config` have the names and shapes of the file; nothing is allocated to find out.

    `size` (H, W) is that of the position table, `words` the rows of the word table, `source` what the configuration
    is from. Raises :class:`CheckpointError`.
    """
    for section, tower in zip(sections(clip_config), ("vision_model", "text_model"), strict=True):
        prefix = f"{tower}.encoder.layers."
        blocks = len({name.removeprefix(prefix).split(".")[0] for name in shapes if name.startswith(prefix)})
        if blocks != section.num_hidden_layers:
            raise CheckpointError(
                f"{source} says {section.num_hidden_layers} layers in {tower}, the weights have {blocks}: "
                "files of two models, or weights that are not CLIP's or have another prefix; their first key is "
                f"{min(shapes, default='')!r}"
            )
    with torch.device("meta"):
        own = {
            name: tuple(value.shape) for name, value in DualEncoder(clip_config, size, words, 0).state_dict().items()
        }
    if missing := own.keys() - shapes.keys():
        raise CheckpointError(f"weights do not match: missing {listing(missing)}")
    for name, shape in own.items():
        if shapes[name] != shape:
            raise CheckpointError(f"weight {name} has shape {shapes[name]}, {source} needs {shape}")


def _in_parts(names: Iterable[str], few: int = 4) -> list[str]:
    """The names, but for a part with more than a few of them its name and their number.

    >>> _in_parts([f"interaction.{i}" for i in range(9)] + ["classifier.bias"])
    ['classifier.bias', 'interaction.* (9)']
    """
    shown: list[str] = []
    for part, group in groupby(sorted(names), key=lambda name: name.partition(".")[0]):
        keys = list(group)
        shown += keys if len(keys) <= few else [f"{part}.* ({len(keys)})"]
    return shown
