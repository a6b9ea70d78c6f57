"""Samplers by property tests; the loader against indexing by hand."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.data.folders import write_folder
from tireid.data import Dataset, ImageCache, PKBatchSampler, RandomBatchSampler, load_dataset, make_loader

People = list[list[int]]  # per person, per image: number of captions


def flatten(people: People) -> tuple[np.ndarray, np.ndarray]:
    labels, images, image = [], [], 0
    for person, captions in enumerate(people):
        for count in captions:
            labels += [person] * count
            images += [image] * count
            image += 1
    return np.array(labels), np.array(images)


PEOPLE = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=6), min_size=1, max_size=12)
SEEDS = st.integers(0, 1000)


def make(people: People, p: int, k: int, seed: int, **ranks: int) -> PKBatchSampler:
    labels, images = flatten(people)
    assume(len(labels) >= p * k)
    assume(len(people) >= p)
    order = np.random.default_rng(seed).permutation(len(labels))  # pairs of a person need not be neighbours
    return PKBatchSampler(labels[order], images[order], p * k, k, seed, **ranks)


@given(PEOPLE, st.integers(1, 5), st.integers(1, 5), SEEDS)
@settings(max_examples=60, deadline=None)
def test_pk_batches_hold_p_people_with_k_pairs(people: People, p: int, k: int, seed: int) -> None:
    sampler = make(people, p, k, seed)
    labels = np.empty(sampler.num_pairs, dtype=int)
    for person, pairs in enumerate(sampler.pairs_of):
        labels[pairs] = person
    batches = list(sampler)
    assert len(batches) == len(sampler) == sampler.num_pairs // (p * k)
    used: Counter[int] = Counter()
    for batch in batches:
        assert len(batch) == p * k
        left = {person: sum(used[pair] == 0 for pair in pairs) for person, pairs in enumerate(sampler.pairs_of)}
        blocks = [batch[start : start + k] for start in range(0, len(batch), k)]
        chosen = [labels[block[0]] for block in blocks]
        assert len(set(chosen)) == p
        for person, block in zip(chosen, blocks, strict=True):
            assert set(labels[block]) == {person}
            check_block(block, sampler, person, used)
        if any(left[person] == 0 for person in chosen):  # nobody who has pairs left was passed over
            assert {person for person, number in left.items() if number} <= set(chosen)
        used.update(batch)
    if len(people) <= p * len(batches):
        assert {labels[pair] for pair in used} == set(range(len(people)))


def check_block(block: list[int], sampler: PKBatchSampler, person: int, used: Counter[int]) -> None:
    """Repeats only where nothing is left; as many images as can be."""
    own = sampler.pairs_of[person].tolist()
    unused = [pair for pair in own if not used[pair]]
    fresh = [pair for pair in block if not used[pair]]
    assert len(set(fresh)) == min(len(unused), len(block))
    assert len(set(block)) == min(len(own), len(block))
    times = Counter(block)
    assert max(times.values()) - min(times[pair] for pair in own) <= 1 or len(own) >= len(block)
    images = {int(sampler.image_index[pair]) for pair in unused}
    others = {int(sampler.image_index[pair]) for pair in own} - images
    possible = min(len(images), len(block)) + min(len(others), max(0, len(block) - len(unused)))
    assert len({int(sampler.image_index[pair]) for pair in block}) == possible


@given(PEOPLE, st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 2, 3, 4]), SEEDS)
@settings(max_examples=60, deadline=None)
def test_ranks_are_slices_of_one_batch(people: People, p: int, k: int, world: int, seed: int) -> None:
    p *= world
    whole = list(make(people, p, k, seed))
    parts = [list(make(people, p, k, seed, rank=rank, world_size=world)) for rank in range(world)]
    for step, batch in enumerate(whole):
        assert [pair for part in parts for pair in part[step]] == batch
        assert all(len(part[step]) == p * k // world for part in parts)


@given(st.integers(1, 60), st.integers(1, 10), SEEDS, st.sampled_from([1, 2]))
@settings(max_examples=80, deadline=None)
def test_random_batches_hold_each_pair_at_most_once(pairs: int, size: int, seed: int, world: int) -> None:
    size *= world
    assume(pairs >= size)
    samplers = [RandomBatchSampler(pairs, size, seed, rank, world) for rank in range(world)]
    batches = [[pair for part in parts for pair in part] for parts in zip(*samplers, strict=True)]
    flat = [pair for batch in batches for pair in batch]
    assert len(batches) == len(samplers[0]) == pairs // size
    assert len(flat) == len(set(flat)) == pairs // size * size
    assert set(flat) <= set(range(pairs))


def test_random_order_is_uniform() -> None:
    firsts: Counter[int] = Counter()
    sampler = RandomBatchSampler(5, 5, seed=0)
    for epoch in range(2000):
        sampler.set_epoch(epoch)
        firsts[next(iter(sampler))[0]] += 1
    assert all(abs(firsts[pair] - 400) < 4 * (2000 * 0.2 * 0.8) ** 0.5 for pair in range(5))


def samplers(seed: int) -> list[PKBatchSampler | RandomBatchSampler]:
    labels, images = flatten([[2, 2, 2]] * 12)
    return [PKBatchSampler(labels, images, 8, 2, seed), RandomBatchSampler(72, 8, seed)]


@pytest.mark.parametrize("kind", [0, 1])
def test_order_depends_on_seed_and_epoch_alone(kind: int) -> None:
    sampler = samplers(3)[kind]
    first, again = list(sampler), list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    fresh = samplers(3)[kind]
    fresh.set_epoch(1)
    assert first == again != second == list(fresh)
    assert list(samplers(4)[kind]) != first


def test_balanced_people_end_together_without_repeats() -> None:
    labels, images = flatten([[2, 2, 2, 2]] * 40)
    flat = [pair for batch in PKBatchSampler(labels, images, 16, 2, seed=0) for pair in batch]
    assert sorted(flat) == list(range(320))


def test_images_with_most_captions_come_first_so_that_the_rest_stays_distinct() -> None:
    images = np.array([0, 0, 0, 1, 2, 3])
    sampler = PKBatchSampler([0] * 6, images, 2, 2, seed=0)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        assert [len(set(images[batch])) for batch in sampler] == [2, 2, 2]


def test_one_person_with_most_pairs_comes_in_every_batch() -> None:
    labels, images = flatten([[2] * 20, *[[2]] * 20])  # 40 pairs of one person, 40 of twenty others
    sampler = PKBatchSampler(labels, images, 4, 2, seed=0)
    flat = [pair for batch in sampler for pair in batch]
    assert len(set(flat)) == 80


def test_people_are_spread_over_the_epoch() -> None:
    labels, images = flatten([[1, 1]] * 30 + [[1] * 8] * 30)
    early: Counter[bool] = Counter()
    sampler = PKBatchSampler(labels, images, 10, 2, seed=0)
    for epoch in range(40):
        sampler.set_epoch(epoch)
        for batch in list(sampler)[:10]:
            early.update(bool(labels[pair] < 30) for pair in batch)
    assert early[True] / early.total() == pytest.approx(60 / 300, abs=0.03)  # their share of all pairs


def test_misuse_is_explained() -> None:
    labels, images = flatten([[2, 2]] * 4)
    with pytest.raises(ValueError, match=r"pairs_per_person = 8 different people, there are 4; .*--limit.*--set"):
        PKBatchSampler(labels, images, 16, 2)
    with pytest.raises(ValueError, match=r"batch_size \(6\) must be a multiple of pairs_per_person \(4\)"):
        PKBatchSampler(labels, images, 6, 4)
    with pytest.raises(ValueError, match=r"batch_size \(8\) must be a multiple of world_size \(3\)"):
        PKBatchSampler(labels, images, 8, 4, world_size=3)
    with pytest.raises(ValueError, match=r"rank must be in 0..1, got 2"):
        RandomBatchSampler(16, 8, rank=2, world_size=2)
    with pytest.raises(ValueError, match=r"batch_size \(32\) must not exceed the number of pairs \(16\)"):
        RandomBatchSampler(16, 32)
    with pytest.raises(ValueError, match=r"must both be \(pairs,\)"):
        PKBatchSampler(labels, images[:-1], 8, 4)


# ---- the loader


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    write_folder(tmp_path, people=4, images=3)
    return load_dataset("CUHK-PEDES", tmp_path)


def loader_parts(data: Dataset, tmp_path: Path):  # type: ignore[no-untyped-def]
    split = data.train
    cache = ImageCache.build(split.image_paths, (16, 8), tmp_path / "cache")
    input_ids = torch.arange(split.num_captions * 5).view(-1, 5)
    return split, cache, input_ids, torch.from_numpy(split.labels)


def check_loader(data: Dataset, tmp_path: Path, workers: int) -> None:
    split, cache, input_ids, labels = loader_parts(data, tmp_path)
    sampler = PKBatchSampler(split.labels, split.caption_image_index, 8, 2, seed=1)
    loader = make_loader(split, cache, input_ids, labels, sampler, workers=workers)
    for epoch in range(2):
        sampler.set_epoch(epoch)
        batches = list(loader)
        assert len(batches) == len(loader) == len(sampler) == 3
        for batch, pairs in zip(batches, sampler, strict=True):
            assert batch.pair_index.tolist() == pairs
            for row, pair in enumerate(pairs):
                caption = split.captions[pair]  # "person 3 image 1 caption 0"
                person, image = int(caption.split()[1]), int(caption.split()[3])
                index = [path.name for path in split.image_paths].index(f"{person:04d}_c{image + 1}_{image:04d}.jpg")
                assert torch.equal(batch.images[row], cache[[index]][0])
                assert torch.equal(batch.input_ids[row], input_ids[pair])
                assert batch.labels[row] == split.label_of[person]
            assert (batch.images.dtype, batch.labels.dtype) == (torch.uint8, torch.int64)
            assert len(batch) == 8


def test_loader_fetches_what_the_sampler_says(data: Dataset, tmp_path: Path) -> None:
    check_loader(data, tmp_path, workers=0)


@pytest.mark.slow
def test_spawned_workers_fetch_the_same(data: Dataset, tmp_path: Path) -> None:
    check_loader(data, tmp_path, workers=2)


def test_workers_are_spawned_and_carry_little(data: Dataset, tmp_path: Path) -> None:
    split, cache, input_ids, labels = loader_parts(data, tmp_path)
    loader = make_loader(split, cache, input_ids, labels, RandomBatchSampler(24, 8), workers=1)
    assert loader.multiprocessing_context.get_start_method() == "spawn"
    assert loader.persistent_workers
    tensors = sum(tensor.nbytes for tensor in (input_ids, labels, torch.from_numpy(split.caption_image_index)))
    assert len(pickle.dumps(loader.dataset)) < tensors + 3000  # no pictures


def test_batch_moves(data: Dataset, tmp_path: Path) -> None:
    split, cache, input_ids, labels = loader_parts(data, tmp_path)
    batch = next(iter(make_loader(split, cache, input_ids, labels, RandomBatchSampler(24, 8))))
    moved = batch.to("meta")
    assert {moved.images.device.type, moved.input_ids.device.type, moved.labels.device.type} == {"meta"}
    assert moved.pair_index.device.type == "meta"


def test_sizes_must_belong_to_the_split(data: Dataset, tmp_path: Path) -> None:
    split, cache, input_ids, labels = loader_parts(data, tmp_path)
    with pytest.raises(ValueError, match="input_ids has 23 entries, but the train split needs 24"):
        make_loader(split, cache, input_ids[1:], labels, RandomBatchSampler(24, 8))
    small = type(split)("small", split.records[:2])
    with pytest.raises(ValueError, match="cache has 12 entries, but the small split needs 2"):
        make_loader(small, cache, input_ids, labels, RandomBatchSampler(24, 8))


def test_the_last_batch_is_kept_and_divides_among_processes() -> None:
    assert len(RandomBatchSampler(68_126, 64, keep_last=True)) == 1065  # CUHK-PEDES, as IRRA's loader has it
    assert len(RandomBatchSampler(68_126, 64)) == 1064
    assert len(RandomBatchSampler(128, 64, keep_last=True)) == 2
    whole = list(RandomBatchSampler(23, 4, seed=3, keep_last=True))
    assert [len(batch) for batch in whole] == [4, 4, 4, 4, 4, 3]
    assert sorted(pair for batch in whole for pair in batch) == list(range(23))
    halves = [list(RandomBatchSampler(23, 4, seed=3, rank=rank, world_size=2, keep_last=True)) for rank in (0, 1)]
    assert [len(a) for a in halves[0]] == [len(b) for b in halves[1]] == [2, 2, 2, 2, 2, 1]
    assert [a + b for a, b in zip(*halves, strict=True)] == [*whole[:5], whole[5][:2]]
