"""IRRA's random erasing, against torchvision's procedure done one picture at a time."""

from __future__ import annotations

import math
import random

import numpy as np
import torch

from tireid.data.augment import Augment
from tireid.data.erasing import IrraErasing, rectangles
from tireid.data.images import IMAGE_MEAN, IMAGE_STD

SIZE = (96, 32)


def one_at_a_time(count: int, rng: random.Random) -> list[tuple[int, int]]:
    """(h, w) of erased rectangles; (0, 0) where none of ten fits."""
    sides = []
    for _ in range(count):
        for _ in range(10):
            area = SIZE[0] * SIZE[1] * rng.uniform(0.02, 0.4)
            aspect = math.exp(rng.uniform(math.log(0.3), math.log(3.3)))
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h < SIZE[0] and w < SIZE[1]:
                sides.append((h, w))
                break
        else:
            sides.append((0, 0))
    return sides


def test_sides_are_distributed_as_one_at_a_time() -> None:
    torch.manual_seed(0)
    rows, columns, erased = rectangles(20_000, SIZE, p=1.0)
    ours = np.stack([(rows[:, 1] - rows[:, 0]).numpy(), (columns[:, 1] - columns[:, 0]).numpy()])[:, erased.numpy()]
    expected = np.array([s for s in one_at_a_time(20_000, random.Random(1)) if s != (0, 0)]).T
    for mine, theirs in zip(ours, expected, strict=True):
        # Two samples of one distribution: the largest gap of their distribution functions, 1.95 is p = 0.001.
        values = np.arange(100)
        gap = np.abs((mine[:, None] <= values).mean(0) - (theirs[:, None] <= values).mean(0)).max()
        assert gap < 1.95 * math.sqrt(1 / len(mine) + 1 / len(theirs))
    assert abs(float(erased.float().mean()) - expected.shape[1] / 20_000) < 0.01


def test_rectangles_lie_inside_at_every_place_that_is_possible() -> None:
    torch.manual_seed(1)
    rows, columns, erased = rectangles(20_000, SIZE, p=0.5)
    assert 0.48 < float(erased.float().mean()) < 0.52
    assert int(rows.min()) == 0
    assert int(columns.min()) == 0
    assert int(rows.max()) == SIZE[0]
    assert int(columns.max()) == SIZE[1]
    small = (rows[:, 1] - rows[:, 0]) == 16
    counts = torch.bincount(rows[small, 0], minlength=81)
    assert len(counts) == 81  # from 0 to 96 - 16
    assert float(counts.float().std()) < 3 * math.sqrt(float(counts.float().mean()))


def test_the_colour_is_clips_mean_after_normalisation() -> None:
    torch.manual_seed(0)
    black = torch.zeros(16, 3, *SIZE, dtype=torch.uint8)
    augmented = Augment(SIZE, flip=0.0, pad=0, erase=1.0, erasing="irra")(black)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
    pixels = (255 * (augmented * std + mean)).round().to(torch.uint8)
    colours = {tuple(colour.tolist()) for colour in pixels.permute(0, 2, 3, 1).reshape(-1, 3).unique(dim=0)}
    assert colours == {(0, 0, 0), (156, 147, 133)}


def test_nothing_else_is_touched() -> None:
    torch.manual_seed(0)
    images = torch.randn(8, 3, *SIZE)
    erased = IrraErasing(0.5, (9.0, 9.0, 9.0))(images)
    changed = (erased != images).all(dim=1)
    assert torch.equal(erased[:, 0][~changed], images[:, 0][~changed])
    for picture in changed:
        rows, columns = picture.any(dim=1), picture.any(dim=0)
        assert int(picture.sum()) == int(rows.sum()) * int(columns.sum())  # one rectangle, or none
