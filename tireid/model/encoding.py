"""Pictures and sentences to features, as retrieval uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from tireid.data.images import load_image, normalize
from tireid.data.text import Tokenizer
from tireid.model.towers import DualEncoder

Picture = str | Path | Image.Image | npt.NDArray[Any]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradient; every submodule's previous mode comes back, whatever happens.

    >>> layer = nn.Dropout()
    >>> with evaluating(layer):
    ...     layer.training, torch.is_grad_enabled()
    (False, False)
    >>> layer.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for module, training in modes:
            module.training = training


def encode_images(backbone: DualEncoder, images: Sequence[Picture] | Tensor, batch_size: int) -> Tensor:
    """(N, D) float32, L2-normalised, on the CPU; see :meth:`TIReID.encode_images`."""
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ValueError(f"images must be a (B, 3, H, W) tensor or a list of pictures, got {tuple(images.shape)}")

    def features(batch: Sequence[Picture] | Tensor) -> Tensor:
        if not isinstance(batch, Tensor):
            arrays = (np.asarray(picture) if isinstance(picture, Tensor) else picture for picture in batch)
            batch = torch.stack([load_image(picture, backbone.image_size) for picture in arrays])
        if batch.dtype != torch.uint8 and not batch.is_floating_point():
            raise ValueError(f"images must be uint8, or floating-point and normalised, got {batch.dtype}")
        pixels = batch.to(_device(backbone))
        return backbone.encode_image(normalize(pixels) if pixels.dtype == torch.uint8 else pixels).pooled

    return _encode(backbone, images, features, batch_size)


def encode_texts(backbone: DualEncoder, tokenizer: Tokenizer, texts: Sequence[str], batch_size: int) -> Tensor:
    """(N, D) float32, L2-normalised, on the CPU; see :meth:`TIReID.encode_texts`."""
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"texts[{position}] must be a non-empty string, got {text!r}")

    def features(batch: Sequence[str]) -> Tensor:
        return backbone.encode_text(tokenizer(batch).to(_device(backbone))).pooled

    return _encode(backbone, texts, features, batch_size)


def _encode(backbone: DualEncoder, items: Any, features: Callable[[Any], Tensor], batch_size: int) -> Tensor:
    rows = [torch.zeros(0, backbone.width)]
    with evaluating(backbone):
        for start in range(0, len(items), batch_size):
            rows.append(F.normalize(features(items[start : start + batch_size]).float(), dim=1).cpu())
            if not rows[-1].isfinite().all():
                raise ValueError(
                    f"items {start} to {start + len(rows[-1]) - 1} have NaN or infinite values, or the weights"
                )
    return torch.cat(rows)  # outside inference mode: an ordinary tensor


def _device(backbone: DualEncoder) -> torch.device:
    return backbone.visual_projection.weight.device  # type: ignore[no-any-return]
