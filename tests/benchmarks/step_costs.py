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
from tests.benchmarks.plain_step import PlainIRRA
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import BOS, EOS
from tireid.model.towers import DualEncoder

PAIRS, PEOPLE = 8, 11_003
LENGTHS = torch.tensor([14, 19, 22, 25, 28, 31, 38, 63])
"""Place of each caption's end: 30 on average, which is near that of CUHK-PEDES; the longest is more than twice that."""


def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (8, 3, 384, 128), ids (8, 77) and people (8,), four of them."""
    draws = torch.Generator().manual_seed(0)
    places, end = torch.arange(77), LENGTHS[:, None]
    ids = torch.randint(1, 49_000, (PAIRS, 77), generator=draws).masked_fill(places > end, 0)
    ids = ids.masked_fill(places == end, 49_407).masked_fill(places == 0, 49_406)
    return torch.randn(PAIRS, 3, 384, 128, generator=draws), ids, torch.arange(PAIRS) // 2


def plain() -> tuple[nn.Module, Callable[..., Tensor], torch.optim.Optimizer]:
    model = PlainIRRA(PEOPLE)
    return model, model, torch.optim.Adam(model.parameters(), lr=1e-5, foreach=False)


def ours(precision: str) -> tuple[nn.Module, Callable[..., Tensor], torch.optim.Optimizer]:
    config = tireid.Config.preset("irra", backbone="tiny-untrained").override(["image.height=384", "image.width=128"])
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    words = {"vocab_size": 49_408, "eos_token_id": 49_407, "bos_token_id": 49_406}
    clip = CLIPConfig(text_config=words, vision_config={**vision, "patch_size": 16, "image_size": 224})
    tokenizer = Tokenizer({f"w{i}</w>": i for i in range(49_406)} | {BOS: 49_406, EOS: 49_407}, [], 77)
    model = tireid.TIReID(DualEncoder(clip, (384, 128), 49_409, 49_407), tokenizer, config, PEOPLE).train()

    def loss(*given: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return model(*given).loss

    groups = model.parameter_groups(config.optimizer)
    return model, loss, torch.optim.Adam(groups, lr=1e-5, fused=True)


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
