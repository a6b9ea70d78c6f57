"""What a training draws, how fast it learns, and which term pulls how hard: the parts of the loop that stand alone."""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from tireid.basics import processor
from tireid.data import PKBatchSampler, RandomBatchSampler, Split
from tireid.options import Config


def build_sampler(
    config: Config, split: Split, rank: int = 0, world_size: int = 1
) -> PKBatchSampler | RandomBatchSampler:
    """The batches that `config.sampler` describes, over the pairs of `split`.

    >>> from pathlib import Path
    >>> from tireid.data import Record
    >>> people = [Record(Path(f"{n}.jpg"), n // 4, ("a man",), "train") for n in range(16)]
    >>> config = Config.preset("paper", sampler={"batch_size": 8, "pairs_per_person": 2})
    >>> sampler = build_sampler(config, Split("train", people))
    >>> len(next(iter(sampler)))
    8
    """
    options = config.sampler
    if options.kind == "random":
        return RandomBatchSampler(
            split.num_captions, options.batch_size, config.seed, rank, world_size, keep_last=options.keep_last
        )
    return PKBatchSampler(
        split.labels,
        split.caption_image_index,
        options.batch_size,
        options.pairs_per_person,
        config.seed,
        rank=rank,
        world_size=world_size,
    )


def build_schedule(optimizer: torch.optim.Optimizer, config: Config, steps_per_epoch: int) -> LRScheduler:
    """Linear warm-up from `warmup_start`, then a cosine to 0 (source: IRRA); one step per optimiser step.

    >>> config = Config.preset("paper", epochs=2).override(["optimizer.warmup_epochs=1", "optimizer.warmup_start=0.1"])
    >>> optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> build_schedule(optimizer, config, steps_per_epoch=10).get_last_lr()  # at the first step
    [0.1]
    """
    options, total = config.optimizer, config.epochs * steps_per_epoch
    warmup = min(round(options.warmup_epochs * steps_per_epoch), total - 1)
    after: LRScheduler
    if options.schedule == "cosine":
        after = CosineAnnealingLR(optimizer, T_max=total - warmup)
    else:
        after = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    if warmup <= 0:
        return after
    rise = LinearLR(optimizer, start_factor=max(options.warmup_start, 1e-8), total_iters=warmup)
    return SequentialLR(optimizer, [rise, after], milestones=[warmup])


def computes_in_bfloat16() -> bool:
    """Whether the accelerator, or without one the processor, has instructions for bfloat16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return processor.computes_in_bfloat16() and not torch.accelerator.is_available()


def gradient_norms(losses: dict[str, torch.Tensor], module: torch.nn.Module) -> dict[str, float]:
    """Norm of each unweighted term's gradient on `module`'s parameters, so that weights can be set knowingly.

    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> gradient_norms({"align": layer(torch.tensor([3.0, 4.0]))}, layer)
    {'gradient_norm/align': 5.0}
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    norms = {}
    for name, loss in losses.items():
        if not (parameters and loss.requires_grad):
            continue
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        total = sum(float(g.float().square().sum()) for g in gradients if g is not None)
        norms[f"gradient_norm/{name}"] = total**0.5
    return norms
