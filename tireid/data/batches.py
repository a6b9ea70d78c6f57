"""Which pairs come together in a batch, and the loader that fetches them.

A *pair* is one caption with its image. Both samplers are batch samplers: they yield lists of pair indices, the same
for the same (seed, epoch), and with `world_size` > 1 each process gets its contiguous slice of the same global batch.
Their length is fixed, pairs // batch_size and one more if the last is kept, so that a schedule is known before
training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from tireid.basics.processes import processors, without_interrupts
from tireid.data.cache import ImageCache
from tireid.data.split import Split


class _EpochSampler(Sampler[list[int]], ABC):
    """What both samplers share: sizes, the epoch, and the slice of a process."""

    def __init__(self, num_pairs: int, batch_size: int, seed: int, rank: int, world_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if num_pairs < batch_size:
            raise ValueError(f"batch_size ({batch_size}) must not exceed the number of pairs ({num_pairs}); lower it")
        if world_size < 1 or batch_size % world_size:
            raise ValueError(
                f"batch_size ({batch_size}) must be a multiple of world_size ({world_size}), the number of processes"
            )
        if not 0 <= rank < world_size:
            raise ValueError(f"rank must be in 0..{world_size - 1}, got {rank}")
        self.num_pairs, self.batch_size, self.seed = num_pairs, batch_size, seed
        self.rank, self.world_size, self.epoch = rank, world_size, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration draws."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_pairs // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.global_batches(np.random.default_rng([self.seed, self.epoch])):
            share = len(batch) // self.world_size
            yield batch[self.rank * share : (self.rank + 1) * share]

    @abstractmethod
    def global_batches(self, rng: np.random.Generator) -> Iterable[list[int]]:
        """`len(self)` batches of `batch_size` pair indices; the last may be smaller."""


class RandomBatchSampler(_EpochSampler):
    """Pairs shuffled, each at most once an epoch; the last, incomplete batch is dropped.

    With `keep_last` it is not, but for pairs that do not divide among the processes (source: IRRA).

    Raises:
        ValueError: there are fewer pairs than `batch_size`, or `world_size` does not divide it.

    >>> [len(batch) for batch in RandomBatchSampler(10, 4, seed=0)]
    [4, 4]
    """

    def __init__(
        self,
        num_pairs: int,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        keep_last: bool = False,
    ) -> None:
        super().__init__(num_pairs, batch_size, seed, rank, world_size)
        left = num_pairs % batch_size
        self.last = left - left % world_size if keep_last else 0
        """Pairs in the incomplete batch."""

    def __len__(self) -> int:
        return super().__len__() + (self.last > 0)

    def global_batches(self, rng: np.random.Generator) -> Iterator[list[int]]:
        """A permutation, cut."""
        order = rng.permutation(self.num_pairs)
        order = order[: self.num_pairs - self.num_pairs % self.batch_size + self.last]
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size].tolist()


class PKBatchSampler(_EpochSampler):
    """P different people with K pairs of each; P is `batch_size` / K.

    - Within a batch, a person's pairs show as many different images as can be.
    - No pair comes twice in an epoch while its person has pairs left; then, and for a person with fewer than K pairs,
      that person's own pairs are repeated to fill K.
    - People are drawn with probability proportional to the pairs they have left, so that all end together. Someone
      who has no pairs left is drawn only when everyone who has is in the batch already. Everyone takes part in an
      epoch that has room for them (P times the number of batches).
    - The P people of a batch stand one after the other, so a process that gets whole people computes their variance
      from the same pairs as one process would.

    Args:
        labels: person of every pair, any integers, (M,).
        image_index: image of every pair, (M,).
        batch_size: pairs in the global batch.
        pairs_per_person: K.
        seed: of the draws, with the epoch.
        rank: this process.
        world_size: number of processes; must divide `batch_size`.

    Raises:
        ValueError: K does not divide `batch_size`, or there are fewer people than P or pairs than `batch_size`.

    >>> sampler = PKBatchSampler([0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5], batch_size=4, pairs_per_person=2)
    >>> sorted(next(iter(sampler))) in ([0, 1, 2, 3], [0, 1, 4, 5], [2, 3, 4, 5])
    True
    """

    def __init__(
        self,
        labels: Sequence[int] | npt.NDArray[np.integer[Any]],
        image_index: Sequence[int] | npt.NDArray[np.integer[Any]],
        batch_size: int,
        pairs_per_person: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        labels, self.image_index = np.asarray(labels), np.asarray(image_index)
        if labels.ndim != 1 or labels.shape != self.image_index.shape:
            raise ValueError(f"labels {labels.shape} and image_index {self.image_index.shape} must both be (pairs,)")
        super().__init__(len(labels), batch_size, seed, rank, world_size)
        if pairs_per_person < 1 or batch_size % pairs_per_person:
            raise ValueError(f"batch_size ({batch_size}) must be a multiple of pairs_per_person ({pairs_per_person})")
        order = np.argsort(labels, kind="stable")
        ends = np.flatnonzero(np.diff(labels[order])) + 1
        self.pairs_of = np.split(order, ends)
        """Per person, in the order of the labels: indices of their pairs."""
        self.pairs_per_person, self.people_per_batch = pairs_per_person, batch_size // pairs_per_person
        if len(self.pairs_of) < self.people_per_batch:
            raise ValueError(
                f"a batch needs batch_size / pairs_per_person = {self.people_per_batch} different people, there are "
                f"{len(self.pairs_of)}; take more (--limit), or lower batch_size (--set sampler.batch_size=16)"
            )

    def global_batches(self, rng: np.random.Generator) -> Iterator[list[int]]:
        """People by :meth:`_choose_people`, their pairs by :meth:`_choose_pairs`."""
        unused = [rng.permutation(pairs).tolist() for pairs in self.pairs_of]
        left = np.array([len(pairs) for pairs in unused])
        unseen = np.ones(len(unused), dtype=bool)
        for batches in range(len(self), 0, -1):
            batch: list[int] = []
            for person in self._choose_people(left, unseen, batches, rng).tolist():
                pairs = self._choose_pairs(unused[person], self.pairs_of[person], rng)
                unused[person] = [pair for pair in unused[person] if pair not in pairs]
                left[person] = len(unused[person])
                unseen[person] = False
                batch += pairs
            yield batch

    def _choose_people(
        self, left: npt.NDArray[np.int64], unseen: npt.NDArray[np.bool_], batches: int, rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """P people for the first of the `batches` that remain: those with the smallest keys, in random order.

        An exponential variate over a weight is the key of a weighted draw without replacement (Efraimidis and
        Spirakis, 2006). Keys below 0 must come now or miss out; keys of 1e9 and more have nothing left.
        """
        people = len(left)
        keys = np.where(left > 0, rng.exponential(size=people) / np.maximum(left, 1), 1e9 + rng.random(people))
        keys = np.where(left > (batches - 1) * self.pairs_per_person, -left.astype(float), keys)
        if unseen.sum() > (batches - 1) * self.people_per_batch:
            keys = np.where(unseen, -1e9 - rng.random(people), keys)
        chosen = np.argpartition(keys, self.people_per_batch - 1)[: self.people_per_batch]
        return rng.permutation(chosen)

    def _choose_pairs(self, unused: list[int], own: npt.NDArray[np.int64], rng: np.random.Generator) -> list[int]:
        """K pairs of one person: unused ones, then others of theirs, then repetitions."""
        chosen = self._spread(unused, self.pairs_per_person, [])
        while len(chosen) < self.pairs_per_person:
            shuffled: list[int] = rng.permutation(own).tolist()
            rest = [pair for pair in shuffled if pair not in chosen] or shuffled
            chosen += self._spread(rest, self.pairs_per_person - len(chosen), chosen)
        return chosen

    def _spread(self, pool: list[int], number: int, taken: list[int]) -> list[int]:
        """Up to `number` of `pool`, with as few images twice as can be, images with most pairs in `pool` first."""
        seen = Counter(self.image_index[taken].tolist()) if taken else Counter()
        images = self.image_index[pool].tolist() if pool else []
        total = Counter(images)
        ranked: list[tuple[int, int, int, int]] = []
        for pair, image in zip(pool, images, strict=True):
            ranked.append((seen[image], -total[image], len(ranked), pair))
            seen[image] += 1
        return [pair for *_, pair in sorted(ranked)[:number]]


@dataclass
class Batch:
    """B pairs.

    >>> ids, labels = torch.zeros(2, 64).long(), torch.tensor([0, 1])
    >>> batch = Batch(torch.zeros(2, 3, 96, 32), ids, labels, torch.tensor([5, 9]))
    >>> batch.pair_index.tolist()
    [5, 9]
    """

    images: Tensor
    """uint8 (B, 3, H, W)"""
    input_ids: Tensor
    """int64 (B, L); L is that of the longest caption of the batch"""
    labels: Tensor
    """int64 (B,)"""
    pair_index: Tensor
    """int64 (B,): which pairs of the split"""

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str, non_blocking: bool = True) -> Batch:
        """The same batch on `device`."""
        return Batch(*(tensor.to(device, non_blocking=non_blocking) for tensor in vars(self).values()))

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; the loader calls this."""
        return Batch(*(tensor.pin_memory() for tensor in vars(self).values()))


