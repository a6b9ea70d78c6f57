"""The sections of a configuration that have one form: pictures, batches, uncertainty, masking, optimiser, loop.

The sections `loss` and `recovery` come in several, see :mod:`tireid.losses`. Every number of the method is a named
field, with the reason for its default.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tireid.basics.section import Section
from tireid.losses.fusion import FUSIONS
from tireid.options.outside import own_or_part

Fraction = Annotated[float, Field(ge=0, lt=1)]


class ImageConfig(Section):
    """Input size in pixels and the augmentation of training pictures (source: IRRA, the peers' common recipe).

    >>> ImageConfig(height=96, width=32).erase
    0.5
    """

    height: int = Field(384, ge=8)
    width: int = Field(128, ge=8)
    flip: float = Field(0.5, ge=0, le=1)
    """Probability of a horizontal flip."""
    pad: int = Field(10, ge=0)
    """Zero padding on every side before a random crop back to the input size, in pixels; 0 turns it off."""
    erase: float = Field(0.5, ge=0, le=1)
    """Probability of random erasing (area 2% to 40%)."""
    erasing: Literal["mean", "irra"] = "mean"
    """`mean`: filled with the mean colour, sides cut at the picture's; `irra`: as :mod:`tireid.data.erasing` does."""
    position_interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    """How CLIP's position grid is resized: bilinear without antialias (IRRA) or bicubic with it (timm, open_clip)."""


class SamplerConfig(Section):
    """How training batches are drawn.

    >>> config = SamplerConfig(batch_size=32)
    >>> config.batch_size // config.pairs_per_person
    8
    """

    kind: Literal["pk", "random"] = "pk"
    """`pk`: P people with K pairs each; `random`: pairs shuffled, each once an epoch."""
    batch_size: int = Field(64, ge=2)
    """Pairs in the global batch, over all processes."""
    pairs_per_person: int = Field(4, ge=1)
    """K; P is batch_size / K."""
    keep_last: bool = False
    """`random` only: the pairs that do not fill a batch make a smaller one (source: IRRA) instead of being left out."""


class UncertaintyConfig(Section):
    """Features as Gaussians (stated by the paper; the fusion is inferred).

    >>> UncertaintyConfig(alpha=0.5).lam
    0.5
    """

    enabled: bool = True
    """Off: features are points, and the alignment loss sees the means."""
    fusion: Annotated[str, own_or_part(FUSIONS, "fusion", "uncertainty.fusion")] = "convex"
    """`convex`: lam * var_batch + (1 - lam) * var_id; `batch` or `identity`: one of the two; `sum`: both added; `std`:
    the same mix of standard deviations; or the import path of one's own, see :mod:`tireid.model.gaussian`."""
    lam: float = Field(0.5, ge=0, le=1)
    """Share of the batch-level variance in the mix (inferred)."""
    alpha: float = Field(1.0, ge=0)
    """Scale of the noise (inferred). It bounds the similarity of a perfect pair's samples: notebook 03 measures where
    that falls under the circle loss's target 1 - margin, which is before 1. So the presets `paper` and `paper-strong`
    take 0.5."""
    alpha_warmup: float = Field(0.0, ge=0, le=1)
    """Fraction of the training over which alpha rises from 0."""
    probability: float = Field(1.0, ge=0, le=1)
    """Probability that a training batch is perturbed at all (DSU uses 0.5)."""
    samples: int = Field(1, ge=1)
    """Samples drawn per feature."""
    unbiased: bool = False
    """Divide by n - 1 instead of n."""
    detach: bool = False
    """Stop the gradient through the standard deviation."""
    align: Literal["samples", "both"] = "samples"
    """What the alignment loss sees: samples only, or the mean of its values on samples and on means."""


class MaskingConfig(Section):
    """Masked language modelling (source: BERT's shares, as IRRA uses them).

    >>> MaskingConfig(unit="word").probability
    0.15
    """

    probability: float = Field(0.15, gt=0, le=1)
    """Share of the real tokens (words) that is chosen; at least one per caption."""
    up_to: float | None = Field(None, gt=0, le=1)
    """Every caption draws its own share, uniform between `probability` and this; None: all take `probability`."""
    unit: Literal["token", "word", "content"] = "token"
    """What is chosen: tokens, whole words, or whole words but for articles, pronouns, prepositions, ... With few tokens
    hidden the rest of the caption gives a colour away, and the encoder becomes a language model that does not look."""
    mask_share: float = Field(0.8, ge=0, le=1)
    """Of the chosen: replaced by the mask token."""
    random_share: float = Field(0.1, ge=0, le=1)
    """Of the chosen: replaced by a random token; the rest stays."""

    @model_validator(mode="after")
    def _shares(self) -> MaskingConfig:
        if self.mask_share + self.random_share > 1:
            raise ValueError("mask_share + random_share must not exceed 1")
        if self.up_to is not None and self.up_to < self.probability:
            raise ValueError(f"up_to ({self.up_to}) must not be below probability ({self.probability})")
        return self


class InteractionConfig(Section):
    """The cross-modal encoder: one cross-attention and a small pre-norm transformer (source: IRRA).

    >>> InteractionConfig(layers=2).residual
    False
    """

    layers: int = Field(4, ge=1)
    """Transformer blocks after the cross-attention."""
    heads: int | None = Field(None, ge=1)
    """None: one head per 64 channels."""
    residual: bool = False
    """Add the caption to what its cross-attention read (IRRA does not)."""
    positions: bool = False
    """A learned vector for every image token, added after the projection (IRRA has none)."""
    looks: int = Field(1, ge=1)
    """Cross-attentions: one before the blocks, and one after each of the first `looks` - 1 of them (IRRA has one)."""
    fresh: bool = False
    """Start the encoder and the heads anew where the backbone's checkpoint brings trained ones."""
    attend_padding: bool = False
    """Let masked captions attend to what follows their end in training, as in IRRA's code."""


class OptimizerConfig(Section):
    """Adam with four parameter groups and a linear warm-up into a cosine (source: IRRA).

    >>> config = OptimizerConfig(lr=1e-4)
    >>> config.lr * config.head_lr_factor
    0.0005
    """

    lr: float = Field(1e-5, gt=0)
    """Learning rate of the towers, at its highest."""
    head_lr_factor: float = Field(5.0, gt=0)
    """For the interaction encoder, the heads and the classifier, biases included."""
    bias_lr_factor: float = Field(2.0, gt=0)
    """For the biases of the towers, which have no weight decay."""
    groups: Literal["part", "irra"] = "part"
    """How parameters are grouped: by part, or by IRRA's rules, see :func:`tireid.model.parameters.parameter_groups`."""
    weight_decay: float = Field(4e-5, ge=0)
    """L2 penalty of weights that are no biases, added to their gradient."""
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), strict=False)
    """Decay of the running means of the gradient and of its square."""
    eps: float = Field(1e-3, gt=0)
    """Added to the denominator of a step. It matters as much as the precision does: with pure half-precision weights
    1e-3 moves about a tenth as far per step as with float32 master weights, which this project always keeps."""
    warmup_epochs: float = Field(5.0, ge=0)
    """Epochs over which the learning rate rises."""
    warmup_start: float = Field(0.1, ge=0, le=1)
    """Factor of the learning rate at step 0."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """What the learning rate does after the warm-up: fall to 0, or stay."""


class TrainingConfig(Section):
    """The loop.

    >>> TrainingConfig(accumulate=4).select_on
    'val'
    """

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bfloat16 autocast on a GPU or processor that computes in it (AVX512-BF16, AMX), float32 elsewhere; master
    weights are always float32."""
    accumulate: int = Field(1, ge=1)
    """Batches per optimiser step; each batch has its own loss, so negatives do not grow with it."""
    chunk: int | None = Field(None, ge=1)
    """Pairs whose activations are held at a time: gradient caching, for a batch that does not fit. The gradients are
    those of the whole batch, every pair is encoded twice. None: all at once."""
    checkpointing: bool = False
    """Keep the input of every layer of the towers only, and compute the layer again for its gradient."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest norm of the gradient of all parameters together; None: no bound."""
    evaluate_every: int = Field(1, ge=1)
    """Epochs between validations."""
    select_on: Literal["val", "test"] = "val"
    """Split that selects the best checkpoint. `test` reproduces the peers' habit and is labelled as such."""
    metrics: tuple[Annotated[str, own_or_part((), "metric", "training.metrics")], ...] = Field((), strict=False)
    """Import paths of retrieval metrics of one's own, reported beside R@k, mAP and mINP on the test split."""
    log_every: int = Field(20, ge=1)
    """Steps between rows of the history."""
    workers: int = Field(0, ge=0)
    """Loader processes. Batches come from a memory-mapped cache, so 0 is usually fastest."""
    max_steps: int | None = Field(None, ge=1)
    """Stop after this many steps (a smoke run)."""
