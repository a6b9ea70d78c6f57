"""The distances between Gaussians that 08_gaussian_embeddings writes out, against numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.notebooks.definitions import load_definition

NOTEBOOK = "08_gaussian_embeddings"
# Mean and standard deviation of two clouds, per dimension; large against the 1e-6 under the variances.
CLOUDS = [((0.0, 1.0), (0.5, 2.0)), ((-1.0, 0.3), (2.0, 0.4)), ((0.2, 1.5), (0.2, 1.5))]


def tensors() -> list[torch.Tensor]:
    (m, s), (n, t) = (torch.tensor(x, dtype=torch.float64).T for x in zip(*CLOUDS, strict=True))
    return [m, s.square(), n, t.square()]


def integral_of_root(one: tuple[float, float], other: tuple[float, float]) -> float:
    x = np.linspace(-30, 30, 600_001)
    densities = [np.exp(-0.5 * ((x - m) / s) ** 2) / (s * math.sqrt(2 * math.pi)) for m, s in (one, other)]
    return float(np.trapezoid(np.sqrt(densities[0] * densities[1]), x))


def transport(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Mean squared difference of quantiles: in one dimension the best plan keeps the order."""
    normal = torch.distributions.Normal(0.0, 1.0)
    probabilities = (torch.arange(400_000, dtype=torch.float64) + 0.5) / 400_000
    z = normal.icdf(probabilities)
    return float(((one[0] + one[1] * z) - (other[0] + other[1] * z)).square().mean())


def test_bhattacharyya_is_minus_the_log_of_the_integral() -> None:
    expected = -sum(math.log(integral_of_root(one, other)) for one, other in CLOUDS)
    found = load_definition(NOTEBOOK, "bhattacharyya")(*tensors())
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_wasserstein_is_the_cost_of_the_best_transport() -> None:
    expected = sum(transport(one, other) for one, other in CLOUDS)
    found = load_definition(NOTEBOOK, "wasserstein")(*tensors())
    assert float(found) == pytest.approx(expected, rel=1e-3)


def test_both_broadcast_to_all_pairs_and_are_finite_without_variance() -> None:
    m, v = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4, 3)
    for name in ("wasserstein", "bhattacharyya"):
        found = load_definition(NOTEBOOK, name)(m[:, None], v[:, None], m[None], v[None])
        assert found.shape == (4, 4)
        assert found.diagonal().abs().max() == 0
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found, found.T)
