"""open_clip's CLIP models: OpenAI's names, an activation that only its configuration tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from tireid.basics.section import Strict
from tireid.model.io import openai
from tireid.model.io.parts import Weights
from tireid.model.io.schema import parse

CONFIG = "open_clip_config.json"
FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.safetensors")


class _Architecture(Strict):
    quick_gelu: bool = False


class _Description(Strict):
    model_cfg: _Architecture


def read(state: Mapping[str, Tensor], path: Path) -> Weights:
    """A file of open_clip; :class:`CheckpointError` if it is no vision transformer.

    Models with a text tower of their own put `text.` before its keys. The activation is that of an
    `open_clip_config.json` beside the file; without one QuickGELU is assumed, and a warning says so.
    """
    config = path.parent / CONFIG
    activation = None
    if config.is_file():
        activation = "quick_gelu" if parse(_Description, config).model_cfg.quick_gelu else "gelu"
    return openai.read_unknown({name.removeprefix("text."): value for name, value in state.items()}, path, activation)


def weights_file(folder: Path) -> Path | None:
    """The weights in a directory of open_clip's."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)
