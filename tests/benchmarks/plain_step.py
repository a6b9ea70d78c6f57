"""IRRA's training step written plainly: what a step is measured against.

Sources: Jiang & Ye, "Cross-Modal Implicit Relation Reasoning and Aligning", CVPR 2023, sections 3.1 to 3.4; Radford et
al., 2021, for CLIP's towers. Every caption is read to the end of the context, clean and masked ones in separate passes,
every position is predicted and those that are not masked are ignored by the loss, and attention is torch's own module.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WORDS, PROBABILITY = 49_408, 0.15


class QuickGELU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), QuickGELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.before(x)
        x = x + self.attention(y, y, y, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp(self.after(x))


class PlainIRRA(nn.Module):
    """ViT-B/16 at 384x128, the text tower, fusion of width 512 with four layers, SDM + MLM + identities."""

    def __init__(self, people: int, words: int = WORDS, context: int = 77, layers: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, 16, bias=False)
        self.first = nn.Parameter(0.02 * torch.randn(768))
        self.image_positions = nn.Parameter(0.02 * torch.randn(193, 768))
        self.image_norms = nn.ModuleList([nn.LayerNorm(768), nn.LayerNorm(768)])
        self.image_blocks = nn.ModuleList([Block(768, 12) for _ in range(layers)])
        self.image_projection = nn.Linear(768, 512, bias=False)
        self.words = nn.Embedding(words + 1, 512)  # the last is the mask
        self.text_positions = nn.Parameter(0.02 * torch.randn(context, 512))
        self.text_blocks = nn.ModuleList([Block(512, 8) for _ in range(layers)])
        self.text_norm = nn.LayerNorm(512)
        self.text_projection = nn.Linear(512, 512, bias=False)
        self.cross = nn.MultiheadAttention(512, 8, batch_first=True)
        self.cross_norms = nn.ModuleList([nn.LayerNorm(512) for _ in range(3)])
        self.fusion = nn.ModuleList([Block(512, 8) for _ in range(4)])
        self.head = nn.Sequential(nn.Linear(512, 512), QuickGELU(), nn.LayerNorm(512), nn.Linear(512, words + 1))
        self.classifier = nn.Linear(512, people)

    def image(self, pixels: Tensor) -> Tensor:
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), 1, -1), x], dim=1) + self.image_positions
        x = self.image_norms[0](x)
        for block in self.image_blocks:
            x = block(x)
        return self.image_projection(self.image_norms[1](x))

    def text(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.text_positions
        later = torch.full((ids.shape[1], ids.shape[1]), -torch.inf, dtype=x.dtype, device=x.device).triu(1)
        for block in self.text_blocks:
            x = block(x, later)
        return self.text_projection(self.text_norm(x))

    def forward(self, pixels: Tensor, ids: Tensor, people: Tensor) -> Tensor:
        """The loss of (B, 3, 384, 128), (B, 77) that end with the highest id, and (B,)."""
        chosen = (torch.rand(ids.shape, device=ids.device) < PROBABILITY) & (ids > 0) & (ids < ids.max())
        image, clean = self.image(pixels), self.text(ids)
        masked = self.text(torch.where(chosen, self.words.num_embeddings - 1, ids))
        v, t = image[:, 0], clean[torch.arange(len(ids), device=ids.device), ids.argmax(dim=1)]
        x = self.cross(*(norm(y) for norm, y in zip(self.cross_norms, (masked, image, image), strict=True)))[0]
        for block in self.fusion:
            x = block(x)
        hidden = F.cross_entropy(self.head(x).flatten(0, 1), ids.masked_fill(~chosen, -100).flatten())
        identity = (F.cross_entropy(self.classifier(v), people) + F.cross_entropy(self.classifier(t), people)) / 2
        return sdm(v.float(), t.float(), people) + hidden + identity


def sdm(v: Tensor, t: Tensor, people: Tensor) -> Tensor:
    """Similarity distribution matching at temperature 0.02, both directions."""
    scores = 50 * F.normalize(v, dim=1) @ F.normalize(t, dim=1).T
    same = (people[:, None] == people).float()
    wanted = (same / same.sum(dim=1, keepdim=True) + 1e-8).log()
    return torch.stack([(s.softmax(1) * (s.log_softmax(1) - wanted)).sum(1).mean() for s in (scores, scores.T)]).sum()
