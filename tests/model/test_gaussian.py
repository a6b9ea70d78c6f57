from __future__ import annotations

import pytest
import torch

from tests.oracles import gaussian as oracle
from tireid.model.gaussian import Gaussian, batch_variance, identity_variance, reparameterise, sample, uncertainty

IDS = torch.tensor([5, 0, 5, 9, 0, 5])
FEATURES = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("fusion", ["convex", "batch", "identity", "sum", "std"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_variances_equal_loops(fusion: str, unbiased: bool) -> None:
    expected = oracle.uncertainty(FEATURES.tolist(), IDS.tolist(), fusion, 0.3, unbiased)
    value = uncertainty(FEATURES, IDS, fusion, 0.3, unbiased)
    torch.testing.assert_close(value, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("fusion", ["convex", "batch", "identity", "sum", "std"])
def test_gradients_by_finite_differences(fusion: str) -> None:
    inputs = FEATURES.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: uncertainty(f, IDS, fusion, 0.3), (inputs,))


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("fusion", ["identity", "std", "convex"])
def test_one_item_per_person_is_zero_variance_with_finite_gradients(fusion: str, unbiased: bool) -> None:
    features = FEATURES.clone().requires_grad_()
    ids = torch.arange(6)
    assert (identity_variance(features, ids, unbiased) == 0).all()
    variance = uncertainty(features, ids, fusion, 0.5, unbiased)
    sample(features, variance, generator=torch.Generator().manual_seed(0)).sum().backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


def test_a_batch_of_one_has_zero_variance() -> None:
    assert batch_variance(FEATURES[:1], unbiased=True).tolist() == [0.0, 0.0, 0.0]


def test_large_common_component_loses_no_digits() -> None:
    shifted = (FEATURES + 1000).float()
    expected = oracle.uncertainty(shifted.double().tolist(), IDS.tolist(), "convex", 0.5, False)
    torch.testing.assert_close(uncertainty(shifted, IDS), torch.tensor(expected).float(), rtol=1e-3, atol=1e-6)


def test_draws_have_the_stated_mean_and_variance() -> None:
    mean, variance = FEATURES[:2], FEATURES[2:4].square()
    draws = reparameterise(mean, variance, alpha=0.7, samples=40_000, generator=torch.Generator().manual_seed(3))
    std = 0.7 * variance.sqrt()
    assert ((draws.mean(0) - mean).abs() < 5 * std / 200).all()  # 5 standard errors
    torch.testing.assert_close(draws.std(0), std, rtol=0.02, atol=1e-3)
    assert draws.shape == (40_000, 2, 3)


def test_draws_of_samples_items_and_channels_are_independent() -> None:
    draws = reparameterise(torch.zeros(4, 5), torch.ones(4, 5), samples=3, generator=torch.Generator().manual_seed(0))
    assert draws.unique().numel() == 60


def test_detach_stops_the_gradient_through_the_standard_deviation_only() -> None:
    for detach in (False, True):
        mean, variance = FEATURES.clone().requires_grad_(), FEATURES.square().requires_grad_()
        reparameterise(mean, variance, detach=detach, generator=torch.Generator().manual_seed(0)).sum().backward()
        torch.testing.assert_close(mean.grad, torch.ones_like(mean))
        assert (variance.grad is None) == detach


def test_the_generator_decides_the_noise() -> None:
    first, again, other = (
        reparameterise(FEATURES, FEATURES.square(), generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_are_unit_vectors() -> None:
    z = sample(FEATURES, FEATURES.square(), samples=2)
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(2, 6, dtype=torch.float64))
    gaussian = Gaussian(FEATURES, FEATURES.square(), 3 * FEATURES[None])
    torch.testing.assert_close(gaussian.samples[0], gaussian.normalized_mean)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="fusion must be one of"):
        uncertainty(FEATURES, IDS, "mean")
    with pytest.raises(ValueError, match="person_ids must be 6 integers"):
        uncertainty(FEATURES, IDS[:2])
    with pytest.raises(ValueError, match="samples"):
        reparameterise(FEATURES, FEATURES, samples=0)
    with pytest.raises(ValueError, match="variance"):
        reparameterise(FEATURES, FEATURES[:2])
