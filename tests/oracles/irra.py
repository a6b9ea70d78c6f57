"""IRRA's forward pass on its own state dict: stock torch modules, sequence first as in its code, nothing of tireid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = dict[str, Tensor]


def random_checkpoint(
    *,
    grid: tuple[int, int] = (3, 2),
    patch: int = 4,
    vision_width: int = 64,
    text_width: int = 128,
    dimension: int = 64,
    layers: int = 2,
    context: int = 7,
    words: int = 30,
    people: int = 5,
    seed: int = 0,
) -> State:
    """Keys as in a released `best.pth["model"]`, sizes small, values random."""
    rng = torch.Generator().manual_seed(seed)
    state: State = {}

    def add(name: str, *shape: int) -> None:
        centre = 1.0 if "ln" in name and "weight" in name else 0.0
        state[name] = centre + (0.1 if len(shape) > 1 else 0.2) * torch.randn(shape, generator=rng)

    def add_block(prefix: str, width: int) -> None:
        add(prefix + "attn.in_proj_weight", 3 * width, width)
        add(prefix + "attn.in_proj_bias", 3 * width)
        add(prefix + "attn.out_proj.weight", width, width)
        add(prefix + "attn.out_proj.bias", width)
        for norm in ("ln_1", "ln_2"):
            add(f"{prefix}{norm}.weight", width)
            add(f"{prefix}{norm}.bias", width)
        add(prefix + "mlp.c_fc.weight", 4 * width, width)
        add(prefix + "mlp.c_fc.bias", 4 * width)
        add(prefix + "mlp.c_proj.weight", width, 4 * width)
        add(prefix + "mlp.c_proj.bias", width)

    visual = "base_model.visual."
    add(visual + "class_embedding", vision_width)
    add(visual + "positional_embedding", 1 + grid[0] * grid[1], vision_width)
    add(visual + "proj", vision_width, dimension)
    add(visual + "conv1.weight", vision_width, 3, patch, patch)
    add("base_model.positional_embedding", context, text_width)
    add("base_model.text_projection", text_width, dimension)
    add("base_model.token_embedding.weight", words, text_width)
    for name, width in (
        (visual + "ln_pre", vision_width),
        (visual + "ln_post", vision_width),
        ("base_model.ln_final", text_width),
        ("ln_pre_t", dimension),
        ("ln_pre_i", dimension),
        ("ln_post", dimension),
        ("mlm_head.ln", dimension),
    ):
        add(name + ".weight", width)
        add(name + ".bias", width)
    for i in range(layers):
        add_block(f"{visual}transformer.resblocks.{i}.", vision_width)
        add_block(f"base_model.transformer.resblocks.{i}.", text_width)
        add_block(f"cross_modal_transformer.resblocks.{i}.", dimension)
    add("cross_attn.in_proj_weight", 3 * dimension, dimension)
    add("cross_attn.in_proj_bias", 3 * dimension)
    for name, rows in (
        ("cross_attn.out_proj", dimension),
        ("mlm_head.dense", dimension),
        ("mlm_head.fc", words),
        ("classifier", people),
    ):
        add(name + ".weight", rows, dimension)
        add(name + ".bias", rows)
    return state


def image_tokens(state: State, pixels: Tensor) -> Tensor:
    visual = {name.removeprefix("base_model.visual."): value for name, value in state.items() if "visual." in name}
    patch = visual["conv1.weight"].shape[-1]
    x = F.conv2d(pixels, visual["conv1.weight"], stride=patch).flatten(2).permute(0, 2, 1)
    x = torch.cat([visual["class_embedding"].repeat(len(x), 1, 1), x], dim=1) + visual["positional_embedding"]
    x = transformer(visual, "transformer.", norm(visual, "ln_pre", x))
    return norm(visual, "ln_post", x) @ visual["proj"]


def text_tokens(state: State, ids: Tensor) -> Tensor:
    base = {name.removeprefix("base_model."): value for name, value in state.items() if name.startswith("base_model.")}
    x = base["token_embedding.weight"][ids] + base["positional_embedding"]
    causal = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1)
    return norm(base, "ln_final", transformer(base, "transformer.", x, causal)) @ base["text_projection"]


def fused(state: State, text: Tensor, image: Tensor) -> Tensor:
    width = text.shape[-1]
    attention = loaded(nn.MultiheadAttention(width, width // 64, batch_first=True), state, "cross_attn.")
    keys = norm(state, "ln_pre_i", image)
    x = attention(norm(state, "ln_pre_t", text), keys, keys, need_weights=False)[0]
    return norm(state, "ln_post", transformer(state, "cross_modal_transformer.", x))


def word_scores(state: State, hidden: Tensor) -> Tensor:
    x = quick_gelu(linear(state, "mlm_head.dense", hidden))
    return linear(state, "mlm_head.fc", norm(state, "mlm_head.ln", x))


def transformer(state: State, prefix: str, x: Tensor, mask: Tensor | None = None) -> Tensor:
    x = x.permute(1, 0, 2)
    number = 0
    while f"{prefix}resblocks.{number}.ln_1.weight" in state:
        block = f"{prefix}resblocks.{number}."
        width = x.shape[-1]
        attention = loaded(nn.MultiheadAttention(width, width // 64), state, block + "attn.")
        normed = norm(state, block + "ln_1", x)
        x = x + attention(normed, normed, normed, need_weights=False, attn_mask=mask)[0]
        hidden = quick_gelu(linear(state, block + "mlp.c_fc", norm(state, block + "ln_2", x)))
        x = x + linear(state, block + "mlp.c_proj", hidden)
        number += 1
    return x.permute(1, 0, 2)


def loaded(module: nn.Module, state: State, prefix: str) -> nn.Module:
    module.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
    return module.eval()


def norm(state: State, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[name + ".weight"], state[name + ".bias"])


def linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[name + ".weight"], state[name + ".bias"])


def quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)
