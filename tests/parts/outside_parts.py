"""What a user might write: a loss, a fusion, a reader and a metric of her own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

import tireid
from tireid.data import Dataset, Record
from tireid.losses import AlignmentLoss, CircleLoss


class MarginLoss(AlignmentLoss):
    """Hinge on the cosine of the pair against all others."""

    margin: float = Field(0.2, ge=0, le=1)

    def compute(self, image: Tensor, text: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        similarity = F.normalize(image, dim=1) @ F.normalize(text, dim=1).T
        own = similarity.diagonal()[:, None]
        others = person_ids[:, None] != person_ids
        return ((self.margin - own + similarity).relu() * others).mean()


class OwnCircle(CircleLoss):
    """A relative of a loss of the package, under its own name."""

    alignment: str
    gamma: float = Field(8.0, gt=0)


class Inherits(CircleLoss):
    """Forgets to free the name."""


@tireid.part("fusion")
def largest(batch: Tensor, identity: Tensor, lam: float) -> Tensor:
    """The larger of both variances."""
    return batch.maximum(identity)


@tireid.part("fusion")
def wrong_shape(batch: Tensor, identity: Tensor, lam: float) -> Tensor:
    """One row only."""
    return batch[0]


@tireid.part("metric")
def reciprocal_rank(ranks: npt.NDArray[np.int64]) -> float:
    """1 / rank of the first relevant item."""
    return 1 / float(ranks[0])


@tireid.part("metric")
def AP(ranks: npt.NDArray[np.int64]) -> float:
    """Has a name that is taken."""
    return 0.0


@tireid.part("reader")
def read(root: Path) -> Dataset:
    """Lines `split person file caption` of pairs.txt."""
    records = []
    for line in (root / "pairs.txt").read_text(encoding="utf-8").splitlines():
        split, person, file, caption = line.split(" ", 3)
        records.append(Record(root / file, int(person), (caption,), split))
    return Dataset.of("own", root, records)


@tireid.part("reader")
def read_wrongly(root: Path) -> list[str]:
    """Not a data set."""
    return ["train"]
