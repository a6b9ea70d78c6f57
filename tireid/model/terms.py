"""The terms beside the alignment, each from what it reads of a step's passes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tireid.data.masking import MaskedTokens
from tireid.losses import AlignmentLoss, Recovery, class_circle_loss, identity_loss
from tireid.losses.common import at_least_float32
from tireid.model.distributed import gather
from tireid.model.gaussian import Gaussian
from tireid.model.interaction import RecoveryHead
from tireid.model.passes import Features


def mlm_term(words: Tensor, labels: Tensor) -> Tensor:
    """Predicting the hidden words, a scalar: their summed cross-entropy `words` over the number of `labels` (B, L)."""
    total = gather((labels != -100).sum()[None]).sum().clamp(min=1)
    # Over the global count, summed over processes: the same number everywhere, and the right averaged gradient.
    return gather((words / total)[None]).sum()


def recovery_term(options: Recovery, head: RecoveryHead, features: Features, ids: Tensor, progress: float) -> Tensor:
    """Recovering the global token, a scalar: the mean over its targets. `ids` (B,) are the global batch's people.

    Raises:
        ValueError: `features` are of a model without that term.
    """
    if features.recovered is None:
        raise ValueError("these features have no recovered token")
    recovered = gather(at_least_float32(head(features.recovered)))
    targets = [gather(at_least_float32(target)) for target in features.targets]
    return torch.stack([options.compute(recovered, target, ids, progress) for target in targets]).mean()


def identity_term(
    options: AlignmentLoss, classifier: nn.Linear | None, image: Gaussian, text: Gaussian, ids: Tensor
) -> Tensor:
    """Telling the training people `ids` (B,) apart, a scalar.

    On features that are neither sampled nor normalised, as in IRRA (inferred for the paper's model).

    Raises:
        ValueError: there is no classifier.
    """
    if classifier is None:
        raise ValueError("loss.identity is above 0: build the model with num_identities, the number of people")
    if options.identity_form == "circle":
        margin, gamma = options.identity_margin, options.identity_gamma
        return class_circle_loss(image.mean, text.mean, classifier.weight, ids, margin, gamma)
    return identity_loss(classifier(image.mean), classifier(text.mean), ids)


def check_inputs(
    pixel_values: Tensor,
    input_ids: Tensor,
    person_ids: Tensor,
    masked: MaskedTokens | None,
    progress: float,
) -> None:
    """Pixels (B, 3, H, W), ids int64 (B, L), people (B,) and a masking fit together.

    Raises:
        ValueError: names the argument that does not fit.
    """
    if input_ids.ndim != 2 or input_ids.dtype != torch.int64:
        raise ValueError(f"input_ids must be int64 (B, L), got {tuple(input_ids.shape)} of {input_ids.dtype}")
    if not len(pixel_values) == len(input_ids) == len(person_ids):
        raise ValueError(
            f"pixel_values, input_ids and person_ids must have the same length, got {len(pixel_values)}, "
            f"{len(input_ids)} and {len(person_ids)}"
        )
    if masked is not None and not masked.input_ids.shape == masked.labels.shape == input_ids.shape:
        raise ValueError(
            f"masked must have the shape of input_ids {tuple(input_ids.shape)}, got "
            f"{tuple(masked.input_ids.shape)} and labels {tuple(masked.labels.shape)}"
        )
    if not 0 <= progress <= 1:
        raise ValueError(f"progress must lie in [0, 1], got {progress}")
