"""Decoding, the cache, normalisation and augmentation."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from tests.data.folders import truncate
from tests.oracles.resize import resize_bilinear_antialias
from tireid.data import (
    IMAGE_MEAN,
    IMAGE_STD,
    Augment,
    ImageCache,
    ImageError,
    cache_dir,
    clean_cache,
    load_image,
    normalize,
)
from tireid.data import cache as module
from tireid.data.images import open_image, to_rgb, verify_image
from tireid.data.walk import EXTENSIONS


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


def test_orientation_is_honoured_where_it_is_asked_for(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8))
    turns = [None, *list(Image.Transpose)]
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.png"
        picture.save(path, exif=exif)
        found = np.asarray(open_image(path, upright=True))
        turned = [np.asarray(picture if turn is None else picture.transpose(turn)) for turn in turns]
        assert sum(np.array_equal(found, one) for one in turned) == 1
        assert found.shape[:2] == ((6, 4) if orientation < 5 else (4, 6))
    # a photograph taken with the camera turned a quarter clockwise, in the words of EXIF: row 0 is the right-hand side
    quarter = np.asarray(open_image(tmp_path / "6.png", upright=True))
    assert np.array_equal(quarter[:, -1], np.asarray(picture)[0])
    assert torch.equal(load_image(tmp_path / "6.png", (4, 6), upright=True), torch.from_numpy(quarter).permute(2, 0, 1))


def shades(dtype: str, top: float) -> np.ndarray:
    return (np.arange(256).reshape(16, 16) / 255 * top).astype(dtype)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("16.png", shades("uint16", 65535)),
        ("16.tif", shades("uint16", 65535)),
        ("big.tif", shades(">u2", 65535)),
        ("32.tif", shades("int32", 65535)),
        ("one.tif", shades("float32", 1)),
        ("bytes.tif", shades("float32", 255)),
        ("wide.tif", shades("float32", 65535)),
        ("small.tif", shades("int32", 255)),
    ],
)
def test_sixteen_bits_and_floats_are_scaled(tmp_path: Path, name: str, values: np.ndarray) -> None:
    Image.fromarray(values).save(tmp_path / name)
    found = np.asarray(open_image(tmp_path / name))
    expected = np.arange(256).reshape(16, 16, 1)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.array_equal(np.asarray(to_rgb(Image.fromarray(values))), found)


def test_twelve_bits_in_sixteen_are_told(tmp_path: Path) -> None:
    Image.fromarray(shades("uint16", 4095)).save(tmp_path / "12.png")
    with pytest.warns(UserWarning, match="no value above 4095 of 65535: it becomes nearly black"):
        open_image(tmp_path / "12.png")
    Image.fromarray(shades("uint16", 0)).save(tmp_path / "black.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        open_image(tmp_path / "black.png")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1e6])
def test_numbers_of_no_known_range_are_refused(tmp_path: Path, value: float) -> None:
    values = shades("float32", 1)
    values[3, 3] = value
    Image.fromarray(values).save(tmp_path / "x.tif")
    with pytest.raises(ImageError, match=r"x.tif: not a readable picture \(grey values from"):
        open_image(tmp_path / "x.tif")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_transparent_pixels_are_white_and_opaque_ones_what_they_are(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
    picture.paste((200, 200, 200, 0), (0, 0, 2, 4))
    if mode == "P":
        picture = picture.convert("RGB").quantize(4)
        picture.save(tmp_path / "x.png", transparency=picture.getpixel((0, 0)))
    elif mode == "RGB":
        picture.convert("RGB").save(tmp_path / "x.png", transparency=(200, 200, 200))
    else:
        picture.convert(mode).save(tmp_path / "x.png")
    found = np.asarray(open_image(tmp_path / "x.png"))
    assert found[:, :2].min() == 255
    assert np.abs(found[:, 2:].astype(int) - 10).max() == 0


@pytest.mark.parametrize("read", [open_image, verify_image])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            "it is a Git LFS pointer: run `git lfs",
        ),
        (b"<!DOCTYPE html><title>Sign in", "it is a web page: the link led to a log-in"),
        (b"", "it is empty: the download or copy did not finish"),
        (bytes(5000), "it begins with zeros: its room was reserved and never filled"),
    ],
)
def test_what_lies_in_the_place_of_a_picture_is_told(read: Any, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.jpg: not a readable picture \({says}"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("threads", [1, 4])
def test_all_pictures_that_cannot_be_read_are_told_at_once(threads: int, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:02}.png" for number in range(60)]
    for path in paths:
        Image.new("RGB", (8, 8)).save(path)
    bad = [paths[number] for number in (3, 20, 21, 45, 59)]
    for path in bad[:2]:
        path.write_bytes(b"no picture")
    Image.fromarray(np.full((8, 8), -1, np.int32)).save(bad[2], format="TIFF")  # only a look at the values tells
    bad[3].write_bytes(b"\x89PNG")
    bad[4].write_bytes(b"")
    first = r"; \S+".join(rf"{path.name}: not a readable picture \(.*\)" for path in bad[:3])
    says = rf"^\S+{first}; 5 of 60 pictures cannot be read\. Fix: replace them; `tireid check-data` names"
    with pytest.raises(ImageError, match=says):
        ImageCache.build(paths, (8, 8), tmp_path / "cache", threads=threads)
    assert list((tmp_path / "cache").iterdir()) == [], "nothing is left of it"
    for path in bad[:4]:
        Image.new("RGB", (8, 8)).save(path)
    bad[4].unlink()
    with pytest.raises(ImageError, match=r"^\S+59\.png: no such picture; 1 of 60 pictures cannot be read"):
        ImageCache.build(paths, (8, 8), tmp_path / "cache", threads=threads)
    Image.new("RGB", (8, 8)).save(bad[4])
    assert len(ImageCache.build(paths, (8, 8), tmp_path / "cache", threads=threads)) == 60


def test_cmyk_keeps_its_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    assert np.abs(np.asarray(open_image(tmp_path / "red.jpg")).astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("read", [open_image, verify_image])
def test_no_other_program_is_started_for_a_strangers_picture(read: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the file is called."""
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **_: started.append(args))
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg: not a readable picture \(cannot identify image file\)"):
        read(tmp_path / "a.jpg")
    assert not started


