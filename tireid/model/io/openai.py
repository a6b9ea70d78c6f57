"""OpenAI's names for CLIP's parameters, which open_clip, IRRA, RDE and TBPS-CLIP use too."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import CLIPConfig

from tireid.model.io.parts import Weights
from tireid.model.io.schema import MOST_LAYERS
from tireid.model.towers import IMAGE_POSITIONS, WORDS, CheckpointError

SIZES = ("input_resolution", "context_length", "vocab_size")
"""Only OpenAI's archives have these beside the weights."""
NOT_WEIGHTS = ("logit_scale", "logit_bias", "attn_mask", *SIZES)
TOWERS = {
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": IMAGE_POSITIONS,
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": WORDS,
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
}
TRANSPOSED = ("visual.proj", "text_projection")
DIMENSIONS = {"visual.conv1.weight": 4, "visual.class_embedding": 1}  # the other tables and matrices have 2
BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d{1,4})\.(attn|ln_1|ln_2|mlp)\.(.+)")
BLOCK_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
HEAD_WIDTH = 64
OTHER_HEADS = {(1280, 32): 16, (1408, 40): 16, (1664, 48): 16, (1792, 56): 16}
"""(width, layers) to heads of open_clip's ViT-H, g, bigG and e, whose heads are 80 to 112 wide."""


def read(state: Mapping[str, Tensor], path: Path) -> Weights:
    """A file of OpenAI's own, known by the sizes beside its weights."""
    return _plain(state, path, Weights("OpenAI", infer_config(state, path), "paper"))


def read_unknown(state: Mapping[str, Tensor], path: Path, activation: str | None) -> Weights:
    """The same names without the sizes: OpenAI's converted, or open_clip's; `activation` None is a guess and said."""
    known = activation or "quick_gelu"
    weights = Weights("open_clip", infer_config(state, path, known), "paper")
    if activation is None:
        weights.guess = (
            "a state dict cannot tell QuickGELU (OpenAI's weights and open_clip's -quickgelu models) from plain GELU "
            "(open_clip's other models); QuickGELU is assumed. Set the option activation=gelu or activation=quick_gelu"
        )
    return _plain(state, path, weights)


def _plain(state: Mapping[str, Tensor], path: Path, weights: Weights) -> Weights:
    for name, value in state.items():
        renamed = rename(name, value)
        weights.towers |= renamed
        if not renamed and name not in NOT_WEIGHTS:
            weights.unused.append(name)
    return weights


def infer_config(state: Mapping[str, Tensor], path: Path, activation: str = "quick_gelu") -> CLIPConfig:
    """The architecture of a state dict in OpenAI's names; :class:`CheckpointError` if it is not such a one."""
    first = ("visual.transformer.resblocks.0.mlp.c_fc.weight", "transformer.resblocks.0.mlp.c_fc.weight")
    missing = [name for name in (*TOWERS, *first) if name not in state]
    if missing:
        raise CheckpointError(
            f"{path} is not a CLIP vision transformer in OpenAI's or IRRA's layout: it lacks {', '.join(missing)}"
        )
    for name in (*TOWERS, *first):
        wanted = DIMENSIONS.get(name, 1 if ".ln_" in f".{name}" else 2)
        if state[name].ndim != wanted or not state[name].numel():
            raise CheckpointError(f"{path}: {name} has shape {tuple(state[name].shape)}, expected {wanted} dimensions")
    vocabulary, text_width = state["token_embedding.weight"].shape
    vision_width, _, patch, _ = state["visual.conv1.weight"].shape
    dimension = state["text_projection"].shape[1]
    vision = _tower_config(state, "visual.transformer.", vision_width, path)
    text = _tower_config(state, "transformer.", text_width, path)
    text |= {"max_position_embeddings": len(state["positional_embedding"]), "vocab_size": vocabulary}
    text |= {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": 0}
    side = math.isqrt(len(state["visual.positional_embedding"]) - 1)
    vision |= {"patch_size": patch, "image_size": max(1, side) * patch}
    shared = {"projection_dim": dimension, "hidden_act": activation}
    return CLIPConfig(vision_config=vision | shared, text_config=text | shared, projection_dim=dimension)


def _tower_config(state: Mapping[str, Tensor], prefix: str, width: int, path: Path) -> dict[str, Any]:
    blocks = sum(name.startswith(f"{prefix}resblocks.") and name.endswith(".mlp.c_fc.weight") for name in state)
    if blocks > MOST_LAYERS:
        raise CheckpointError(f"{path}: {prefix}resblocks has {blocks} blocks, expected at most {MOST_LAYERS}")
    return {
        "hidden_size": width,
        "intermediate_size": len(state[f"{prefix}resblocks.0.mlp.c_fc.weight"]),
        "num_hidden_layers": blocks,
        "num_attention_heads": _heads(width, blocks, path),
    }


def _heads(width: int, layers: int, path: Path) -> int:
    """64 channels each, as in OpenAI's models and all text towers; a few large image towers are known by their size."""
    if (width, layers) in OTHER_HEADS:
        return OTHER_HEADS[width, layers]
    if width % HEAD_WIDTH or width > 1280:
        raise CheckpointError(
            f"{path}: a tower {width} wide with {layers} layers: its attention heads are not {HEAD_WIDTH} wide, and a "
            "state dict does not say how many there are. Bring the model as a transformers directory with config.json"
        )
    return width // HEAD_WIDTH


def rename(name: str, value: Tensor) -> dict[str, Tensor]:
    """The `CLIPModel` parameters that an OpenAI one becomes: one, three for the packed attention input, or none."""
    if name in TOWERS:
        return {TOWERS[name]: value.T if name in TRANSPOSED else value}
    match = BLOCK.fullmatch(name)
    if match is None:
        return {}
    visual, number, part, rest = match.groups()
    block = f"{'vision_model' if visual else 'text_model'}.encoder.layers.{number}."
    if part == "attn" and rest in ("in_proj_weight", "in_proj_bias"):
        if not value.ndim or len(value) % 3:
            raise CheckpointError(f"weight {name} has shape {tuple(value.shape)}, expected three equal parts")
        kind = rest.removeprefix("in_proj_")
        thirds = zip("qkv", value.chunk(3), strict=True)
        return {f"{block}self_attn.{letter}_proj.{kind}": third for letter, third in thirds}
    module, _, kind = f"{part}.{rest}".rpartition(".")
    return {f"{block}{BLOCK_PARTS[module]}.{kind}": value} if module in BLOCK_PARTS else {}
