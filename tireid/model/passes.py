"""The passes of one training step, each computed when it is first needed and at most once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from tireid.data.text import MaskedTokens, eot_positions, real_token_mask
from tireid.model.distributed import gather, local_rows
from tireid.model.towers import Tokens

if TYPE_CHECKING:
    from tireid.model.tireid import TIReID


class Views:
    """Clean and masked features of a batch.

    Which passes a step needs depends on the terms that are on; a term asks for what it reads. So the masked captions go
    once through the text tower and once through the interaction encoder, whether one term or two read them.
    """

    def __init__(
        self,
        model: TIReID,
        pixel_values: Tensor,
        input_ids: Tensor,
        masked: MaskedTokens | None,
        generator: torch.Generator | None,
    ) -> None:
        self.model = model
        self.pixel_values = pixel_values
        self.input_ids = input_ids
        self.generator = generator
        if masked is not None:
            self.masked = masked

    @cached_property
    def image(self) -> Tokens:
        """Image features."""
        return self.model.backbone.encode_image(self.pixel_values)

    @cached_property
    def text(self) -> Tokens:
        """Features of the clean captions."""
        return self.model.backbone.encode_text(self.input_ids)

    @cached_property
    def masked(self) -> MaskedTokens:
        """Captions with words hidden; drawn for the global batch, so that the number of processes changes nothing."""
        tokenizer, options = self.model.tokenizer, self.model.config.masking
        everyone = gather(self.input_ids)
        drawn = tokenizer.mask(
            everyone, options.probability, options.mask_share, options.random_share, generator=self.generator
        )
        return MaskedTokens(local_rows(drawn.input_ids), local_rows(drawn.labels))

    @cached_property
    def masked_text(self) -> Tokens:
        """Features of the masked captions."""
        return self.model.backbone.encode_text(self.masked.input_ids)

    @cached_property
    def masked_fused(self) -> Tensor:
        """(B, L, D): masked captions after they have looked at the image."""
        fused: Tensor = self.model.interact(self.masked_text.tokens, self.image.tokens, self.real)
        return fused

    @cached_property
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
            text = model.backbone.encode_text(self.masked.input_ids, eot_embedding=model.recovery_embedding)
            return self.at_eot(model.interact(text.tokens, self.image.tokens, self.real))
        image = model.backbone.encode_image(self.pixel_values, self._patch_mask(), model.recovery_embedding)
        fused: Tensor = model.interact(self.text.tokens, image.tokens, self.real, query="image")
        return fused[:, 0]

    @torch.no_grad()
    def targets(self) -> list[Tensor]:
        """What the recovered token is compared with, (B, D) each, without gradient (`recovery.target`)."""
        target = self.model.config.recovery.target
        if target == "fused":
            by_image = self.model.config.recovery.token == "image"
            query: Literal["text", "image"] = "image" if by_image else "text"
            fused = self.model.interact(self.text.tokens, self.image.tokens, self.real, query=query)
            return [fused[:, 0] if by_image else self.at_eot(fused)]
        text = [self.text.pooled] if target in ("text", "both") else []
        return text + ([self.image.pooled] if target in ("image", "both") else [])

    def _patch_mask(self) -> Tensor:
        """Bool (B, h * w): the share `recovery.patch_mask` of each image's patches, at least one; drawn globally."""
        count = self.model.backbone.grid[0] * self.model.backbone.grid[1]
        device = self.pixel_values.device if self.generator is None else self.generator.device
        everyone = gather(self.input_ids).shape[0]
        order = torch.rand((everyone, count), generator=self.generator, device=device).argsort(dim=1).argsort(dim=1)
        hidden = order < max(1, round(count * self.model.config.recovery.patch_mask))
        return local_rows(hidden).to(self.pixel_values.device)