def test_every_kind_that_is_accepted_by_name_is_read(tmp_path: Path) -> None:
    Image.init()
    kinds = {ending: Image.EXTENSION.get(ending, "JPEG") for ending in EXTENSIONS}
    kinds = {ending: kind for ending, kind in kinds.items() if kind in Image.SAVE}  # AVIF: where Pillow has it
    assert {".jpg", ".jp2", ".png", ".gif", ".webp"} <= set(kinds)
    for ending, kind in kinds.items():
        Image.new("RGB", (8, 8), (200, 30, 30)).save(tmp_path / f"a{ending}", format=kind)
        found = np.asarray(open_image(tmp_path / f"a{ending}")).astype(int)
        assert np.abs(found - (200, 30, 30)).max() <= 12, ending


@pytest.mark.parametrize("read", [open_image, verify_image])
def test_a_file_that_is_no_picture_is_told_without_addresses_in_memory(read: Any, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"text.png: not a readable picture \(cannot identify image file\)\. Fix:"):
        read(tmp_path / "text.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.timeout(60)
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/zero"), tmp_path):
        for read in (open_image, verify_image, lambda path: ImageCache.build([path], (8, 8), tmp_path / "cache")):
            with pytest.raises(ImageError, match=f"{path}: not a readable picture"):
                read(path)


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be so large and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_a_decompression_bomb_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(40_000, 40_000))
    for read in (open_image, verify_image):
        with pytest.raises(ImageError, match=r"bomb.png: .*decompression bomb"):
            read(tmp_path / "bomb.png")


