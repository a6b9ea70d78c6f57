"""`config.json` of a CLIP model, validated before transformers sees it.

Only the fields below are taken over, each with a range: no code, no kernel and no other class can be named by a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator
from transformers import CLIPConfig

from tireid.basics.files import read_regular, utf8_json
from tireid.basics.section import Strict, explain
from tireid.model.towers import CheckpointError

CONFIG_LIMIT = 2**20
"""Bytes of a config.json."""
Width = Annotated[int, Field(ge=1, le=16_384)]
MOST_LAYERS = 128
"""Of a tower."""
Layers = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Activation = Literal["quick_gelu", "gelu"]
Model = TypeVar("Model", bound=BaseModel)


class _Tower(Strict):
    hidden_size: Width
    intermediate_size: Width
    num_hidden_layers: Layers = 12
    num_attention_heads: Width
    hidden_act: Activation = "quick_gelu"
    layer_norm_eps: float = Field(1e-5, gt=0, le=0.1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _divides(self) -> _Tower:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is no multiple of {self.num_attention_heads} heads")
        return self


class _Vision(_Tower):
    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_attention_heads: Width = 12
    num_channels: Literal[3] = 3
    image_size: int = Field(224, ge=1, le=4096)
    patch_size: int = Field(32, ge=1, le=1024)

    @model_validator(mode="after")
    def _patches(self) -> _Vision:
        if self.image_size < self.patch_size:
            raise ValueError(f"image_size {self.image_size} is less than patch_size {self.patch_size}")
        if self.image_size // self.patch_size > 256:
            raise ValueError(f"image_size {self.image_size} has more than 256 patches of {self.patch_size} in a row")
        return self


class _Text(_Tower):
    hidden_size: Width = 512
    intermediate_size: Width = 2048
    num_attention_heads: Width = 8
    vocab_size: int = Field(49_408, ge=3, lt=2**24)
    max_position_embeddings: int = Field(77, ge=3, le=10_000)
    bos_token_id: int = Field(49_406, ge=0, lt=2**24)
    eos_token_id: int = Field(49_407, ge=0, lt=2**24)
    pad_token_id: int = Field(0, ge=0, lt=2**24)

    @model_validator(mode="before")
    @classmethod
    def _first_of_several(cls, tree: Any) -> Any:
        """Some files list several ends of text, or say null for an id."""
        if not isinstance(tree, dict):
            return tree
        ids = ("bos_token_id", "eos_token_id", "pad_token_id")
        firsts = {key: tree[key][0] for key in ids if isinstance(tree.get(key), list) and tree[key]}
        return {key: value for key, value in (tree | firsts).items() if not (key in ids and value is None)}


class ClipDescription(Strict):
    """The fields of a CLIP configuration that this package uses, with transformers' defaults."""

    model_type: Literal["clip"] = "clip"
    vision_config: _Vision = Field(default_factory=_Vision)
    text_config: _Text = Field(default_factory=_Text)
    projection_dim: Width = 512

    @model_validator(mode="before")
    @classmethod
    def _older_names(cls, tree: Any) -> Any:
        """Older files repeat a section as `text_config_dict`, which wins where both are there."""
        if not isinstance(tree, dict):
            return tree
        tree = dict(tree)
        for section in ("text_config", "vision_config"):
            older, newer = tree.get(f"{section}_dict"), tree.get(section)
            if newer is None:
                tree.pop(section, None)
            if isinstance(older, dict) and isinstance(newer, dict | None):
                tree[section] = (newer or {}) | older
        return tree

    def clip_config(self) -> CLIPConfig:
        """The same for transformers."""
        dimension = self.projection_dim
        text, vision = (
            {**tower.model_dump(), "projection_dim": dimension} for tower in (self.text_config, self.vision_config)
        )
        return CLIPConfig(text_config=text, vision_config=vision, projection_dim=dimension)


def parse(model: type[Model], file: Path) -> Model:
    """Read and validate a JSON file; :class:`CheckpointError` naming it and each field that is wrong."""
    try:
        return model.model_validate_json(utf8_json(read_regular(file, CONFIG_LIMIT)))
    except ValidationError as error:
        raise CheckpointError(f"{file} cannot be used: {explain(error)}") from error
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error
