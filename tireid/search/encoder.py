"""What retrieval needs of a model, and how it encodes many pictures and captions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from tireid.search.features import to_numpy

Float32s = npt.NDArray[np.float32]
OnProgress = Callable[[int, int], None]
"""Called with (done, total); ``tireid.basics.progress.Progress(1, "encoding").to`` is one."""


@runtime_checkable
class Encoder(Protocol):
    """The two methods of :class:`tireid.TIReID` that retrieval calls; both return (N, D), a tensor or an array.

    >>> from tireid import TIReID
    >>> issubclass(TIReID, Encoder)
    True
    """

    def encode_images(self, images: Any, *, batch_size: int = ...) -> Any:
        """Features of paths, PIL pictures or a uint8 (N, 3, H, W) tensor."""

    def encode_texts(self, texts: Sequence[str], *, batch_size: int = ...) -> Any:
        """Features of descriptions."""


def encode(
    encoder: Callable[..., Any],
    items: Any,
    *,
    batch_size: int,
    on_progress: OnProgress | None = None,
    done: int = 0,
    total: int | None = None,
) -> Float32s:
    """(N, D) float32 features of a sequence, tensor or image cache, one batch at a time.

    Args:
        encoder: ``model.encode_images`` or ``model.encode_texts``.
        items: anything with a length that can be sliced, or indexed by an int64 array as an image cache is.
        batch_size: items per call.
        on_progress: called after every batch with (done, total).
        done: what is counted as done before, where this is a part of something longer.
        total: length of the whole; that of `items` where absent.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    parts = []
    for end, batch in batches(items, batch_size):
        features = to_numpy(encoder(batch, batch_size=batch_size))
        if features.ndim != 2 or len(features) != len(batch):
            raise ValueError(f"the model returned features of the shape {features.shape} for {len(batch)} items")
        parts.append(features.astype(np.float32))
        if on_progress is not None:
            on_progress(done + end, len(items) if total is None else total)
    return np.concatenate(parts)


def batches(items: Any, size: int) -> Iterator[tuple[int, Any]]:
    """A sequence, tensor or image cache in parts, each with the number of items up to its end."""
    for begin in range(0, len(items), size):
        end = min(begin + size, len(items))
        yield end, items[begin:end] if isinstance(items, list | torch.Tensor) else items[np.arange(begin, end)]


def fingerprint(model: Any) -> str:
    """32 hexadecimal digits that two models share only if they have the same weights, input size and vocabulary.

    BLAKE2b over the names, dtypes, shapes and bytes of the state dict in sorted order. A model may bring its own as an
    attribute or method `fingerprint`.

    Raises:
        TypeError: a model that has neither that nor a state dict.

    >>> class Named:
    ...     fingerprint = 32 * "0"
    ...
    >>> fingerprint(Named())
    '00000000000000000000000000000000'
    """
    own = getattr(model, "fingerprint", None)
    if own is not None:
        return str(own() if callable(own) else own)
    if not hasattr(model, "state_dict"):
        raise TypeError(
            f"{type(model).__name__} has neither `fingerprint` nor `state_dict`, so it cannot be recognised"
        )
    digest = hashlib.blake2b(digest_size=16)
    tokenizer = getattr(model, "tokenizer", None)
    size = getattr(getattr(model, "backbone", model), "image_size", None)
    digest.update(repr((type(model).__name__, size, getattr(tokenizer, "vocab_size", None))).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