def photograph(folder: Path, size: tuple[int, int] = (1600, 2400)) -> Path:
    """A large JPEG with detail at every scale."""
    rng, picture = np.random.default_rng(0), np.zeros((*size, 3))
    for scale in (200, 40, 8):
        cells = rng.normal(0, 30, (size[0] // scale + 1, size[1] // scale + 1, 3))
        picture += cells.repeat(scale, 0).repeat(scale, 1)[: size[0], : size[1]]
    path = folder / "photograph.jpg"
    Image.fromarray(np.clip(picture + 128, 0, 255).astype(np.uint8)).save(path, quality=92)
    return path


def test_a_large_photograph_is_decoded_at_reduced_scale_and_looks_the_same(tmp_path: Path) -> None:
    path = photograph(tmp_path)
    assert open_image(path).size == (2400, 1600)
    assert open_image(path, (128, 64)).size == (600, 400)  # the smallest scale that leaves twice 128 both ways
    found = load_image(path, (128, 64)).numpy().transpose(1, 2, 0)
    expected = resize_bilinear_antialias(np.asarray(Image.open(path)), (128, 64))
    difference = np.abs(found - expected)
    assert difference.mean() < 1.0
    assert difference.max() <= 16
    truncate(path)
    with pytest.raises(ImageError, match=r"photograph\.jpg"):
        load_image(path, (128, 64))


def test_pictures_of_the_data_sets_are_decoded_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1040, 420), (384, 128), (2048, 1024)):
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(tmp_path / "x.jpg")
        plain = Image.open(tmp_path / "x.jpg").convert("RGB").resize((32, 96), Image.Resampling.BILINEAR)
        assert np.array_equal(load_image(tmp_path / "x.jpg", (96, 32)).permute(1, 2, 0).numpy(), np.asarray(plain))


def test_names_that_are_no_text_can_be_read(tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (4, 8), "red").save(name)
    assert len(ImageCache.build([name], (8, 4), tmp_path / "cache")) == 1


def test_load_image_says_what_it_takes() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        load_image(np.zeros((0, 4, 3), np.uint8), (4, 4))
    with pytest.raises(ValueError, match="at least one pixel"):
        load_image(Image.new("RGB", (0, 4)), (4, 4))
    with pytest.raises(ValueError, match=r"size is \(height, width\) in pixels, got \(0, 4\)"):
        load_image(np.zeros((4, 4, 3), np.uint8), (0, 4))
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
    monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded"))
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
    assert list((tmp_path / "cache").iterdir()) == []


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


def build_and_die(folder: Path, cache: Path) -> None:
    def die(done: int, total: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    ImageCache.build(sorted(folder.iterdir()), (32, 16), cache, on_progress=die)


@pytest.mark.slow
def test_what_a_killed_builder_left_is_removed_by_the_next_one_and_by_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_pictures(tmp_path / "pictures", 100)
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path))
    folder, context = tmp_path / "images", multiprocessing.get_context("spawn")
    for finish in (lambda: ImageCache.build(paths[:3], (32, 16), folder), clean_cache):
        process = context.Process(target=build_and_die, args=(tmp_path / "pictures", folder))
        process.start()
        process.join()
        left = list(folder.glob(".*"))
        assert [path.name[:11] for path in left] == [".images.npy"]
        assert left[0].stat().st_size > 0
        finish()
        assert list(folder.glob(".*")) == []
    assert len(list(folder.iterdir())) == 2  # the finished cache and its manifest


def test_every_picture_is_read_once(paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original = module.read_bytes
    monkeypatch.setattr(module, "read_bytes", lambda path: (opened.append(path.name), original(path))[1])
    ImageCache.build(paths, (16, 8), tmp_path / "cache")
    assert sorted(opened) == sorted(path.name for path in paths)


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
