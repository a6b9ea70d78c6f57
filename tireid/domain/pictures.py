"""Whether a picture is like those that a model was trained on.

Two distances to pictures of the training count: of simple statistics of the pixels, and of the model's feature. The
first decides nearly alone. A model that was trained to tell drawn people apart has no reason to keep apart what is
no person: on photographs its feature marks 13 of 100 crops at a false-alarm rate of 5%, the statistics 98. Each
becomes a rank p1, p2 among the distances of the training pictures themselves, both become -log p1 - 0.3 log p2 (after
Fisher's method), and the rank of that among held-out people's pictures is the p-value that is returned: whatever the
score, it is valid, since nothing in it saw them. Statistics, distance and weight are inferred, chosen by power on
photographs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from tireid.domain.conformal import Float32s, Floats, Neighbours, p_values

FEATURE_WEIGHT = 0.3
SCALES = (1, 2, 4, 8)
"""Sides of the blocks, in pixels, whose means are compared with those of their neighbours."""
MULTIPLE = 8
"""Height and width are cut to a multiple of it."""


def picture_statistics(pixels: npt.NDArray[np.uint8]) -> Float32s:
    """(N, 43) statistics of pictures (N, 3, H, W) of values 0..255, H and W at least 16.

    Of luminance, red minus green, and yellow minus blue: mean, logarithm of the standard deviation, and at four scales
    logarithm of the mean absolute difference of neighbours. Of luminance: logarithms of quantiles of the absolute
    differences along rows and columns and of the Laplacian. They tell how a picture is made, not what it shows.

    Raises:
        ValueError: another shape.

    >>> picture_statistics(np.zeros((2, 3, 96, 32), np.uint8)).shape
    (2, 43)
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3 or min(pixels.shape[2:]) < 2 * MULTIPLE:
        raise ValueError(f"pixels must be (N, 3, H, W) of at least 16 x 16, not {pixels.shape}")
    height, width = (side // MULTIPLE * MULTIPLE for side in pixels.shape[2:])
    red, green, blue = pixels[:, :, :height, :width].astype(np.float32).transpose(1, 0, 2, 3) / 255
    light = (red + green + blue) / 3
    opponent = np.stack([light, red - green, (red + green) / 2 - blue], axis=1)
    found = [opponent.mean(axis=(2, 3)), np.log(opponent.std(axis=(2, 3)) + 0.01)]
    for side in SCALES:
        blocks = opponent.reshape(len(pixels), 3, height // side, side, width // side, side).mean(axis=(3, 5))
        found += [np.log(np.abs(np.diff(blocks, axis=axis)).mean(axis=(2, 3)) + 0.001) for axis in (2, 3)]
    found += [_quantiles(np.diff(light, axis=axis), (0.25, 0.5, 0.75, 0.95)) for axis in (2, 1)]
    around = light[:, :-2, 1:-1] + light[:, 2:, 1:-1] + light[:, 1:-1, :-2] + light[:, 1:-1, 2:]
    found.append(_quantiles(4 * light[:, 1:-1, 1:-1] - around, (0.1, 0.25, 0.5, 0.75, 0.95)))
    return np.concatenate(found, axis=1).astype(np.float32)


def _quantiles(values: Float32s, shares: tuple[float, ...]) -> Float32s:
    """(N, len(shares)) logarithms of quantiles of absolute values (N, ...)."""
    flat = np.abs(values).reshape(len(values), -1)
    return np.log(np.quantile(flat, shares, axis=1).T + 0.002).astype(np.float32)


@dataclass(frozen=True)
class Pictures:
    """Pictures that a model was trained on, and how far from them those of held-out people lie.

    >>> rng = np.random.default_rng(0)
    >>> trained, held = ((rng.normal(size=(n, 4)), rng.normal(size=(n, 8))) for n in (50, 20))
    >>> pictures = Pictures.fit(trained, held)
    >>> pictures.held_out.shape
    (20,)
    """

    statistics: Neighbours
    features: Neighbours
    statistics_distance: Float32s
    """(R,) of training pictures from each other, ascending."""
    features_distance: Float32s
    """(R,) the same for features."""
    held_out: Float32s
    """(M,) -log p1 - 0.3 log p2 of held-out pictures, ascending."""

    @classmethod
    def fit(cls, trained: tuple[Float32s, Float32s], held_out: tuple[Float32s, Float32s]) -> Self:
        """From (statistics, features) of pictures that were trained on, and of pictures of other people."""
        statistics, features = Neighbours.of(trained[0], True), Neighbours.of(trained[1], False)
        own = np.sort(statistics.own_distance()), np.sort(features.own_distance())
        bare = cls(statistics, features, *own, np.zeros(0, np.float32))
        return replace(bare, held_out=np.sort(bare.scores(*held_out)))

    def scores(self, statistics: Float32s, features: Float32s) -> Float32s:
        """(N,) of pictures with statistics (N, 43) and features (N, D) of length one: large where unlike."""
        distance = self.statistics.distance(statistics)
        first = p_values(self.statistics_distance, distance)
        second = p_values(self.features_distance, self.features.distance(features))
        # Beyond all training pictures ranks are equal; there the distance itself decides.
        beyond = 0.001 * distance / np.median(self.statistics_distance)
        return (-np.log(first) - FEATURE_WEIGHT * np.log(second) + beyond).astype(np.float32)

    def p_values(self, statistics: Float32s, features: Float32s) -> Floats:
        """(N,) p-values of pictures with statistics (N, 43) and features (N, D) of length one."""
        return p_values(self.held_out, self.scores(statistics, features))
