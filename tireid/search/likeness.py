"""Whether the pictures of a gallery are like those that its model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tireid.data.images import load_image
from tireid.domain import picture_statistics
from tireid.search.encoder import Float32s, encode


def encode_with_statistics(model: Any, pictures: Any, batch_size: int) -> tuple[Float32s, Float32s]:
    """(statistics (N, 43), features (N, D)) of paths, PIL pictures, or uint8 pixels (N, 3, H, W) of the model's size.

    Every picture is decoded once.
    """
    size = model.backbone.image_size
    statistics, features = [], []
    for begin in range(0, len(pictures), batch_size):
        part = pictures[begin : begin + batch_size]
        pixels = part if isinstance(part, torch.Tensor) else torch.stack([load_image(item, size) for item in part])
        statistics.append(picture_statistics(pixels.numpy()))
        features.append(encode(model.encode_images, pixels, batch_size=batch_size))
    return np.concatenate(statistics), np.concatenate(features)


def encode_pictures(model: Any, pictures: Sequence[Any] | torch.Tensor, batch_size: int) -> tuple[Float32s, Any]:
    """Features (N, D), and p-values (N,) of being like what `model` was trained on; None where it cannot tell."""
    tests = getattr(getattr(model, "domain", None), "pictures", None)
    if tests is None:
        return encode(model.encode_images, pictures, batch_size=batch_size), None
    statistics, features = encode_with_statistics(model, pictures, batch_size)
    p_values: npt.NDArray[np.float64] = tests.p_values(statistics, features)
    return features, p_values.astype(np.float32)
