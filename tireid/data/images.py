"""One picture: from a file, a PIL image or an array to bytes of the model's size, and from bytes to numbers."""

from __future__ import annotations

import functools
import io
import stat
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from tireid.basics.instead import instead

IMAGE_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Per channel (R, G, B), of CLIP's training pictures (source: CLIP's preprocessing)."""
IMAGE_STD = (0.26862954, 0.26130258, 0.27577711)

Size = tuple[int, int]
"""(height, width) in pixels."""
UInt8Array = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "AVIF")
"""What is decoded, told by the content: Pillow knows more, but starts another program for some (EPS)."""

LARGE = 1 << 21
"""Pixels; a larger picture is no crop of a data set, and is decoded at reduced scale."""
DARK = (
    "a picture of 16 bits holds no value above {high:g} of 65535: it becomes nearly black. If its camera has "
    "fewer bits, such as 12, scale the values to 16 bits first"
)
_DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


class ImageError(ValueError):
    """A picture that cannot be read, or a cache that cannot be written; the message names its path.

    >>> try:
    ...     open_image("absent.jpg")
    ... except ImageError as error:
    ...     print(error)
    ...
    absent.jpg: no such picture
    """


class MissingImageError(ImageError):
    """There is no file at the path."""


def read_bytes(path: str | Path) -> bytes:
    """The content of a regular file; :class:`ImageError` for anything else, such as a pipe, which may never end."""
    path = Path(path)
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return path.read_bytes()
    except FileNotFoundError:
        raise MissingImageError(f"{path}: no such picture") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: not a readable picture ({error})") from None
    raise ImageError(f"{path}: not a readable picture (no regular file). Fix: replace the file")


def open_image(path: str | Path, size: Size | None = None, *, upright: bool = False) -> Image.Image:
    """The whole picture as RGB.

    Pictures of 16 bits or floating-point numbers are scaled to bytes, transparent ones laid on white.

    Args:
        path: of a regular file.
        size: (height, width) that it will be resized to; a large JPEG is then decoded at a scale of 1/2, 1/4 or 1/8
            that leaves at least twice that.
        upright: turn it as its EXIF orientation says, for photographs of one's own. Pictures of the data sets are not
            turned, as in the code of IRRA, RDE and SSAN.

    Raises:
        ImageError: it is missing, is not a picture, ends too early, or has so many pixels that it must be an attack.
    """
    return decode(read_bytes(path), path, size, upright=upright)


def decode(content: bytes, path: str | Path, size: Size | None = None, *, upright: bool = False) -> Image.Image:
    """:func:`open_image` of a file's content; `path` is for the message."""
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as image:
            if size is not None and image.width * image.height > LARGE:
                image.draft("RGB", (2 * max(size), 2 * max(size)))  # both sides, whichever way it is turned
            return to_rgb(image, upright=upright)
    except _DECODE_ERRORS as error:
        raise _unreadable(path, content, error) from error


@functools.cache
def _formats() -> tuple[str, ...]:
    """Those of :data:`FORMATS` that this Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _unreadable(path: str | Path, content: bytes, error: Exception) -> ImageError:
    reason = str(error).partition(" <_io")[0]  # Pillow names the buffer that it read, and where that lies in memory
    known = instead(content[:256], len(content))
    reason = f"it {known}" if known else reason
    return ImageError(f"{path}: not a readable picture ({reason}). Fix: replace the file")


def verify_image(path: str | Path) -> None:
    """Read a picture to its end at the lowest scale, which is faster; raises :class:`ImageError` as `open_image`."""
    content = read_bytes(path)
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as image:
            image.draft("RGB", (1, 1))
            image.load()
    except _DECODE_ERRORS as error:
        raise _unreadable(path, content, error) from error


def to_rgb(image: Image.Image, *, upright: bool = False) -> Image.Image:
    """`image` in 8 bits per channel, without transparency; raises ValueError for numbers of an unknown range."""
    if upright:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_bytes(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _to_bytes(values: npt.NDArray[Any]) -> UInt8Array:
    """Numbers of a grey picture in 0..255: 16 bits by their type, others by the range that they lie in."""
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= 65535):  # nan too
        raise ValueError(f"grey values from {low:g} to {high:g}; expected 0..1, 0..255 or 0..65535")
    top = 1 if values.dtype.kind == "f" and high <= 1 else 255
    top = 65535 if values.dtype.itemsize == 2 or high > 255 else top
    if top == 65535 and 0 < high < 4096:
        warnings.warn(DARK.format(high=high), stacklevel=2)
    return np.asarray(np.rint(values * (255 / top)), dtype=np.uint8)


def load_image(source: str | Path | Image.Image | npt.NDArray[Any], size: Size, *, upright: bool = False) -> Tensor:
    """One picture as uint8 (3, H, W), resized bilinearly with antialias (source: IRRA's resize).

    Args:
        source: a path, a PIL image, or an RGB array uint8 (H, W, 3).
        size: (height, width) in pixels.
        upright: see :func:`open_image`.

    Raises:
        ImageError: the file is missing or unreadable.
        TypeError: `source` is of another kind.
        ValueError: there is nothing in the picture, or in the size.

    >>> load_image(np.zeros((192, 64, 3), np.uint8), (96, 32)).shape
    torch.Size([3, 96, 32])
    """
    if min(size) < 1:
        raise ValueError(f"size is (height, width) in pixels, got {size}")
    return torch.from_numpy(resize(as_picture(source, size, upright=upright), size))


class Upright:
    """Files of one's own as they are encoded: read when they are asked for, turned as their EXIF orientation says.

    ``pictures[rows]``, with rows as integers or a slice, is uint8 (B, 3, H, W), or a list of PIL pictures without size.

    >>> len(Upright([Path("a.jpg"), Path("b.jpg")], (96, 32)))
    2
    """

    def __init__(self, paths: Sequence[Path], size: Size | None) -> None:
        self._paths, self._size = paths, size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, rows: slice | Sequence[int] | npt.NDArray[np.integer[Any]]) -> Tensor | list[Image.Image]:
        paths = self._paths[rows] if isinstance(rows, slice) else [self._paths[row] for row in rows]
        if self._size is None:
            return [open_image(path, upright=True) for path in paths]
        return torch.stack([load_image(path, self._size, upright=True) for path in paths])


def orientation_of(source: Path | io.BytesIO) -> int:
    """How EXIF says that a file is to be turned, 1..8: 1 for as it is, also where it says nothing or cannot be read."""
    try:
        if isinstance(source, Path) and not source.is_file():
            return 1
        with Image.open(source) as image:
            told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except _DECODE_ERRORS:
        return 1
    return int(told) if told in range(1, 9) else 1


def as_picture(source: Any, size: Size | None = None, *, upright: bool = False) -> Image.Image:
    """RGB, of what :func:`load_image` takes, with its errors; a JPEG is decoded no larger than `size` needs."""
    if isinstance(source, (str, Path)):
        return open_image(source, size, upright=upright)
    if isinstance(source, Image.Image | np.ndarray) and 0 in (
        source.shape if isinstance(source, np.ndarray) else source.size
    ):
        raise ValueError("a picture needs at least one pixel")
    if isinstance(source, Image.Image):
        return to_rgb(source, upright=upright)
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and source.ndim == 3 and source.shape[2] == 3:
        return Image.fromarray(np.ascontiguousarray(source))
    got = f"array {source.dtype} {source.shape}" if isinstance(source, np.ndarray) else type(source).__name__
    raise TypeError(f"a picture is a path, a PIL image or a uint8 array (H, W, 3); got {got}")


def resize(image: Image.Image, size: Size) -> UInt8Array:
    """RGB to uint8 (3, H, W)."""
    height, width = size
    gap = 2.0 if image.width * image.height > LARGE else None
    resized = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=gap)
    return np.ascontiguousarray(np.asarray(resized, dtype=np.uint8).transpose(2, 0, 1))


def normalize(images: Tensor) -> Tensor:
    """Uint8 (B, 3, H, W) to float32 with CLIP's mean and standard deviation per channel.

    Raises:
        TypeError: the pictures are not uint8.

    >>> black = torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    >>> [round(value, 4) for value in normalize(black).flatten().tolist()]  # -mean / std
    [-1.7923, -1.7521, -1.4802]
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"normalize expects uint8 pictures in 0..255, got {images.dtype}")
    return standardize(images.float() / 255)


def standardize(images: Tensor) -> Tensor:
    """Float32 (B, 3, H, W) in 0..1 to CLIP's mean and standard deviation per channel."""
    numbers = torch.tensor([IMAGE_MEAN, IMAGE_STD], dtype=images.dtype).view(2, 3, 1, 1)
    mean, std = numbers.to(images.device, non_blocking=True).unbind()
    return (images - mean) / std
