"""Pictures decoded and resized once, into a memory-mapped file."""

from __future__ import annotations

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tireid.basics.files import put_in_place, remove_leftovers, temporary_file, write_atomically
from tireid.basics.folders import cache_dir
from tireid.basics.processes import processors
from tireid.data.checks import naming_all
from tireid.data.images import ImageError, Size, UInt8Array, decode, orientation_of, read_bytes, resize

Progress = Callable[[int, int], None]

_RESAMPLING = "pillow-bilinear-antialias"
_CHUNK = 16
"""Pictures that a thread takes at once."""


def clean_cache() -> int:
    """Remove what killed builds and generations left in :func:`cache_dir`; returns how many bytes that were.

    >>> freed = clean_cache()
    >>> freed >= 0
    True
    """
    home = cache_dir()
    return sum(remove_leftovers(folder) for folder in (home, *home.glob("*/")))


class ImageCache:
    """Decoded, resized pictures in one memory-mapped `.npy` file: uint8 (N, 3, H, W).

    Make it with :meth:`build`. ``cache[indices]`` is uint8 (B, 3, H, W). Pickling carries the path only, so loader
    workers share the pages of the file.

    Raises:
        ValueError: the file is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (60, 120), "red").save(f"{folder}/a.png")
    ...     cache = ImageCache.build([Path(folder, "a.png")], (96, 32), folder)
    ...     print(cache[[0]].shape, cache[[0]][0, :, 0, 0].tolist())
    ...
    torch.Size([1, 3, 96, 32]) [255, 0, 0]
    """

    def __init__(self, file: str | Path) -> None:
        """Open a file that :meth:`build` wrote."""
        self.file = Path(file)
        array = np.load(self.file, mmap_mode="r", allow_pickle=False)
        if array.ndim != 4 or array.shape[1] != 3 or array.dtype != np.uint8:
            raise ValueError(f"{self.file}: not an image cache ({array.dtype} {array.shape})")
        self._array = cast(UInt8Array, array)

    @classmethod
    def build(
        cls,
        paths: Sequence[str | Path],
        size: Size = (384, 128),
        directory: str | Path | None = None,
        on_progress: Progress | None = None,
        threads: int | None = None,
        *,
        upright: bool = False,
    ) -> ImageCache:
        """Decode `paths` at `size` = (height, width), or open the file of an earlier call.

        The file under `directory` (default: `images` in :func:`cache_dir`) is named by a digest of the size, the
        resampling and the contents in order, so any change gives another file. Contents are read again only where
        path, size or modification time changed. It is written beside and renamed, so builders may run at the same
        time; what a killed one left is removed. `on_progress(done, total)` is called now and then.

        Args:
            paths: of N pictures.
            size: (height, width) in pixels.
            directory: where the files lie.
            on_progress: called with (done, total).
            threads: that decode; all processors by default.
            upright: turn each picture as its EXIF orientation says.

        Raises:
            ImageError: pictures cannot be read, of which the first three are named and all are counted; or the cache
                cannot be written.
            ValueError: there is no picture, or the size is no size.
        """
        if not paths:
            raise ValueError("an image cache needs at least one picture")
        if min(size) < 1:
            raise ValueError(f"size is (height, width) in pixels, got {size}")
        folder = Path(directory) if directory is not None else cache_dir() / "images"
        remove_leftovers(folder)
        how = _How(size, upright)
        cache = _build([Path(path) for path in paths], how, folder, threads or processors(), on_progress)
        if on_progress:
            on_progress(len(paths), len(paths))
        return cache

    @property
    def size(self) -> Size:
        """(height, width) in pixels."""
        return self._array.shape[2], self._array.shape[3]

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]] | Tensor | slice) -> Tensor:
        where = indices if isinstance(indices, slice) else np.asarray(indices)
        rows = self._array[where]
        return torch.from_numpy(np.array(rows))  # a copy: tensors must own memory that can be written

    def __repr__(self) -> str:
        return f"ImageCache({len(self)} pictures {self.size[0]}x{self.size[1]}, {self.file})"

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["file"])  # type: ignore[misc]


def _try_open(file: Path, shape: tuple[int, ...]) -> ImageCache | None:
    """The cache if it is there and whole; a damaged one is built again."""
    try:
        cache = ImageCache(file)
    except (OSError, ValueError, EOFError):
        return None
    return cache if (len(cache), 3, *cache.size) == shape else None


