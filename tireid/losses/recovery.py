"""Recovering the global token from which something was taken away."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tireid.basics.section import Variant, by_kind
from tireid.losses.alignment import risen
from tireid.losses.circle import PUBLISHED, circle_terms
from tireid.losses.common import check_ids, check_pairs, full_precision, one_way, same_person


class Recovery(Variant):
    """The section `recovery` of a configuration (stated by the paper; target and loss inferred, low confidence).

    `loss` names how the recovered token is held against its target: see :func:`recovery_loss`.

    >>> Recovery(loss="cosine").token
    'eot'
    """

    discriminator: ClassVar[str] = "loss"

    token: Literal["eot", "mask", "image"] = "eot"
    """`eot`: end-of-text of the masked caption; `mask`: the same, replaced by a learned embedding; `image`: the image
    [CLS] with masked patches, from the whole caption. Notebook 10 finds `image` ahead of `eot` in mAP without masked
    modelling, but not shown to be in the whole method or against leaving the term out. It takes another pass of the
    image tower, so the presets keep `eot`."""
    target: Literal["text", "image", "both", "fused"] = "text"
    """Clean global feature to recover; `fused` is the interaction encoder's own output on the clean pair."""
    patch_mask: float = Field(0.3, gt=0, lt=1)
    """Share of patches hidden when the token is `image`."""
    loss: str

    def compute(self, recovered: Tensor, target: Tensor, person_ids: Tensor, progress: float = 1.0) -> Tensor:
        """:func:`recovery_loss` of features (B, D) with these options.

        `person_ids` (B,) are integers; `progress` in [0, 1] is the part of the training that is done.
        """
        return recovery_loss(recovered, target, person_ids, self.loss, **self.numbers(progress))

    def numbers(self, progress: float) -> dict[str, float]:
        """What the loss takes beside the features."""
        return {}


class InfoNCERecovery(Recovery):
    """A softmax over the batch."""

    loss: Literal["infonce"] = "infonce"
    temperature: float = Field(0.03, gt=0)

    def numbers(self, progress: float) -> dict[str, float]:
        """As :meth:`Recovery.numbers`."""
        return {"temperature": self.temperature}


class CosineRecovery(Recovery):
    """The cosine to the own target."""

    loss: Literal["cosine"] = "cosine"


class MSERecovery(Recovery):
    """The squared error to the own target."""

    loss: Literal["mse"] = "mse"


class CircleRecovery(Recovery):
    """A circle loss over the batch, with numbers of its own."""

    loss: Literal["circle"] = "circle"
    margin: float = Field(0.25, ge=0, le=1)
    gamma: float = Field(64.0, gt=0)
    gamma_warmup: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which gamma rises from a quarter of its value."""

    def numbers(self, progress: float) -> dict[str, float]:
        """As :meth:`Recovery.numbers`."""
        return {"margin": self.margin, "gamma": risen(self.gamma, progress, self.gamma_warmup)}


RECOVERIES: dict[str, type[Recovery]] = by_kind(InfoNCERecovery, CosineRecovery, MSERecovery, CircleRecovery)


@full_precision
def recovery_loss(
    recovered: Tensor,
    target: Tensor,
    person_ids: Tensor,
    kind: str = "infonce",
    temperature: float = 0.03,
    margin: float = 0.25,
    gamma: float = 64.0,
) -> Tensor:
    """How far the recovered global tokens g are from their targets r, which get no gradient.

    - `infonce`: -mean_i log( sum_{j same person} exp(cos(g_i, r_j) / t) / sum_j exp(cos(g_i, r_j) / t) ). Unlike plain
      InfoNCE, items of the same person are not pushed apart.
    - `cosine`: mean_i 1 - cos(g_i, r_i).
    - `mse`: mean squared difference of the normalised vectors over all B x D entries.
    - `circle`: :func:`~tireid.losses.circle_loss` of cos(g_i, r_j) with `margin` and `gamma`.

    Source of the idea: the paper's abstract; the forms are inferred (nearest public relative: Ji et al., Semantic
    Completion Learning, CVPR 2023). `recovered` and `target` (B, D), `person_ids` (B,) integers. Returns a scalar.

    Raises:
        ValueError: wrong shapes or types, or an unknown kind.

    >>> import torch
    >>> x = torch.eye(2)
    >>> recovery_loss(x, x, torch.tensor([5, 5])).item(), recovery_loss(x, x, torch.tensor([5, 7]), "cosine").item()
    (0.0, 0.0)
    """
    check_pairs("recovered", "target", recovered, target)
    check_ids("person_ids", person_ids, len(recovered))
    g, r = F.normalize(recovered, dim=1), F.normalize(target.detach(), dim=1)

    def softmax(similarity: Tensor, rows: Tensor) -> Tensor:
        logits, same = similarity / temperature, same_person(person_ids[rows], person_ids)
        positive = logits.masked_fill(~same, float("-inf"))  # never a whole row: every item is its own positive
        return logits.logsumexp(1) - positive.logsumexp(1)

    def circle(similarity: Tensor, rows: Tensor) -> Tensor:
        same = same_person(person_ids[rows], person_ids)
        return circle_terms(similarity, same, margin, gamma, ~same, PUBLISHED)

    if kind in ("infonce", "circle"):
        return one_way(g, r, softmax if kind == "infonce" else circle)
    if kind == "cosine":
        return (1 - (g * r).sum(1)).mean()
    if kind == "mse":
        return F.mse_loss(g, r)
    raise ValueError(f"kind must be one of {', '.join(RECOVERIES)}, got {kind!r}")
