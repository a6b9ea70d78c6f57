"""How the variance of the batch and that of a person become one: what `uncertainty.fusion` can name (inferred)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

Fusion = Callable[[Tensor, Tensor, float], Tensor]
"""(variance of the batch (B, D), of the identities (B, D), lam) to the fused variance (B, D)."""
EPSILON = 1e-6
"""Under every square root, so that a variance of 0 has a finite gradient."""


def _mixed_deviations(batch: Tensor, identity: Tensor, lam: float) -> Tensor:
    return (lam * (batch + EPSILON).sqrt() + (1 - lam) * (identity + EPSILON).sqrt()).square()


FUSIONS: Mapping[str, Fusion] = {
    "convex": lambda batch, identity, lam: lam * batch + (1 - lam) * identity,
    "batch": lambda batch, identity, lam: batch,
    "identity": lambda batch, identity, lam: identity,
    "sum": lambda batch, identity, lam: batch + identity,
    "std": _mixed_deviations,
}
