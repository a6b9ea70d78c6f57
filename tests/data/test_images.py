"""Decoding, the cache, normalisation and augmentation."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.folders import truncate
from tests.oracles.resize import resize_bilinear_antialias
from tireid.data import IMAGE_MEAN, IMAGE_STD, Augment, ImageCache, ImageError, cache_dir, load_image, normalize
from tireid.data import images as module


def write_pictures(folder: Path, number: int, size: tuple[int, int] = (40, 24)) -> list[Path]:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{index}.png" for index in range(number)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return write_pictures(tmp_path / "pictures", 7)


# ---- one picture


def test_resize_is_bilinear_with_antialias(paths: list[Path]) -> None:
    picture = np.asarray(Image.open(paths[0]))
    expected = resize_bilinear_antialias(picture, (12, 9))
    found = load_image(paths[0], (12, 9))
    assert found.dtype == torch.uint8
    assert found.shape == (3, 12, 9)
    assert np.abs(found.numpy().transpose(1, 2, 0) - expected).max() <= 1.0  # two passes round to bytes


def test_sources_agree(paths: list[Path]) -> None:
    image = Image.open(paths[0])
    loaded = [load_image(source, (20, 10)) for source in (paths[0], str(paths[0]), image, np.asarray(image))]
    assert all(torch.equal(loaded[0], other) for other in loaded[1:])


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1", "LA"])
def test_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "x.tif"
    Image.new(mode, (8, 8)).save(path)
    assert load_image(path, (4, 4)).shape == (3, 4, 4)


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5)
    picture.save(tmp_path / "turned.png", exif=exif)
    picture.save(tmp_path / "plain.png")
    assert torch.equal(load_image(tmp_path / "turned.png", (4, 4)), load_image(tmp_path / "plain.png", (4, 4)))


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "empty", "folder"])
def test_unreadable_picture_names_its_path(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "person.jpg"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)).save(path)
    if damage == "truncated":
        truncate(path)
    elif damage == "missing":
        path.unlink()
    elif damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_text("not a picture" if damage == "text" else "")
    for read in (lambda: load_image(path, (8, 8)), lambda: ImageCache.build([path], (8, 8), tmp_path / "cache")):
        with pytest.raises(ImageError, match=str(path)):
            read()
    assert not list((tmp_path / "cache").glob("*images*"))


def test_load_image_says_what_it_takes() -> None:
    with pytest.raises(TypeError, match=r"uint8 array \(H, W, 3\); got array float64 \(4, 4, 3\)"):
        load_image(np.zeros((4, 4, 3)), (4, 4))
    with pytest.raises(TypeError, match="got int"):
        load_image(3, (4, 4))  # type: ignore[arg-type]


# ---- the cache


def test_cache_equals_loading_one_by_one(paths: list[Path], tmp_path: Path) -> None:
    cache = ImageCache.build(paths, (16, 8), tmp_path / "cache")
    expected = torch.stack([load_image(path, (16, 8)) for path in paths])
    assert (len(cache), cache.size) == (7, (16, 8))
    assert torch.equal(cache[[3, 3, 0]], expected[[3, 3, 0]])
    assert torch.equal(cache[torch.tensor([6, 1])], expected[[6, 1]])
    assert torch.equal(cache[np.array([2])], expected[[2]])
    assert torch.equal(cache[1:4], expected[1:4])
    assert cache[[0]].dtype == torch.uint8
    for owned in (cache[[0]], cache[0:1]):  # a write to the read-only map would kill the process
        assert not np.shares_memory(owned.numpy(), cache._array)


def test_unchanged_pictures_are_read_once(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ImageCache.build(paths, (16, 8), tmp_path / "cache")
    monkeypatch.setattr(module, "open_image", lambda path: pytest.fail(f"decoded {path}"))
    monkeypatch.setattr(Path, "read_bytes", keep_small_files(Path.read_bytes))
    assert ImageCache.build(paths, (16, 8), tmp_path / "cache").file == first.file


def keep_small_files(original):  # type: ignore[no-untyped-def]
    def read_bytes(path: Path) -> bytes:
        assert path.suffix != ".png", f"read {path}"
        return original(path)

    return read_bytes


def test_changed_content_order_or_size_is_another_file(paths: list[Path], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    files = {ImageCache.build(paths, (16, 8), cache).file}
    files.add(ImageCache.build(paths, (8, 16), cache).file)
    files.add(ImageCache.build(paths[::-1], (16, 8), cache).file)
    Image.new("RGB", (24, 40), "red").save(paths[2])
    changed = ImageCache.build(paths, (16, 8), cache)
    files.add(changed.file)
    assert len(files) == 4
    assert changed[[2]].unique().tolist() == [0, 255]


def test_moved_pictures_share_the_file(paths: list[Path], tmp_path: Path) -> None:
    first = ImageCache.build(paths, (16, 8), tmp_path / "cache")
    moved = [path.rename(path.with_name(f"moved-{path.name}")) for path in paths]
    assert ImageCache.build(moved, (16, 8), tmp_path / "cache").file == first.file


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "other shape", "object array"])
def test_damaged_cache_is_built_again(paths: list[Path], tmp_path: Path, damage: str) -> None:
    cache = ImageCache.build(paths, (16, 8), tmp_path / "cache")
    expected, file = cache[:], cache.file
    content = file.read_bytes()
    file.unlink()
    if damage == "other shape":
        np.save(file, np.zeros((7, 3, 8, 16), np.uint8))
    elif damage == "object array":
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        file.write_bytes({"cut": content[:-10], "empty": b"", "garbage": b"\0" * len(content)}[damage])
    assert torch.equal(ImageCache.build(paths, (16, 8), tmp_path / "cache")[:], expected)


def test_damaged_manifest_is_forgotten(paths: list[Path], tmp_path: Path) -> None:
    first = ImageCache.build(paths, (16, 8), tmp_path / "cache")
    (manifest,) = (tmp_path / "cache").glob("manifest-*.json")
    for damage in ("{", "[]", '{"a": 3}'):
        manifest.write_text(damage)
        assert ImageCache.build(paths, (16, 8), tmp_path / "cache").file == first.file


def test_full_disk_is_a_clear_error_and_leaves_nothing(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(stream: object, header: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(ImageError, match=r"cannot be written .*No space left.*Fix: make room, or set TIREID_CACHE"):
        ImageCache.build(paths, (16, 8), tmp_path / "cache")
    assert [path.name[:9] for path in (tmp_path / "cache").iterdir()] == ["manifest-"]


def test_pickle_carries_the_path_only(paths: list[Path], tmp_path: Path) -> None:
    cache = ImageCache.build(paths, (64, 64), tmp_path / "cache")
    pickled = pickle.dumps(cache)
    assert len(pickled) < 500
    assert torch.equal(pickle.loads(pickled)[:], cache[:])


def build_and_sum(folder: Path, cache: Path, barrier, results) -> None:  # type: ignore[no-untyped-def]
    barrier.wait()
    results.put(int(ImageCache.build(sorted(folder.iterdir()), (32, 16), cache)[:].sum()))


@pytest.mark.slow
def test_two_processes_may_build_at_once(tmp_path: Path) -> None:
    paths = sorted(write_pictures(tmp_path / "pictures", 300))
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(2), context.Queue()
    arguments = (tmp_path / "pictures", tmp_path / "cache", barrier, results)
    processes = [context.Process(target=build_and_sum, args=arguments) for _ in range(2)]
    for process in processes:
        process.start()
    sums = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert sums == {sum(int(load_image(path, (32, 16)).sum()) for path in paths)}
    assert len(list((tmp_path / "cache").iterdir())) == 2  # one cache, one manifest, nothing left over


def test_progress_and_empty_list(paths: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ImageCache.build(paths, (16, 8), tmp_path / "cache", on_progress=lambda *at: seen.append(at))
    assert seen[-1] == (7, 7)
    with pytest.raises(ValueError, match="at least one picture"):
        ImageCache.build([], (16, 8), tmp_path / "cache")


def test_cache_dir_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("TIREID_CACHE")
    assert cache_dir() == tmp_path / "xdg" / "tireid"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_dir() == tmp_path / ".cache" / "tireid"


# ---- normalisation and augmentation


def test_normalize_by_hand() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)
    found = normalize(images)
    assert found.dtype == torch.float32
    for b, c, y, x in np.ndindex(2, 3, 4, 5):
        expected = (images[b, c, y, x].item() / 255 - IMAGE_MEAN[c]) / IMAGE_STD[c]
        assert found[b, c, y, x].item() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(TypeError, match="uint8"):
        normalize(images.float())


def test_clip_constants_are_transformers() -> None:
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    assert list(IMAGE_MEAN) == list(OPENAI_CLIP_MEAN)
    assert list(IMAGE_STD) == list(OPENAI_CLIP_STD)


def random_batch(number: int, size: tuple[int, int] = (24, 12)) -> torch.Tensor:
    return torch.randint(0, 256, (number, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_augment_without_anything_is_normalize() -> None:
    batch = random_batch(4)
    assert torch.equal(Augment((24, 12), flip=0, pad=0, erase=0)(batch), normalize(batch))


def test_flip_rate() -> None:
    batch = random_batch(1).expand(2000, -1, -1, -1)
    found = Augment((24, 12), flip=0.3, pad=0, erase=0)(batch)
    plain, flipped = normalize(batch[:1]), normalize(batch[:1].flip(-1))
    is_flipped = (found == flipped).flatten(1).all(1)
    assert torch.equal(is_flipped, ~(found == plain).flatten(1).all(1))
    assert abs(is_flipped.float().mean().item() - 0.3) < 4 * (0.3 * 0.7 / 2000) ** 0.5


def test_crop_is_a_window_of_the_picture_on_black() -> None:
    batch = random_batch(300)
    found = Augment((24, 12), flip=0, pad=3, erase=0)(batch)
    padded = normalize(torch.nn.functional.pad(batch, (3, 3, 3, 3)))
    offsets = []
    for picture, source in zip(found, padded, strict=True):
        windows = [
            (y, x) for y in range(7) for x in range(7) if torch.equal(picture, source[:, y : y + 24, x : x + 12])
        ]
        assert len(windows) == 1
        offsets += windows
    assert {y for y, _ in offsets} == {x for _, x in offsets} == set(range(7))
    assert len(set(offsets)) > 40  # of 49


@pytest.mark.parametrize(("size", "number"), [((96, 32), 1500), ((384, 128), 120)])
def test_erasing_rate_area_and_colour(size: tuple[int, int], number: int) -> None:
    torch.manual_seed(0)
    batch = torch.full((1, 3, *size), 200, dtype=torch.uint8).expand(number, -1, -1, -1)
    found = Augment(size, flip=0, pad=0, erase=0.5)(batch)
    erased = (found == 0).all(1)
    assert torch.equal(found[~erased[:, None].expand_as(found)], normalize(batch)[~erased[:, None].expand_as(found)])
    hit = erased.flatten(1).any(1)
    assert abs(hit.float().mean().item() - 0.5) < 4 * 0.5 / number**0.5
    areas = []
    for mask in erased[hit]:
        rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
        height, width = (rows[-1] - rows[0] + 1).item(), (columns[-1] - columns[0] + 1).item()
        assert mask.sum() == height * width  # one rectangle
        areas.append((height, width))
    total = size[0] * size[1]
    assert all((h + 0.5) * (w + 0.5) / total > 0.02 and (h - 0.5) * (w - 0.5) / total < 0.4 for h, w in areas)
    shares = np.array([h * w / total for h, w in areas])
    assert shares.min() < 0.06
    assert shares.max() > 0.34
    assert shares.mean() == pytest.approx(0.2, abs=0.04)


def test_augmentation_repeats_with_the_seed_and_differs_without() -> None:
    augment, batch = Augment((24, 12)), random_batch(16)
    torch.manual_seed(5)
    first, second = augment(batch), augment(batch)
    torch.manual_seed(5)
    assert torch.equal(augment(batch), first)
    assert not torch.equal(first, second)
    assert first.dtype == torch.float32


def test_augment_refuses_other_pictures() -> None:
    with pytest.raises(ValueError, match=r"pictures \(B, 3, 24, 12\), got \(1, 3, 12, 24\)"):
        Augment((24, 12))(torch.zeros(1, 3, 12, 24, dtype=torch.uint8))
    with pytest.raises(TypeError, match="uint8"):
        Augment((24, 12))(torch.zeros(1, 3, 24, 12))
