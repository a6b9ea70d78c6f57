"""Notebook 02's own resampling of positions against the library's and against plain loops."""

from __future__ import annotations

import pytest
import torch

from tests.notebooks.definitions import load_definition
from tests.oracles.positions import bilinear
from tireid.model import resample_positions

NOTEBOOK = "02_dual_encoder"
resample = load_definition(NOTEBOOK, "resample")

GRIDS = [
    ((14, 14), (24, 8)),
    ((12, 4), (24, 8)),
    ((24, 8), (7, 14)),
    ((2, 5), (7, 3)),
    ((4, 2), (4, 3)),
    ((3, 3), (6, 2)),
]


@pytest.mark.parametrize(("old", "new"), GRIDS)
def test_resampling_equals_the_library_and_loops(old: tuple[int, int], new: tuple[int, int]) -> None:
    table = torch.randn(1 + old[0] * old[1], 3, generator=torch.Generator().manual_seed(0))
    result = resample(table, old, new)
    torch.testing.assert_close(result, resample_positions(table, old, new), rtol=1e-5, atol=1e-5)
    for channel in range(3):
        expected = torch.tensor(bilinear(table[1:, channel].reshape(old).tolist(), *new)).flatten()
        torch.testing.assert_close(result[1:, channel], expected, rtol=1e-5, atol=1e-5)


def test_the_same_grid_keeps_the_table() -> None:
    table = torch.randn(1 + 12 * 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(resample(table, (12, 4), (12, 4)), table)


def test_weights_of_every_new_position_sum_to_one() -> None:
    weights = load_definition(NOTEBOOK, "bilinear_weights")(14, 24)
    assert weights.shape == (24, 14)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(24))


def test_sine_positions_are_alike_where_they_are_near() -> None:
    table = load_definition(NOTEBOOK, "sine_positions")(6, 32)
    grid = table.unflatten(0, (6, 6))
    assert table.shape == (36, 32)
    near, far = (torch.cosine_similarity(grid[2, 1], grid[2, column], dim=0) for column in (2, 4))
    assert near > far
    torch.testing.assert_close(grid[0, :, :16], grid[0, :1, :16].expand(6, -1))  # one row, one first half
