"""What notebook 03 defines in the open is what the library does."""

from __future__ import annotations

import pytest
import torch

from tests.notebooks.definitions import load_definition
from tireid.model import gaussian

NOTEBOOK = "03_uncertainty"


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 5, (17,), generator=rng) * 3 + 1  # uneven people, one of them perhaps alone
    return 2 * torch.randn(17, 9, generator=rng) + 1, ids


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_variances_are_the_librarys(seed: int) -> None:
    features, ids = batch(seed)
    own = {name: load_definition(NOTEBOOK, f"{name}_variance") for name in ("batch", "identity", "fused")}
    torch.testing.assert_close(own["batch"](features), gaussian.batch_variance(features))
    torch.testing.assert_close(own["identity"](features, ids), gaussian.identity_variance(features, ids))
    for lam in (0.0, 0.3, 1.0):
        torch.testing.assert_close(own["fused"](features, ids, lam), gaussian.uncertainty(features, ids, lam=lam))


def test_one_item_of_a_person_has_no_variance() -> None:
    features, _ = batch(0)
    alone = load_definition(NOTEBOOK, "identity_variance")(features, torch.arange(17))
    torch.testing.assert_close(alone, torch.zeros_like(features), atol=0, rtol=0)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_sample_is_the_librarys(alpha: float) -> None:
    features, ids = batch(1)
    variance = gaussian.uncertainty(features, ids)
    own = load_definition(NOTEBOOK, "draw")(features, variance, alpha, torch.Generator().manual_seed(4))
    library = gaussian.sample(features, variance, alpha, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(own, library[0])


def test_predicted_cosine_is_the_measured_one_in_many_dimensions() -> None:
    rng = torch.Generator().manual_seed(0)
    mean, variance = torch.randn(8, 4000, generator=rng), torch.rand(8, 4000, generator=rng)
    predicted = load_definition(NOTEBOOK, "kept_cosine")(mean, variance, 1.5)
    draws = gaussian.sample(mean, variance, 1.5, samples=20, generator=rng)
    measured = torch.cosine_similarity(draws, mean, dim=-1).mean(0)
    torch.testing.assert_close(predicted, measured, atol=0.01, rtol=0)
