"""Several processes with a part of a batch each are one process with the whole batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from tests.model.conftest import CAPTIONS, PERSON_IDS, small_model
from tireid.data.masking import MaskedTokens
from tireid.data.text import Tokenizer

OPTIONS: dict[str, dict[str, Any]] = {
    "paper-strong": {"overrides": ["uncertainty.samples=2", "uncertainty.align=both", "recovery.target=both"]},
    "image": {"overrides": ["recovery.token=image", "recovery.loss=circle", "uncertainty.probability=0.9"]},
    "irra": {"overrides": [], "preset": "irra"},
    "chunks": {"overrides": ["training.chunk=1"]},
}
PAIRS = 8
CHOSEN = [0, 1, 2, 3, 4, 5, 0, 1]


def step(options: dict[str, Any], explicit: bool, rank: int = 0, world: int = 1) -> dict[str, torch.Tensor]:
    """Gradients of one step on this process's share of the batch, with the loss."""
    tokenizer = Tokenizer.train(CAPTIONS, vocab_size=600, context_length=40)
    model = small_model(tokenizer, **options)
    pixels = torch.randn(PAIRS, 3, 32, 16, generator=torch.Generator().manual_seed(1))
    ids = tokenizer(CAPTIONS)[CHOSEN]
    masked = tokenizer.mask(ids, probability=0.4, generator=torch.Generator().manual_seed(2))
    mine = slice(rank * PAIRS // world, (rank + 1) * PAIRS // world)
    output = model(
        pixels[mine],
        ids[mine],
        PERSON_IDS[CHOSEN][mine],
        masked=MaskedTokens(masked.input_ids[mine], masked.labels[mine]) if explicit else None,
        generator=torch.Generator().manual_seed(3),
    )
    output.loss.backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    return gradients | {f"losses/{name}": value.detach() for name, value in output.losses.items()}


def worker(rank: int, folder: str, world: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    for name, options in OPTIONS.items():
        for explicit in (True, False):
            results = step(options, explicit, rank, world)
            for key, value in results.items():
                if not key.startswith("losses/"):  # those are equal on both as they are
                    dist.all_reduce(value)
                    value /= world
            torch.save(results, Path(folder) / f"{name}-{explicit}-{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 4])
def test_processes_equal_one(world: int, tmp_path: Path) -> None:
    mp.spawn(worker, args=(str(tmp_path), world), nprocs=world)
    for name, options in OPTIONS.items():
        for explicit in (True, False):
            expected = step(options, explicit)
            for rank in range(world):
                found = torch.load(tmp_path / f"{name}-{explicit}-{rank}.pt", weights_only=True)
                assert found.keys() == expected.keys()
                for key, value in expected.items():
                    message = f"{name}, masks {'given' if explicit else 'drawn'}, {key}"
                    torch.testing.assert_close(
                        found[key], value, rtol=1e-3, atol=2e-5, msg=lambda text, m=message: f"{m}: {text}"
                    )
