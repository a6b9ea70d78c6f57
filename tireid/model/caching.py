"""Gradient caching: losses on a batch whose activations do not fit.

Source: Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021. The losses
read features of the whole batch; how a chunk of pairs was encoded is forgotten, and done again when the gradient of its
features is known. That is what checkpointing each chunk does, with autocast and random generators as they were.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from tireid.data.masking import MaskedTokens
from tireid.model.passes import Features, Views


def in_chunks(views: Views, size: int | None) -> Features:
    """The features of `views`, of which `size` pairs are encoded at a time; None: all, and nothing is done again."""
    pairs = len(views.input_ids)
    if size is None or size >= pairs:
        return views.features()

    def encode(rows: Tensor) -> Features:
        return _part(views, rows).features()

    chunks = torch.split(torch.arange(pairs, device=views.input_ids.device), size)
    _part(views, chunks[0])  # draws for the whole batch
    parts = [checkpoint(encode, rows, use_reentrant=False) for rows in chunks]
    image, text, words, recovered, targets = zip(*parts, strict=True)
    return Features(
        torch.cat(image),
        torch.cat(text),
        None if words[0] is None else torch.stack(words).sum(),
        None if recovered[0] is None else torch.cat(recovered),
        tuple(map(torch.cat, zip(*targets, strict=True))),
    )


def _part(views: Views, rows: Tensor) -> Views:
    """Some pairs of a batch, with the masks that were drawn for all of it."""
    masked = MaskedTokens(views.masked.input_ids[rows], views.masked.labels[rows]) if views.hides_words else None
    part = Views(views.model, views.pixel_values[rows], views.input_ids[rows], masked, None)
    if views.hides_patches:
        part.hidden_patches = views.hidden_patches[rows]
    return part