class _Pairs(Dataset[Batch]):
    """Fetches a whole batch at once: one read of the cache, one of each tensor."""

    def __init__(
        self, cache: ImageCache, image_index: Tensor, input_ids: Tensor, labels: Tensor, lengths: Tensor
    ) -> None:
        self.cache, self.image_index, self.input_ids, self.labels = cache, image_index, input_ids, labels
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, pair: int) -> Batch:
        return self.__getitems__([pair])

    def __getitems__(self, pairs: list[int]) -> Batch:
        index = torch.as_tensor(pairs)
        words = self.input_ids[index, : int(self.lengths[index].max())]
        return Batch(self.cache[self.image_index[index]], words, self.labels[index], index)


def _as_is(batch: Any) -> Any:
    return batch


class _Loader(DataLoader[Batch]):
    def __iter__(self) -> Any:
        with without_interrupts():  # its workers are started here
            return super().__iter__()


def make_loader(
    split: Split,
    cache: ImageCache,
    input_ids: Tensor,
    labels: Tensor,
    batch_sampler: Sampler[list[int]],
    workers: int = 0,
    lengths: Tensor | None = None,
) -> DataLoader[Batch]:
    """A loader of :class:`Batch` in the order of `batch_sampler`.

    Args:
        split: says which image each pair has.
        cache: the split's pictures, in its order.
        input_ids: of all its captions, int64 (M, L).
        labels: of all its captions, int64 (M,).
        batch_sampler: yields lists of pair indices.
        workers: processes that fetch; they are spawned, never forked, and map the cache's file themselves.
        lengths: of all its captions, start and end included, int64 (M,): a batch is cut to its longest. None: L.

    Raises:
        ValueError: a size does not belong to `split`.

    >>> from pathlib import Path
    >>> from tireid.data import Record, Split
    >>> split = Split("train", [Record(Path("a.png"), 7, ("a man",), "train")])
    >>> pictures, ids = torch.zeros(1, 3, 96, 32).byte(), torch.zeros(1, 8).long()
    >>> next(iter(make_loader(split, pictures, ids, ids[:, 0], [[0]]))).images.shape
    torch.Size([1, 3, 96, 32])
    """
    for what, found, expected in (
        ("cache", len(cache), split.num_images),
        ("input_ids", len(input_ids), split.num_captions),
        ("labels", len(labels), split.num_captions),
    ):
        if found != expected:
            raise ValueError(f"{what} has {found} entries, but the {split.name} split needs {expected}")
    workers = min(workers, processors())  # a configuration may come from a larger machine
    if lengths is None:
        lengths = torch.full_like(labels, input_ids.shape[1])
    return _Loader(
        _Pairs(cache, torch.from_numpy(split.caption_image_index), input_ids, labels, lengths),
        batch_sampler=batch_sampler,
        collate_fn=_as_is,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )
