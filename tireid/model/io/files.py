"""Files with tensors in them, whatever their name says: safetensors or PyTorch, or what was saved in their place."""

from __future__ import annotations

import shlex
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from tireid.basics.instead import instead
from tireid.basics.terminal import one_line
from tireid.model.towers import CheckpointError, listing

WRAPPERS = (
    "model",
    "state_dict",
    "model_state_dict",
    "module",
    "network",
    "net",
    "weights",
    "params",
    "ema",
    "model_ema",
    "ema_model",
)
"""Names under which programs save the weights beside other things, the first of them first."""
DEEPEST = 8
"""Wrappers in wrappers that are opened: one may hold itself."""
PREFIXES = ("module.", "_orig_mod.", "clip.", "clip_model.", "model.")
"""What wrappers (DDP, compile, a field of another module) put before every key."""
T = TypeVar("T")
Container = Literal["safetensors", "torch", "torchscript"]


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors, `.pth`, `.pt` or `.bin` file, floats as float32, without a wrapper's prefix.

    Nothing is executed. Raises FileNotFoundError, or :class:`CheckpointError` that says what the file is instead and
    what to do: fetch it again, or convert it elsewhere, since TorchScript and other objects run code when loaded.
    """
    kind = container(path)
    if kind == "torchscript":
        raise CheckpointError(
            f"{path} is a TorchScript archive, which holds code. If you trust it, convert it once: {_unscript(path)}"
        )
    content = _read_safetensors(path) if kind == "safetensors" else _read_torch(path)
    state = _unwrapped(content)
    tensors = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        there = f"; it has {one_line(', '.join(map(repr, state)))[:200]}" if state else ""
        raise CheckpointError(f"{path} holds no weights, alone or under one of {', '.join(WRAPPERS)}{there}")
    if odd := [name for name, value in tensors.items() if not _is_plain(value)]:
        raise CheckpointError(
            f"{path}: sparse or quantised weights, or such as the file does not hold in full, cannot be used; bring "
            f"dense ones: {listing(odd)}"
        )
    return {name: as_float(value) for name, value in without_prefix(tensors).items()}


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names, without a wrapper's prefix, and shapes of a safetensors file, without its numbers."""
    with _opened(path) as file:
        return without_prefix({name: tuple(file.get_slice(name).get_shape()) for name in file.keys()})  # noqa: SIM118


def metadata(path: Path) -> dict[str, str]:
    """The notes in a safetensors file."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if container(path) != "safetensors":
        raise CheckpointError(f"{path} is no safetensors file")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def container(path: Path) -> Container:
    """What the file is by its first bytes; :class:`CheckpointError` for anything that holds no tensors."""
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint file at {path}; copy it there, or name another")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(256)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if start.startswith(b"PK\x03\x04"):
        return _archive(path, size)
    if start.startswith(b"\x80") and start[8:10] != b'{"':  # the length of a safetensors header may begin so too
        return "torch"
    if start[8:9] == b"{":
        if 8 + int.from_bytes(start[:8], "little") > size:
            raise CheckpointError(f"{path} is truncated: it ends, after {size:,} bytes, in its header; fetch it again")
        return "safetensors"
    otherwise = f"is neither safetensors nor PyTorch weights: it begins with {start[:16]!r}"
    raise CheckpointError(f"{path} {instead(start, size) or otherwise}")


def without_prefix(tensors: dict[str, T]) -> dict[str, T]:
    """Drop a prefix that every key has.

    >>> list(without_prefix({"module.clip.a": torch.zeros(1), "module.clip.b": torch.zeros(1)}))
    ['a', 'b']
    """
    while tensors and (prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None)):
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def as_float(value: Tensor) -> Tensor:
    """Float32, if it is a floating point number."""
    return value.float() if value.is_floating_point() else value


def to_safetensors(path: Path, target: Path) -> str:
    """A command that converts PyTorch weights without executing anything in them."""
    return _command(
        "import torch; from safetensors.torch import save_file; "
        f"state = torch.load({str(path)!r}, map_location='cpu', weights_only=True); "
        f"save_file({{k: v.clone().contiguous() for k, v in state.items()}}, {str(target)!r}, {{'format': 'pt'}})"
    )


def _unwrapped(content: Any) -> Mapping[Any, Any]:
    """What lies in the wrappers; empty for what is no mapping."""
    state: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
    for _ in range(DEEPEST):
        inner = [state.get(name) for name in WRAPPERS]
        state = next((found for found in inner if isinstance(found, Mapping) and found), state)
    return state


def _is_plain(value: Tensor) -> bool:
    """Whether it is dense and its numbers are all in the file: of a single one a stride of zero makes terabytes."""
    dense = value.layout is torch.strided and value.device.type == "cpu" and not (value.is_quantized or value.is_nested)
    return dense and value.nbytes <= value.untyped_storage().nbytes()


def _archive(path: Path, size: int) -> Container:
    try:
        if not zipfile.is_zipfile(path):
            raise CheckpointError(f"{path} is truncated: an archive that ends after {size:,} bytes; fetch it again")
        with zipfile.ZipFile(path) as archive:
            names, unpacked = archive.namelist(), sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, UnicodeError, OSError) as error:
        raise _damaged(path, error) from error
    if any(name.endswith("/constants.pkl") for name in names):
        return "torchscript"
    if any(name.endswith("data.pkl") for name in names):
        if unpacked > size:  # a few bytes may unpack to more than fits the memory
            raise CheckpointError(
                f"{path} is compressed, to {size:,} of {unpacked:,} bytes, as torch.save leaves no file; load it and "
                "save it again with torch.save"
            )
        return "torch"
    raise CheckpointError(f"{path} is an archive of {len(names)} files ({names[:3]}), not weights; unpack it")


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, AttributeError) as error:  # a dtype torch does not have
        raise _damaged(path, error) from error


def _check_sums(path: Path) -> None:
    """Every record of an archive has its CRC-32, which torch.load does not look at; legacy files have none."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive, ThreadPoolExecutor() as pool:
            summed = [record for record in archive.infolist() if record.CRC]  # torch writes 0 where it was told to
            for _ in pool.map(partial(_read_through, archive), summed):
                pass
    except Exception as error:  # a damaged archive can fail in any way
        raise _damaged(path, error) from error


def _read_through(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    with archive.open(record) as file:
        while file.read(2**20):
            pass


def _read_torch(path: Path) -> Any:
    _check_sums(path)
    try:
        with path.open("rb") as file:  # by its name torch would take a .safetensors file for one
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can fail in any way
        raise CheckpointError(
            f"{path} is damaged or holds more than weights ({_short(error)}). Fetch it again; if it is whole and you "
            f"trust it, since this runs code in it, convert it once: {_without_objects(path)}"
        ) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or truncated ({_short(error)}); fetch it again")


def _short(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")[:160]


def _unscript(path: Path) -> str:
    state = f"torch.jit.load({str(path)!r}, map_location='cpu').state_dict()"
    return _command(f"import torch; torch.save({state}, {_weights_only(path)!r})")


def _without_objects(path: Path) -> str:
    return _command(
        f"import torch; s = torch.load({str(path)!r}, map_location='cpu', weights_only=False); "
        f"s = next((s[k] for k in {WRAPPERS!r} if isinstance(s, dict) and k in s), s); "
        "s = s.state_dict() if hasattr(s, 'state_dict') else s; "
        f"torch.save({{k: v for k, v in s.items() if torch.is_tensor(v)}}, {_weights_only(path)!r})"
    )


def _weights_only(path: Path) -> str:
    return str(path.with_name(f"{path.stem}.weights.pt"))


def _command(code: str) -> str:
    return shlex.join(["python", "-c", code])
