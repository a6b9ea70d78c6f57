"""CPU seconds and peak memory of one kind of step at CLIP ViT-B/16's geometry with random weights, on one thread.

``python -m tests.benchmarks.step_costs plain 2`` prints one line, of 2 steps after one that is not counted; also `fp32`
and `bf16`. Each is a process of its own, so that its peak is its own, and only one at a time.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import CLIPConfig

import tireid
from tests.benchmarks.plain_step import WORDS, PlainIRRA
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import BOS, EOS
from tireid.model.towers import DualEncoder

Loss = Callable[..., Tensor]
PAIRS, PEOPLE = 8, 11_003
LENGTHS = torch.tensor([14, 19, 22, 25, 28, 31, 38, 63])
"""Place of each caption's end: 30 on average, which is near that of CUHK-PEDES; the longest is more than twice that."""


def batch(pairs: int = PAIRS, device: str = "cpu", words: int = WORDS) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (pairs, 3, 384, 128), ids (pairs, 77) and people (pairs,), two pairs each."""
    draws = torch.Generator().manual_seed(0)
    places, end = torch.arange(77), LENGTHS.repeat(-(-pairs // PAIRS))[:pairs, None]
    ids = torch.randint(1, words - 2, (pairs, 77), generator=draws).masked_fill(places > end, 0)
    ids = ids.masked_fill(places == end, words - 1).masked_fill(places == 0, words - 2)
    pixels = torch.randn(pairs, 3, 384, 128, generator=draws)
    return pixels.to(device), ids.to(device), (torch.arange(pairs) // 2).to(device)


def plain() -> tuple[nn.Module, Loss, torch.optim.Optimizer]:
    model = PlainIRRA(PEOPLE)
    return model, model, torch.optim.Adam(model.parameters(), lr=1e-5)


def clip_model(preset: str = "irra", layers: int = 12, tokenizer: Tokenizer | None = None) -> tireid.TIReID:
    """CLIP ViT-B/16 at 384x128 with random weights, and the heads of `preset`; `layers` in each tower."""
    config = tireid.Config.preset(preset, backbone="tiny-untrained").override(["image.height=384", "image.width=128"])
    tokenizer = vocabulary() if tokenizer is None else tokenizer
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": layers, "num_attention_heads": 12}
    words = {"vocab_size": tokenizer.mask_id, "eos_token_id": tokenizer.eos_id, "bos_token_id": tokenizer.bos_id}
    clip = CLIPConfig(
        text_config=words | {"num_hidden_layers": layers},
        vision_config={**vision, "patch_size": 16, "image_size": 224},
    )
    towers = DualEncoder(clip, (384, 128), tokenizer.vocab_size, tokenizer.eos_id)
    return tireid.TIReID(towers, tokenizer, config, PEOPLE).train()


def vocabulary(words: int = WORDS) -> Tokenizer:
    """So many ids without meaning, start and end of text last."""
    return Tokenizer({f"w{i}</w>": i for i in range(words - 2)} | {BOS: words - 2, EOS: words - 1}, [], 77)


def objective(model: nn.Module, precision: str) -> Loss:
    """The loss of a batch under autocast or without."""

    def loss(*given: Tensor) -> Tensor:
        with torch.autocast(given[0].device.type, torch.bfloat16, enabled=precision == "bf16"):
            return model(*given).loss

    return loss


def adam(model: tireid.TIReID) -> torch.optim.Optimizer:
    """The optimizer of the training loop."""
    return torch.optim.Adam(model.parameter_groups(model.config.optimizer), lr=1e-5, fused=True)


def ours(precision: str) -> tuple[nn.Module, Loss, torch.optim.Optimizer]:
    model = clip_model()
    return model, objective(model, precision), adam(model)


def measure(kind: str, steps: int) -> str:
    """The line of :mod:`tests.benchmarks.step_costs`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, loss, optimizer = plain() if kind == "plain" else ours(kind)
    given, costs = batch(), []
    for _ in range(steps + 1):
        began = time.process_time()
        loss(*given).backward()
        optimizer.step()
        optimizer.zero_grad()
        costs.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = sum(p.numel() for p in model.parameters())
    return f"{kind} {min(costs[1:]):.2f} CPU s a step, {peak / 1e9:.2f} GB at most, {weights / 1e6:.0f} M weights"


if __name__ == "__main__":
    print(measure(sys.argv[1], int(sys.argv[2])))
