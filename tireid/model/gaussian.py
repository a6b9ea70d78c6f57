"""Features as diagonal Gaussians: every feature is the mean, the batch tells the variance.

    mu_i       = f_i
    var_batch  = mean_b (f_b - mean f)^2                           one vector, shared by the batch
    var_id_i   = mean_{b of person y_i} (f_b - mean_{y_i} f)^2     one vector per person in the batch
    var_i      = lam * var_batch + (1 - lam) * var_id_i
    z_i        = mu_i + alpha * eps * sqrt(var_i + 1e-6),  eps ~ N(0, I)

Source: multi-modal uncertainty at batch and identity level is stated by the paper's abstract; the fusion of the two is
inferred; the sampling is that of its ancestor, Li et al., DSU, ICLR 2022, equations 2-6. The variance has the scale of
the features themselves, not of their normalised versions: where features share a large common component, the noise is
small against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tireid.basics.parts import is_part, resolve_function
from tireid.losses.common import blocks, check_ids, check_matrix, full_precision, same_person
from tireid.losses.fusion import EPSILON, FUSIONS, Fusion


@dataclass
class Gaussian:
    """Features of one modality as Gaussians, and what was drawn from them.

    `mean` (B, D) is the feature itself, not normalised; `variance` (B, D) is 0 where uncertainty is off; `draws`
    (S, B, D) are samples before normalisation (in eval mode the mean, S = 1). With several processes B is the global
    batch.

    >>> features = Gaussian(torch.zeros(2, 3), torch.ones(2, 3), torch.zeros(5, 2, 3))
    >>> features.draws.shape
    torch.Size([5, 2, 3])
    """

    mean: Tensor
    variance: Tensor
    draws: Tensor

    @property
    def normalized_mean(self) -> Tensor:
        """(B, D), L2-normalised: what retrieval uses."""
        return F.normalize(self.mean, dim=-1)

    @property
    def samples(self) -> Tensor:
        """(S, B, D), L2-normalised: what the alignment loss sees."""
        return F.normalize(self.draws, dim=-1)

    @property
    def std(self) -> Tensor:
        """(B, D), the square root of the variance."""
        return self.variance.sqrt()


@full_precision
def batch_variance(features: Tensor, unbiased: bool = False) -> Tensor:
    """Variance (D,) of features (B, D) over the whole batch; 0 for a batch of one.

    >>> batch_variance(torch.tensor([[0.0, 1.0], [2.0, 1.0]])).tolist()
    [1.0, 0.0]
    """
    check_matrix("features", features)
    squares = (features - features.mean(dim=0)).square().sum(dim=0)
    return squares / max(len(features) - unbiased, 1)


@full_precision
def identity_variance(features: Tensor, person_ids: Tensor, unbiased: bool = False) -> Tensor:
    """Variance (B, D) of each person's features (B, D), repeated for that person's items.

    A person with one item has variance 0, biased or not.

    >>> identity_variance(torch.tensor([[0.0], [2.0], [9.0]]), torch.tensor([4, 4, 7])).flatten().tolist()
    [1.0, 1.0, 0.0]
    """
    check_matrix("features", features)
    check_ids("person_ids", person_ids, len(features))
    count = _person_sums(torch.ones_like(features[:, :1]), person_ids)
    centred = features - _person_sums(features, person_ids) / count
    return _person_sums(centred.square(), person_ids) / (count - float(unbiased)).clamp(min=1)


class _PersonSums(torch.autograd.Function):
    """A product with a symmetric matrix of zeros and ones, a block of its rows at a time; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        sums = torch.empty_like(values)
        for rows in blocks(len(ids), len(ids)):
            sums[rows] = same_person(ids[rows], ids).to(values.dtype) @ values
        return sums

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor, None]:
        return _person_sums(given[0], *ctx.saved_tensors), None


def _person_sums(values: Tensor, ids: Tensor) -> Tensor:
    """Values (B, D), summed over the items of the same person, repeated for each of them."""
    sums: Tensor = _PersonSums.apply(values, ids)  # type: ignore[no-untyped-call]
    return sums


@full_precision
def uncertainty(
    features: Tensor, person_ids: Tensor, fusion: str = "convex", lam: float = 0.5, unbiased: bool = False
) -> Tensor:
    """Variance (B, D) of features (B, D), fused from the batch and the identity level.

    `convex`: lam * var_batch + (1 - lam) * var_id; `batch` or `identity`: one of them; `sum`: both added; `std`: the
    square of lam * std_batch + (1 - lam) * std_id. Or the import path of a function of one's own that is marked with
    `@tireid.part("fusion")` and takes both variances (B, D) and lam. `person_ids` (B,) are integers.

    Raises:
        ValueError: wrong shapes or an unknown fusion.
        PartError: a path that cannot be resolved, see :mod:`tireid.basics.parts`.

    >>> x, ids = torch.tensor([[0.0], [2.0], [7.0], [7.0]]), torch.tensor([0, 0, 1, 1])
    >>> uncertainty(x, ids, fusion="convex", lam=0.5).flatten().tolist()
    [5.25, 5.25, 4.75, 4.75]
    """
    fuse = find_fusion(fusion)
    identity = identity_variance(features, person_ids, unbiased)
    fused = fuse(batch_variance(features, unbiased).expand_as(features), identity, lam)
    if fused.shape != features.shape:
        raise ValueError(f"fusion {fusion!r} must return {tuple(features.shape)}, got {tuple(fused.shape)}")
    return fused


def find_fusion(name: str) -> Fusion:
    """The fusion of this name or import path."""
    if name in FUSIONS:
        return FUSIONS[name]
    if is_part(name):
        return resolve_function(name, "fusion", "uncertainty.fusion")
    raise ValueError(f"fusion must be one of {', '.join(FUSIONS)} or an import path module:function, got {name!r}")


@full_precision
def reparameterise(
    mean: Tensor,
    variance: Tensor,
    alpha: float | Tensor = 1.0,
    samples: int = 1,
    detach: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draws (S, B, D) of mean + alpha * eps * sqrt(variance + 1e-6), not normalised.

    Gradients reach mean and variance (only the mean with `detach`). The same generator state gives the same noise,
    whatever the device of the features.

    Raises:
        ValueError: mean and variance differ in shape, or `samples` is less than 1.

    >>> z = reparameterise(torch.zeros(2, 3), torch.ones(2, 3), samples=4, generator=torch.Generator().manual_seed(0))
    >>> tuple(z.shape)
    (4, 2, 3)
    """
    if mean.shape != variance.shape:
        raise ValueError(f"mean {tuple(mean.shape)} and variance {tuple(variance.shape)} must have the same shape")
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    std = (variance + EPSILON).sqrt()
    noise_device = mean.device if generator is None else generator.device
    noise = torch.randn((samples, *mean.shape), generator=generator, device=noise_device, dtype=mean.dtype)
    return mean + alpha * noise.to(mean.device) * (std.detach() if detach else std)


def sample(
    mean: Tensor,
    variance: Tensor,
    alpha: float | Tensor = 1.0,
    samples: int = 1,
    detach: bool = False,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Like :func:`reparameterise`, then L2-normalised.

    >>> sample(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2), alpha=0.0).tolist()
    [[[0.6000000238418579, 0.800000011920929]]]
    """
    return F.normalize(reparameterise(mean, variance, alpha, samples, detach, generator), dim=-1)
