"""The cross-modal encoder and the heads on top of it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from tireid.model.activation import QuickGELU, perceptron
from tireid.model.attention import plain
from tireid.options import InteractionConfig


def _written_out(x: Tensor, need_weights: bool = False) -> dict[str, bool]:
    """Options of `nn.MultiheadAttention`, which writes its products out when it is asked for their weights."""
    return {"need_weights": need_weights or plain(x), "average_attn_weights": False}


class _Perceptron(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return perceptron(x, self.c_fc, self.c_proj)  # type: ignore[arg-type]


class ResidualAttentionBlock(nn.Module):
    """A pre-norm transformer block; its parameters are named as in CLIP's own code."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = _Perceptron()
        self.mlp.add_module("c_fc", nn.Linear(width, 4 * width))
        self.mlp.add_module("gelu", QuickGELU())
        self.mlp.add_module("c_proj", nn.Linear(4 * width, width))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        """x (B, L, D) and padding bool (B, L), True where nothing is to be read; returns (B, L, D)."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, key_padding_mask=padding, **_written_out(normed))[0]
        return x + self.mlp(self.ln_2(x))  # type: ignore[no-any-return]


class InteractionEncoder(nn.Module):
    """One cross-attention from caption to image, then a small transformer over the caption.

    Layer norm on both sides, multi-head cross-attention (by default one head per 64 channels), `layers` pre-norm
    blocks, a layer norm. Source: IRRA, CVPR 2023, section 3.2; parts correspond one to one with its checkpoints. Unlike
    its code, padding is not attended to when `text_mask` is given. Three options are not IRRA's. With `residual` the
    normalised caption is added to what it read. With `positions` every one of so many image tokens gets a learned
    vector after its layer norm. With `looks` above 1 the first `looks` - 1 blocks are each followed by a
    cross-attention: the text tower is causal, so only after a block does a hidden word know what it belongs to.

    Weights start as IRRA starts them: normal with standard deviation width^-1/2 (attention input), width^-1/2 (2
    layers)^-1/2 (projections back into the residual stream, so that its variance does not grow with depth) and (2
    width)^-1/2 (first layer of each perceptron).

    Raises:
        ValueError: `width` is not a multiple of `heads`, or `looks` does not lie in 1..`layers`.

    >>> encoder = InteractionEncoder(width=64, layers=1)
    >>> out, weights = encoder(torch.randn(2, 5, 64), torch.randn(2, 7, 64), need_weights=True)
    >>> tuple(out.shape), tuple(weights.shape)
    ((2, 5, 64), (2, 1, 5, 7))
    """

    def __init__(
        self,
        width: int,
        layers: int = 4,
        heads: int | None = None,
        residual: bool = False,
        positions: int | None = None,
        looks: int = 1,
    ) -> None:
        super().__init__()
        heads = max(1, width // 64) if heads is None else heads
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of heads {heads}; set interaction.heads")
        self.ln_pre_t = nn.LayerNorm(width)
        self.ln_pre_i = nn.LayerNorm(width)
        self.cross_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.resblocks = nn.ModuleList([ResidualAttentionBlock(width, heads) for _ in range(layers)])
        if not 1 <= looks <= layers + 1:
            raise ValueError(f"looks must be in 1..{layers + 1}, got {looks}; set interaction.looks")
        self.later_norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(looks - 1)])
        self.later_attn = nn.ModuleList(
            [nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(looks - 1)]
        )
        self.ln_post = nn.LayerNorm(width)
        self.residual = residual
        self.positions = None if positions is None else nn.Parameter(torch.zeros(positions, width))
        self._initialise(width, layers)
        if self.positions is not None:
            nn.init.normal_(self.positions, std=0.02)

    def _initialise(self, width: int, layers: int) -> None:
        attention, projection, perceptron = width**-0.5, (2 * width * layers) ** -0.5, (2 * width) ** -0.5
        for name, weight in self.named_parameters():
            if name.endswith("in_proj_weight"):
                nn.init.normal_(weight, std=attention)
            elif name.endswith(("out_proj.weight", "c_proj.weight")):
                nn.init.normal_(weight, std=projection)
            elif name.endswith("c_fc.weight"):
                nn.init.normal_(weight, std=perceptron)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(
        self,
        text_tokens: Tensor,
        image_tokens: Tensor,
        text_mask: Tensor | None = None,
        need_weights: bool = False,
        query: Literal["text", "image"] = "text",
    ) -> Tensor | tuple[Tensor, Tensor]:
        """text_tokens (B, L, D), image_tokens (B, M, D), text_mask bool (B, L) with True at real tokens (None: all).

        Returns (B, L, D), and with `need_weights` the last cross-attention (B, heads, L, M). With `query="image"` the
        roles are reversed, each modality keeping its own layer norm: (B, M, D) and (B, heads, M, L).
        """
        text, image = self.ln_pre_t(text_tokens), self.ln_pre_i(image_tokens)
        if self.positions is not None:
            image = image + self.positions
        padding = None if text_mask is None else ~text_mask
        queries, context = (text, image) if query == "text" else (image, text)
        query_padding, context_padding = (padding, None) if query == "text" else (None, padding)
        options = _written_out(queries, need_weights) | {"key_padding_mask": context_padding}
        x, weights = self.cross_attn(queries, context, context, **options)
        if self.residual:
            x = queries + x
        for number, block in enumerate(self.resblocks):
            x = block(x, query_padding)
            if number < len(self.later_attn):
                read, weights = self.later_attn[number](self.later_norms[number](x), context, context, **options)
                x = x + read
        x = self.ln_post(x)
        return (x, weights) if need_weights else x


def interaction_encoder(width: int, grid: tuple[int, int], options: InteractionConfig) -> InteractionEncoder:
    """The encoder that `options` describe, for pictures of `grid` patches and their class token."""
    tokens = 1 + grid[0] * grid[1] if options.positions else None
    return InteractionEncoder(width, options.layers, options.heads, options.residual, tokens, options.looks)


class _Head(nn.Module):
    """Linear, QuickGELU, layer norm, linear, applied to each row; named and initialised as IRRA's `mlm_head`."""

    def __init__(self, width: int, outputs: int, layers: int = 4) -> None:
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.gelu = QuickGELU()
        self.ln = nn.LayerNorm(width)
        self.fc = nn.Linear(width, outputs)
        nn.init.normal_(self.dense.weight, std=(2 * width) ** -0.5)
        nn.init.normal_(self.fc.weight, std=(2 * width * layers) ** -0.5)
        nn.init.zeros_(self.dense.bias)
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., outputs)."""
        return self.fc(self.ln(self.gelu(self.dense(x))))  # type: ignore[no-any-return]


class MLMHead(_Head):
    """Scores of every word for a hidden token (n, D) -> (n, vocab_size). Source: IRRA, section 3.2.

    `vocab_size` counts the words that can be predicted: the mask token itself, last in the vocabulary, is not one.

    >>> tuple(MLMHead(8, vocab_size=100)(torch.randn(3, 8)).shape)
    (3, 100)
    """

    def __init__(self, width: int, vocab_size: int) -> None:
        super().__init__(width, vocab_size)


class RecoveryHead(_Head):
    """The recovered global token (B, D) -> (B, D) (inferred: the same perceptron as the MLM head).

    >>> tuple(RecoveryHead(8)(torch.randn(3, 8)).shape)
    (3, 8)
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, width)
