"""Losses a block of rows at a time: the value and the gradients of the whole, and memory in proportion to the batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from tests.benchmarks.loss_memory import Saved
from tireid.losses import ALIGNMENTS, CircleLoss, common, recovery_loss
from tireid.model.gaussian import Gaussian, identity_variance
from tireid.model.objective import diagnostics

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
LOSSES: dict[str, Loss] = {
    **{name: kind().compute for name, kind in ALIGNMENTS.items()},
    "circle of pairs": CircleLoss(positives="pair", bound=0.5).compute,
    "infonce recovery": partial(recovery_loss, kind="infonce"),
    "circle recovery": partial(recovery_loss, kind="circle"),
    "variance": lambda x, z, ids: (identity_variance(x, ids, True) * z).sum(),
}


def batch(pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Features (pairs, 6) of both modalities, and people with one to three pairs each."""
    rng = torch.Generator().manual_seed(0)
    image, text = torch.randn(2, pairs, 6, generator=rng, dtype=torch.float64)
    return image.requires_grad_(), text.requires_grad_(), torch.arange(pairs) * 2 // 5


@pytest.mark.parametrize("name", LOSSES)
def test_blocks_of_rows_have_the_value_and_the_gradients_of_the_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for cells in (common.CELLS, 3 * 13 + 1):
        monkeypatch.setattr(common, "CELLS", cells)
        image, text, ids = batch(13)
        loss = LOSSES[name](image, text, ids)
        loss.backward()
        found.append((loss.detach(), image.grad, text.grad))
    whole, blocks = found
    assert whole[1].abs().max() > 0
    torch.testing.assert_close(blocks, whole, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_kept_grows_in_proportion_to_the_batch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(pairs: int) -> int:
        """Numbers that autograd holds when the loss is known."""
        saved = Saved()
        given = batch(pairs)
        with torch.autograd.graph.saved_tensors_hooks(saved.hold, saved.give):
            loss = LOSSES[name](*given)
        assert loss.requires_grad
        return sum(x.numel() for x in saved.tensors())

    assert kept(400) > 100_000 or name == "variance"  # in one block
    monkeypatch.setattr(common, "CELLS", 5_000)
    assert kept(400) < 2.5 * kept(200) < 50_000


def test_diagnostics_in_blocks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    image, text, ids = batch(13)
    sides = [Gaussian(x, x.square(), torch.stack([x, x + 0.1])) for x in (image.detach(), text.detach())]
    whole = diagnostics(CircleLoss(), *sides, ids)
    monkeypatch.setattr(common, "CELLS", 40)
    torch.testing.assert_close(diagnostics(CircleLoss(), *sides, ids), whole)
