"""The passes of one training step, each computed when it is first needed and at most once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from tireid.data.masking import MaskedTokens, eot_positions, masking_noise, real_token_mask
from tireid.data.text import Tokenizer
from tireid.domain import Domain
from tireid.losses import mlm_loss
from tireid.model.distributed import global_rows, local_rows
from tireid.model.interaction import MLMHead, RecoveryHead
from tireid.model.lengths import by_length, reads_lengths
from tireid.model.towers import DualEncoder, Tokens
from tireid.options import Config


class Model(Protocol):
    """What the passes and a file of weights need of a model: :class:`tireid.TIReID` is one."""

    backbone: DualEncoder
    tokenizer: Tokenizer
    config: Config
    num_identities: int | None
    domain: Domain | None
    mlm_head: MLMHead | None
    recovery_head: RecoveryHead | None
    recovery_embedding: nn.Parameter | None

    def interact(
        self,
        text_tokens: Tensor,
        image_tokens: Tensor,
        mask: Tensor | None,
        *,
        query: Literal["text", "image"] = "text",
    ) -> Any:
        """The interaction encoder, (B, L, D) to (B, L, D)."""

    def state_dict(self) -> dict[str, Tensor]:
        """Every weight by name."""


T = TypeVar("T")


class once(Generic[T]):
    """`functools.cached_property` without its lock (before Python 3.12), in which torch.compile would stop."""

    def __init__(self, method: Callable[[Any], T]) -> None:
        self.method = method

    def __get__(self, views: Any, owner: type) -> T:
        value = self.method(views)
        views.__dict__[self.method.__name__] = value  # found before this descriptor from now on
        return value


class Features(NamedTuple):
    """What the losses read of B pairs."""

    image: Tensor
    """(B, D) not normalised"""
    text: Tensor
    """(B, D) of the captions that are aligned, clean or masked"""
    words: Tensor | None
    """Summed cross-entropy of the hidden words, a scalar; None without that term"""
    recovered: Tensor | None
    """(B, D) the global token after the interaction, before its head; None without that term"""
    targets: tuple[Tensor, ...]
    """(B, D) each, what it is compared with"""


class Views:
    """Clean and masked features of a batch.

    Which passes a step needs depends on the terms that are on; a term asks for what it reads. So the masked captions go
    once through the text tower and once through the interaction encoder, whether one term or two read them.
    """

    def __init__(
        self,
        model: Model,
        pixel_values: Tensor,
        input_ids: Tensor,
        masked: MaskedTokens | None,
        generator: torch.Generator | None,
    ) -> None:
        self.model = model
        self.pixel_values = pixel_values
        self.input_ids = input_ids
        self.generator = generator
        self._given = masked is not None
        if masked is not None:
            self.masked = masked

    @once
    def image(self) -> Tokens:
        """Image features."""
        return self.model.backbone.encode_image(self.pixel_values)

    @once
    def text(self) -> Tokens:
        """Features of the clean captions."""
        return self._both[0] if self._reads_both else self._encode(self.input_ids)

    @once
    def masked(self) -> MaskedTokens:
        """Captions with words hidden; drawn for the global batch, so that the number of processes changes nothing."""
        tokenizer, options, ids = self.model.tokenizer, self.model.config.masking, self.input_ids
        length = max(tokenizer.context_length, ids.shape[1])
        noise = masking_noise(global_rows(len(ids)), length, ids.device, self.generator)
        return tokenizer.mask(
            ids,
            options.probability,
            options.mask_share,
            options.random_share,
            local_rows(noise.transpose(0, 1)).transpose(0, 1),
            options.up_to,
            options.unit,
        )

    @once
    def masked_text(self) -> Tokens:
        """Features of the masked captions."""
        return self._both[1] if self._reads_both else self._encode(self.masked.input_ids)

    @property
    def _reads_both(self) -> bool:
        """Whether some term reads the clean captions and some the masked ones, as they are."""
        model, loss = self.model, self.model.config.loss
        recovery = model.config.recovery if model.recovery_head is not None else None
        clean = not loss.align_masked or (recovery is not None and recovery.target != "image")
        hidden = loss.align_masked or model.mlm_head is not None or (recovery is not None and recovery.token == "eot")
        return clean and hidden

    @property
    def hides_patches(self) -> bool:
        """Whether some term reads pictures with patches hidden."""
        return self.model.recovery_head is not None and self.model.config.recovery.token == "image"

    @property
    def hides_words(self) -> bool:
        """Whether some term reads masked captions."""
        model = self.model
        recovers = model.recovery_head is not None and not self.hides_patches
        return model.config.loss.align_masked or model.mlm_head is not None or recovers

    @once
    def _both(self) -> tuple[Tokens, Tokens]:
        """Clean and masked captions in one pass of the text tower."""
        both = self._encode(torch.cat([self.input_ids, self.masked.input_ids]))
        (clean, hidden), (tokens, hidden_tokens) = both.pooled.chunk(2), both.tokens.chunk(2)
        return Tokens(clean, tokens), Tokens(hidden, hidden_tokens)

    @once
    def masked_fused(self) -> Tensor:
        """(B, L, D): masked captions after they have looked at the image."""
        text, image = self.masked_text.tokens, self.image.tokens
        if self.model.config.interaction.attend_padding:
            fused: Tensor = self.model.interact(text, image, None)
            return fused
        return self._interact(text, image)

    def _encode(self, ids: Tensor, eot_embedding: Tensor | None = None) -> Tokens:
        """Features of captions, at least up to their ends; all where the interaction reads what follows."""
        backbone = self.model.backbone
        if self.model.config.interaction.attend_padding:
            return backbone.encode_text(ids, eot_embedding)
        ends = eot_positions(ids, self.model.tokenizer.eos_id)

        def run(rows: Tensor, longest: int) -> Tensor:
            return backbone.encode_text(ids[rows, :longest], eot_embedding).tokens

        tokens = by_length(run, ends + 1, ids.shape[1])
        return Tokens(tokens[torch.arange(len(ids), device=ids.device), ends], tokens)

    def _interact(self, text: Tensor, image: Tensor) -> Tensor:
        """(B, L, D): captions after they have looked at the image, up to their ends."""

        def run(rows: Tensor, longest: int) -> Tensor:
            fused: Tensor = self.model.interact(text[rows, :longest], image[rows], self.real[rows, :longest])
            return fused

        return by_length(run, self.real.sum(dim=1), text.shape[1])

    def hidden_tokens(self) -> tuple[Tensor, Tensor]:
        """Fused features (n, D) of the chosen tokens and their labels (n,), of which the last may be -100: no token.

        On a processor n is their number. Elsewhere it depends on shapes and options only, since one that depends on the
        draw would make an accelerator wait and a compiler stop. It is so far above the expected number (at least ten
        standard deviations) that nothing is left out; with masked captions that were given it is that of all tokens.
        """
        options, labels = self.model.config.masking, self.masked.labels.flatten()
        if reads_lengths(labels):
            places = (labels != -100).nonzero()[:, 0]
            return self.masked_fused.flatten(0, 1)[places], labels[places]
        share = 1.0 if self._given else max(options.probability, options.up_to or 0.0)
        slots = min(len(labels), math.ceil(1.25 * share * len(labels)) + 2 * len(self.input_ids) + 64)
        places = (labels != -100).to(torch.uint8).argsort(descending=True, stable=True)[:slots]
        return self.masked_fused.flatten(0, 1)[places], labels[places]

    def features(self) -> Features:
        """All that the losses read."""
        model = self.model
        seen = self.masked_text if model.config.loss.align_masked else self.text
        words, recovered = None, None
        targets: tuple[Tensor, ...] = ()
        if model.mlm_head is not None:
            hidden, labels = self.hidden_tokens()
            words = mlm_loss(model.mlm_head(hidden), labels, normalizer=1.0)
        if model.recovery_head is not None:
            recovered, targets = self.recovered(), tuple(self.targets())
        return Features(self.image.pooled, seen.pooled, words, recovered, targets)

    @once
    def real(self) -> Tensor:
        """Bool (B, L): start to end of text; masking does not move them."""
        return real_token_mask(self.input_ids, self.model.tokenizer.eos_id)

    def at_eot(self, tokens: Tensor) -> Tensor:
        """(B, L, D) to (B, D) at the end of each text."""
        eot = eot_positions(self.input_ids, self.model.tokenizer.eos_id)
        return tokens[torch.arange(len(tokens), device=tokens.device), eot]

    def recovered(self) -> Tensor:
        """(B, D): the global token after the interaction, from which something was taken away (`recovery.token`).

        All three are inferred. `eot`: the end of text of the masked caption. `mask`: the same, but a learned vector
        replaces the end-of-text token's embedding at the input of the text tower; it is read at that position, and in a
        pass of its own, so that masked language modelling does not depend on this option. `image`: [CLS] of the image
        with patches hidden, its tokens asking the whole caption.
        """
        token, model = self.model.config.recovery.token, self.model
        if token == "eot":
            return self.at_eot(self.masked_fused)
        if token == "mask":
            text = self._encode(self.masked.input_ids, model.recovery_embedding)
            return self.at_eot(self._interact(text.tokens, self.image.tokens))
        image = model.backbone.encode_image(self.pixel_values, self.hidden_patches, model.recovery_embedding)
        fused: Tensor = model.interact(self.text.tokens, image.tokens, self.real, query="image")
        return fused[:, 0]

    def targets(self) -> list[Tensor]:
        """What the recovered token is compared with, (B, D) each, without gradient (`recovery.target`)."""
        with torch.no_grad():
            return self._targets(self.model.config.recovery.target)

    def _targets(self, target: str) -> list[Tensor]:
        if target == "fused":
            text, image = self.text.tokens, self.image.tokens
            if self.model.config.recovery.token == "image":
                return [self.model.interact(text, image, self.real, query="image")[:, 0]]
            return [self.at_eot(self._interact(text, image))]
        pooled = [self.text.pooled] if target in ("text", "both") else []
        return pooled + ([self.image.pooled] if target in ("image", "both") else [])

    @once
    def hidden_patches(self) -> Tensor:
        """Bool (B, h * w): the share `recovery.patch_mask` of each image's patches, at least one; drawn globally."""
        count = self.model.backbone.grid[0] * self.model.backbone.grid[1]
        device = self.pixel_values.device if self.generator is None else self.generator.device
        everyone = global_rows(len(self.input_ids))
        order = torch.rand((everyone, count), generator=self.generator, device=device).argsort(dim=1).argsort(dim=1)
        hidden = order < max(1, round(count * self.model.config.recovery.patch_mask))
        return local_rows(hidden).to(self.pixel_values.device)
