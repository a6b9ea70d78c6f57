"""Pictures: decode and resize once into a memory-mapped cache, normalise and augment in batches on the device."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from tireid.basics.extras import extra
from tireid.basics.files import atomic_path

IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Per channel (R, G, B), of CLIP's training pictures (source: CLIP's preprocessing)."""
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)

Size = tuple[int, int]
"""(height, width) in pixels."""
UInt8Array = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]

_RESAMPLING = "pillow-bilinear-antialias"
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class ImageError(ValueError):
    """A picture that cannot be read, or a cache that cannot be written; the message names its path."""


def cache_dir() -> Path:
    """Where caches and generated data live: `$TIREID_CACHE`, else `$XDG_CACHE_HOME/tireid`, else `~/.cache/tireid`."""
    if own := os.environ.get("TIREID_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared).expanduser() if shared else Path.home() / ".cache") / "tireid"


def open_image(path: str | Path) -> Image.Image:
    """The whole picture as RGB (EXIF orientation is ignored, as by every peer).

    Raises :class:`ImageError` naming the path if it is missing, is not a picture, or ends too early.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")  # decodes it to the end
    except FileNotFoundError:
        raise ImageError(f"{path}: no such picture") from None
    except _DECODE_ERRORS as error:
        raise ImageError(f"{path}: not a readable picture ({error}). Fix: replace the file") from error


def load_image(source: str | Path | Image.Image | npt.NDArray[Any], size: Size) -> Tensor:
    """One picture as uint8 (3, H, W), resized bilinearly with antialias (source: IRRA's resize).

    `source` is a path, a PIL image, or an RGB array uint8 (H, W, 3). Raises :class:`ImageError` for an unreadable
    file and TypeError for another kind of source.

    >>> load_image(np.zeros((192, 64, 3), np.uint8), (96, 32)).shape
    torch.Size([3, 96, 32])
    """
    if isinstance(source, (str, Path)):
        image = open_image(source)
    elif isinstance(source, Image.Image):
        image = source.convert("RGB")
    elif isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 3 and source.shape[2] == 3:
        image = Image.fromarray(np.ascontiguousarray(source), "RGB")
    else:
        got = f"array {source.dtype} {source.shape}" if isinstance(source, np.ndarray) else type(source).__name__
        raise TypeError(f"a picture is a path, a PIL image or a uint8 array (H, W, 3); got {got}")
    return torch.from_numpy(_resize(image, size))


def _resize(image: Image.Image, size: Size) -> UInt8Array:
    height, width = size
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.uint8).transpose(2, 0, 1))


def normalize(images: Tensor) -> Tensor:
    """Uint8 (B, 3, H, W) to float32 with CLIP's mean and standard deviation per channel.

    >>> black = torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    >>> [round(value, 4) for value in normalize(black).flatten().tolist()]  # -mean / std
    [-1.7923, -1.7521, -1.4802]
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"normalize expects uint8 pictures in 0..255, got {images.dtype}")
    return _standardize(images.float() / 255)


def _standardize(images: Tensor) -> Tensor:
    mean = images.new_tensor(IMAGE_MEAN).view(3, 1, 1)
    std = images.new_tensor(IMAGE_STD).view(3, 1, 1)
    return (images - mean) / std


class Augment(nn.Module):
    """Training pictures: flip, zero pad and random crop, normalise, erase; batched, on the pictures' device.

    Source: IRRA's recipe. A picture is flipped with probability `flip`, padded with `pad` black pixels on every side
    and cropped back to `size` at a random place, normalised, and with probability `erase` loses a rectangle of 2% to
    40% of its area (sides rounded to pixels) to the mean colour, which is 0 after normalisation. Draws come from
    torch's global generator: `torch.manual_seed` repeats them.

    >>> augment = Augment((96, 32), flip=0.5, pad=4, erase=0.5)
    >>> augment(torch.zeros(8, 3, 96, 32, dtype=torch.uint8)).shape
    torch.Size([8, 3, 96, 32])
    """

    def __init__(self, size: Size, flip: float = 0.5, pad: int = 10, erase: float = 0.5) -> None:
        super().__init__()
        with extra("train"):
            import kornia.augmentation as kornia
        self.size = size
        self.move = nn.Sequential()
        if flip > 0:
            self.move.append(kornia.RandomHorizontalFlip(p=flip))
        if pad > 0:  # slices copy pixels; kornia's other mode interpolates them
            self.move.append(kornia.RandomCrop(size, padding=pad, cropping_mode="slice"))
        self.erase = kornia.RandomErasing(p=erase, scale=(0.02, 0.4), value=0.0) if erase > 0 else nn.Identity()

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Uint8 (B, 3, H, W) to normalised float32 of the same shape; TypeError or ValueError for anything else."""
        if images.dtype != torch.uint8:
            raise TypeError(f"Augment expects uint8 pictures in 0..255, got {images.dtype}")
        if images.shape[1:] != (3, *self.size):
            raise ValueError(
                f"Augment is for pictures (B, 3, {self.size[0]}, {self.size[1]}), got {tuple(images.shape)}"
            )
        return cast(Tensor, self.erase(_standardize(self.move(images.float() / 255))))


class ImageCache:
    """Decoded, resized pictures in one memory-mapped `.npy` file: uint8 (N, 3, H, W).

    Make it with :meth:`build`. ``cache[indices]`` is uint8 (B, 3, H, W). Pickling carries the path only, so loader
    workers share the pages of the file.
    """

    def __init__(self, file: str | Path) -> None:
        """Open a file that :meth:`build` wrote; ValueError if it is damaged."""
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
        threads: int = 4,
    ) -> ImageCache:
        """Decode `paths` at `size` = (height, width), or open the file of an earlier call.

        The file under `directory` (default: `images` in :func:`cache_dir`) is named by a digest of the size, the
        resampling and the contents in order, so any change gives another file. Contents are read again only where
        path, size or modification time changed. It is written beside and renamed, so builders may run at the same
        time and an interrupted one leaves nothing. `on_progress(done, total)` is called after every block.
        Raises :class:`ImageError` naming the picture that cannot be read, or the cache if the disk is full.
        """
        if not paths:
            raise ValueError("an image cache needs at least one picture")
        if min(size) < 1:
            raise ValueError(f"size is (height, width) in pixels, got {size}")
        folder = Path(directory) if directory is not None else cache_dir() / "images"
        sources = [Path(path) for path in paths]
        with ThreadPoolExecutor(threads) as pool:
            name = _cache_name(_digests(sources, folder, pool), size)
            file = folder / f"{name}.npy"
            if (cache := _try_open(file, (len(sources), 3, *size))) is None:
                _decode_all(sources, size, file, pool, on_progress)
                cache = cls(file)
        if on_progress:
            on_progress(len(sources), len(sources))
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


def _decode_all(
    paths: Sequence[Path], size: Size, file: Path, pool: ThreadPoolExecutor, on_progress: Progress | None
) -> None:
    """Write the pictures one block after the other.

    Plain writes, since a full disk is an error there, but kills the process that writes through a memory map.
    """
    block = 256
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(paths), 3, *size)}
    with _writing(file) as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(paths), block):
            for picture in pool.map(lambda path: _resize(open_image(path), size), paths[start : start + block]):
                stream.write(picture.tobytes())
            if on_progress:
                on_progress(min(start + block, len(paths)), len(paths))


def _cache_name(digests: Sequence[str], size: Size) -> str:
    text = json.dumps([_RESAMPLING, list(size), list(digests)])
    return "images-" + hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _digests(paths: Sequence[Path], folder: Path, pool: ThreadPoolExecutor) -> list[str]:
    """Content digest of every picture, remembered per path, size and modification time in a manifest."""
    names = [str(path.absolute()) for path in paths]
    manifest = folder / f"manifest-{hashlib.blake2b(json.dumps(names).encode(), digest_size=16).hexdigest()}.json"
    known = _read_manifest(manifest)
    entries = list(pool.map(lambda path, name: _digest_entry(path, known.get(name)), paths, names))
    fresh = dict(zip(names, entries, strict=True))
    if fresh != known:
        with _writing(manifest) as stream:
            stream.write(json.dumps(fresh).encode())
    return [str(entry[2]) for entry in entries]


def _digest_entry(path: Path, known: list[int | str] | None) -> list[int | str]:
    """[size in bytes, modification time in ns, digest]."""
    try:
        stat = path.stat()
        if known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]:
            return known
        return [stat.st_size, stat.st_mtime_ns, hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()]
    except FileNotFoundError:
        raise ImageError(f"{path}: no such picture") from None
    except OSError as error:
        raise ImageError(f"{path}: not a readable picture ({error})") from error


def _read_manifest(file: Path) -> dict[str, list[int | str]]:
    """A manifest is only a memory: one that is missing or damaged is an empty one."""
    try:
        known = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    whole = isinstance(known, dict) and all(isinstance(v, list) and len(v) == 3 for v in known.values())
    return known if whole else {}


@contextmanager
def _writing(file: Path) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `file` if all goes well; an OSError becomes an :class:`ImageError`."""
    try:
        with atomic_path(file) as temporary, temporary.open("wb") as stream:
            yield stream
    except OSError as error:
        problem = f"{file}: the image cache cannot be written ({error})"
        raise ImageError(f"{problem}. Fix: make room, or set TIREID_CACHE to another folder") from error