class _How(NamedTuple):
    """How pictures are decoded."""

    size: Size
    upright: bool


def _build(paths: list[Path], how: _How, folder: Path, threads: int, on_progress: Progress | None) -> ImageCache:
    names, shape, size = [str(path.absolute()) for path in paths], (len(paths), 3, *how.size), how.size
    told = json.dumps([*names, *(["upright"] if how.upright else [])])
    manifest = folder / f"manifest-{hashlib.blake2b(told.encode(), digest_size=16).hexdigest()}.json"
    with naming_all(paths):
        stats, known = [_stat(path) for path in paths], _read_manifest(manifest)
    entries = [known.get(name) for name in names]
    if all(entry and entry[:2] == stat for entry, stat in zip(entries, stats, strict=True)):
        cache = _try_open(folder / _cache_name([entry.digest for entry in entries if entry], size), shape)
        if cache is not None:
            return cache
    try:
        with temporary_file(folder / "images.npy") as temporary:
            with temporary.open("wb") as stream, naming_all(paths):
                digests = _decode_all(paths, how, stream, threads, on_progress)
            file = folder / _cache_name(digests, size)
            if (cache := _try_open(file, shape)) is None:
                put_in_place(temporary, file)
        fresh = {name: [*stat, digest] for name, stat, digest in zip(names, stats, digests, strict=True)}
        write_atomically(manifest, json.dumps(fresh))
    except OSError as error:
        problem = f"{folder}: the image cache cannot be written ({error})"
        raise ImageError(f"{problem}. Fix: make room, or set TIREID_CACHE to another folder") from error
    return ImageCache(file) if cache is None else cache


class _Known(NamedTuple):
    """What is remembered of a picture's file: it is read again only if size or modification time differ."""

    bytes: int
    modified: int
    digest: str


def _decode_all(
    paths: Sequence[Path], how: _How, stream: IO[bytes], threads: int, on_progress: Progress | None
) -> list[str]:
    """Write the pictures in order, and return what tells the pixels of each: the digest of its file, and any turn.

    Plain writes, since a full disk is an error there, but kills the process that writes through a memory map.
    """
    digests: list[str] = []
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), 3, *how.size)}
    np.lib.format.write_array_header_1_0(stream, header)
    for chunk in _in_order(lambda some: [_decode_one(path, how) for path in some], paths, threads):
        for digest, picture in chunk:
            stream.write(picture)
            digests.append(digest)
        if on_progress:
            on_progress(len(digests), len(paths))
    stream.flush()
    return digests


def _decode_one(path: Path, how: _How) -> tuple[str, memoryview]:
    """Digest of the file, with how it was turned if it was, and its pixels, from one read."""
    content = read_bytes(path)
    digest, turn = hashlib.blake2b(content, digest_size=16).hexdigest(), 1
    if how.upright and (turn := orientation_of(io.BytesIO(content))) != 1:
        digest += f"-turned-{turn}"
    return digest, resize(decode(content, path, how.size, upright=turn != 1), how.size).data


def _in_order(work: Callable[[Sequence[Path]], Any], paths: Sequence[Path], threads: int) -> Iterator[Any]:
    """`work` on chunks of `paths` in threads, in their order, a few chunks ahead of whoever takes them."""
    waiting: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(paths), _CHUNK):
            waiting.append(pool.submit(work, paths[start : start + _CHUNK]))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _cache_name(digests: Sequence[str], size: Size) -> str:
    text = json.dumps([_RESAMPLING, list(size), list(digests)])
    return f"images-{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}.npy"


def _stat(path: Path) -> tuple[int, int]:
    """Size in bytes and modification time in ns."""
    try:
        found = path.stat()
    except OSError as error:
        problem = "no such picture" if isinstance(error, FileNotFoundError) else f"not a readable picture ({error})"
        raise ImageError(f"{path}: {problem}") from None
    return found.st_size, found.st_mtime_ns


def _read_manifest(file: Path) -> dict[str, _Known]:
    """A manifest is only a memory: one that is missing or damaged is an empty one."""
    try:
        return {name: _Known(*entry) for name, entry in json.loads(file.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
