"""Other people's checkpoint files: IRRA and its descendants, and OpenAI's CLIP.

Files are read as weights only: nothing in them is executed. Both kinds name CLIP's parameters as OpenAI did; IRRA puts
`base_model.` before them and its heads beside them.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPConfig

from tireid.model.towers import IMAGE_POSITIONS, WORDS, CheckpointError

WRAPPERS = ("model", "state_dict")
NOT_WEIGHTS = ("logit_scale", "input_resolution", "context_length", "vocab_size")
HEADS = {
    "cross_attn.": "interaction.cross_attn.",
    "cross_modal_transformer.resblocks.": "interaction.resblocks.",
    "ln_pre_t.": "interaction.ln_pre_t.",
    "ln_pre_i.": "interaction.ln_pre_i.",
    "ln_post.": "interaction.ln_post.",
    "mlm_head.": "mlm_head.",
    "classifier.": "classifier.",
}
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
BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(attn|ln_1|ln_2|mlp)\.(.+)")
BLOCK_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


@dataclass
class ForeignWeights:
    """A checkpoint in this package's names.

    `irra` tells IRRA's layout from OpenAI's; `towers` are for :meth:`DualEncoder.load_towers`, `heads` for the rest of
    the model, `unused` the keys that have no counterpart here. All weights are float32.
    """

    irra: bool
    clip_config: CLIPConfig
    towers: dict[str, Tensor] = field(default_factory=dict)
    heads: dict[str, Tensor] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)

    @property
    def mask_row(self) -> int | None:
        """The word row that IRRA trained as its mask: 49405 of 49408, the last before start and end of text."""
        return len(self.towers[WORDS]) - 3 if self.irra else None

    @property
    def num_identities(self) -> int | None:
        """Rows of the classifier, if there is one."""
        return len(self.heads["classifier.weight"]) if "classifier.weight" in self.heads else None

    @property
    def interaction_layers(self) -> int | None:
        """Blocks of the interaction encoder, if there is one."""
        blocks = {name.split(".")[2] for name in self.heads if name.startswith("interaction.resblocks.")}
        return len(blocks) or None

    def grid(self, wanted: tuple[int, int]) -> tuple[int, int]:
        """(h, w) of the position table: OpenAI's is square, IRRA's that of its image size, here `wanted`.

        Raises :class:`CheckpointError` if the table has another number of patches and is not square either.
        """
        patches = len(self.towers[IMAGE_POSITIONS]) - 1
        if self.irra and patches == wanted[0] * wanted[1]:
            return wanted
        side = math.isqrt(patches)
        if side * side == patches:
            return side, side
        raise CheckpointError(
            f"visual.positional_embedding covers {patches} patches: neither a square nor the {wanted[0]}x{wanted[1]} "
            "grid of config.image; set image.height and image.width to the size it was trained with"
        )


def read_foreign(path: Path) -> ForeignWeights:
    """Read and rename; :class:`CheckpointError` says what the file is if it is neither layout."""
    state = read_checkpoint(path)
    irra = any(name.startswith("base_model.") for name in state)
    clip = {name.removeprefix("base_model."): value for name, value in state.items() if _is_tower(name, irra)}
    result = ForeignWeights(irra, infer_config(clip, path))
    for name, value in state.items():
        inner = name.removeprefix("base_model.")
        renamed = _rename_tower(inner, value) if _is_tower(name, irra) else {}
        if renamed:
            result.towers |= renamed
        elif irra and (prefix := next((p for p in HEADS if name.startswith(p)), None)):
            result.heads[HEADS[prefix] + name.removeprefix(prefix)] = value
        elif inner not in NOT_WEIGHTS:
            result.unused.append(name)
    return result


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.pth` or `.pt` file as float32, without `module.` prefixes and without executing anything.

    Raises FileNotFoundError, or :class:`CheckpointError` for a TorchScript archive or a file with other objects than
    tensors in it: both can run code when they are loaded in full, so the message says how to convert them elsewhere.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint file at {path}")
    if _is_torchscript(path):
        raise CheckpointError(
            f"{path} is a TorchScript archive, which holds code. If you trust it, convert it once: "
            + _conversion("torch.jit.load({path!r}, map_location='cpu').state_dict()", path)
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way
        raise CheckpointError(
            f"{path} is damaged or holds more than weights ({repr(error)[:200]}). If you trust it, convert it once: "
            + _conversion("torch.load({path!r}, map_location='cpu', weights_only=False)['model']", path)
        ) from error
    while isinstance(content, Mapping) and (inner := next((content[k] for k in WRAPPERS if k in content), None)):
        content = inner
    tensors = _tensors(content)
    if not tensors:
        raise CheckpointError(f"{path} holds no weights, alone or under {' or '.join(map(repr, WRAPPERS))}")
    return tensors


def infer_config(state: Mapping[str, Tensor], path: Path) -> CLIPConfig:
    """The architecture of a state dict in OpenAI's names (64 channels per attention head, as in all of CLIP)."""
    missing = [name for name in (*TOWERS, "visual.transformer.resblocks.0.mlp.c_fc.weight") if name not in state]
    if missing:
        raise CheckpointError(
            f"{path} is not a CLIP vision transformer in OpenAI's or IRRA's layout: it lacks {', '.join(missing)}"
        )
    vocabulary, text_width = state["token_embedding.weight"].shape
    vision_width, _, patch, _ = state["visual.conv1.weight"].shape
    dimension = state["text_projection"].shape[1]
    vision = _tower_config(state, "visual.transformer.", vision_width, dimension)
    text = _tower_config(state, "transformer.", text_width, dimension)
    text |= {"max_position_embeddings": len(state["positional_embedding"]), "vocab_size": vocabulary}
    text |= {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": 0}
    side = math.isqrt(len(state["visual.positional_embedding"]) - 1)
    vision |= {"patch_size": patch, "image_size": side * patch}
    return CLIPConfig(vision_config=vision, text_config=text, projection_dim=dimension)


def _tower_config(state: Mapping[str, Tensor], prefix: str, width: int, dimension: int) -> dict[str, Any]:
    blocks = {name.removeprefix(prefix).split(".")[1] for name in state if name.startswith(prefix + "resblocks.")}
    return {
        "hidden_size": width,
        "intermediate_size": len(state[f"{prefix}resblocks.0.mlp.c_fc.weight"]),
        "num_hidden_layers": len(blocks),
        "num_attention_heads": max(1, width // 64),
        "projection_dim": dimension,
    }


def _is_tower(name: str, irra: bool) -> bool:
    return name.startswith("base_model.") if irra else True


def _rename_tower(name: str, value: Tensor) -> dict[str, Tensor]:
    """The `CLIPModel` parameters that an OpenAI one becomes: one, three for the packed attention input, or none."""
    if name in TOWERS:
        return {TOWERS[name]: value.T if name in TRANSPOSED else value}
    match = BLOCK.fullmatch(name)
    if match is None:
        return {}
    visual, number, part, rest = match.groups()
    block = f"{'vision_model' if visual else 'text_model'}.encoder.layers.{number}."
    if part == "attn" and rest in ("in_proj_weight", "in_proj_bias"):
        kind = rest.removeprefix("in_proj_")
        thirds = zip("qkv", value.chunk(3), strict=True)
        return {f"{block}self_attn.{letter}_proj.{kind}": third for letter, third in thirds}
    module, _, kind = f"{part}.{rest}".rpartition(".")
    return {f"{block}{BLOCK_PARTS[module]}.{kind}": value} if module in BLOCK_PARTS else {}


def _tensors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if tensors and all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _conversion(load: str, path: Path) -> str:
    target = str(path.with_name(f"{path.stem}.weights{path.suffix}"))
    return f'python -c "import torch; torch.save({load.format(path=str(path))}, {target!r})"'
