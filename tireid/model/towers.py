"""CLIP's two towers with a rectangular image grid and a feature for every token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
from transformers.models.clip.modeling_clip import CLIPMLP

from tireid.data.masking import eot_positions
from tireid.model import attention
from tireid.model.activation import LayerNorm, autocast, perceptron

Interpolation = Literal["bilinear", "bicubic"]
IMAGE_POSITIONS = "vision_model.embeddings.position_embedding.weight"
WORDS = "text_model.embeddings.token_embedding.weight"


class CheckpointError(ValueError):
    """Weights that cannot be read or do not fit; names the file or the key, what was expected and what to do.

    >>> from tireid import TIReID
    >>> try:
    ...     TIReID.from_pretrained("tinny")
    ... except CheckpointError as error:
    ...     print(str(error)[:56])
    ...
    cannot read a CLIP model from 'tinny': it does not exist
    """


class Tokens(NamedTuple):
    """What a tower returns: `pooled` (B, D), the global feature, and `tokens` (B, L, D); neither is normalised.

    >>> tokens = Tokens(torch.zeros(2, 8), torch.zeros(2, 5, 8))
    >>> tokens.pooled.shape
    torch.Size([2, 8])
    """

    pooled: Tensor
    tokens: Tensor


class DualEncoder(nn.Module):
    """The towers of a transformers `CLIPModel`, under the same parameter names.

    Differences from `CLIPModel`: the image position table covers the rectangular grid of `image_size` (H, W) pixels;
    the final norm and the projection apply to every token, since the token features feed the interaction encoder (the
    global features are the same numbers); the word table has `vocab_size` rows, the last one for the mask token; there
    is no `logit_scale`. `eos_id`, by default the configuration's, ends a caption.

    Raises:
        ValueError: an image size that is not a multiple of the patch.

    >>> encoder = DualEncoder(tiny_clip_config(vocab_size=50, eos_id=48), image_size=(96, 32), vocab_size=50)
    >>> encoder.grid, encoder.encode_image(torch.zeros(2, 3, 96, 32)).tokens.shape
    ((12, 4), torch.Size([2, 49, 128]))
    """

    def __init__(
        self, clip_config: CLIPConfig, image_size: tuple[int, int], vocab_size: int, eos_id: int | None = None
    ) -> None:
        super().__init__()
        vision, text = tower_configs(clip_config)
        patch = patch_size(clip_config)
        height, width = image_size
        if height % patch or width % patch:
            raise ValueError(f"image size {height}x{width} is not a multiple of the patch, {patch}x{patch} pixels")
        self.clip_config = clip_config
        self.image_size = (height, width)
        self.grid = (height // patch, width // patch)
        self.vocab_size = vocab_size
        self.width = int(clip_config.projection_dim or 0)
        self.eos_id = configured_eos(clip_config) if eos_id is None else eos_id

        clip = CLIPModel(clip_config)
        clip.set_attn_implementation(attention.NAME)
        self.vision_model, self.text_model = clip.vision_model, clip.text_model
        for module in clip.modules():
            if isinstance(module, CLIPMLP) and module.config.hidden_act == "quick_gelu":
                module.__class__ = _Perceptron
            elif isinstance(module, nn.LayerNorm):
                module.__class__ = LayerNorm
        self.visual_projection, self.text_projection = clip.visual_projection, clip.text_projection
        self.vision_model.embeddings.position_embedding = _table(1 + self.grid[0] * self.grid[1], vision.hidden_size)
        self.text_model.embeddings.token_embedding = _table(vocab_size, text.hidden_size)

    @classmethod
    def from_clip(
        cls,
        clip: CLIPModel,
        image_size: tuple[int, int],
        vocab_size: int | None = None,
        interpolation: Interpolation = "bilinear",
        eos_id: int | None = None,
    ) -> DualEncoder:
        """Towers with the weights of a `CLIPModel`; files are read by :mod:`tireid.model.io`.

        The position grid is resampled once, here, and trained from then on. Word rows that CLIP does not have start as
        the mean of the others; `vocab_size` is by default one more than CLIP's. Raises :class:`CheckpointError`.
        """
        config = clip.config
        encoder = cls(config, image_size, vocab_size or tower_configs(config)[1].vocab_size + 1, eos_id)
        state = {name: value for name, value in clip.state_dict().items() if name != "logit_scale"}
        encoder.load_towers(state, square_grid(config), interpolation)
        return encoder

    def load_towers(
        self,
        state: Mapping[str, Tensor],
        grid: tuple[int, int],
        interpolation: Interpolation = "bilinear",
        mask_row: int | None = None,
    ) -> None:
        """Copy tower weights under `CLIPModel`'s names; `grid` (h, w) is that of their position table.

        Word rows that `state` lacks become its row `mask_row`, or the mean of its rows.

        Raises:
            CheckpointError: keys are missing or unknown, a key has the wrong shape, or tables are all zero, as in a
                file whose room was reserved and never filled; all are named.
        """
        adapted = dict(state)
        if IMAGE_POSITIONS in adapted:
            adapted[IMAGE_POSITIONS] = resample_positions(adapted[IMAGE_POSITIONS], grid, self.grid, interpolation)
        if WORDS in adapted and len(adapted[WORDS]) < self.vocab_size:
            words = adapted[WORDS]
            new = words.float().mean(dim=0) if mask_row is None else words[mask_row]
            extra = new.to(words.dtype).expand(self.vocab_size - len(words), -1)
            adapted[WORDS] = torch.cat([words, extra])
        if blank := [name for name, value in state.items() if value.ndim > 1 and value.numel() and not value.any()]:
            raise CheckpointError(f"weights are all zero: {listing(blank)}; a download did not finish: fetch it again")
        copy_weights(self, adapted)

    def checkpoint(self) -> None:
        """Keep the input of every layer only, in training, and compute the layer again for its gradient."""
        for tower in (self.vision_model, self.text_model):
            older = tower.gradient_checkpointing_enable  # its name until transformers 5.22
            getattr(tower, "activation_checkpointing_enable", older)({"use_reentrant": False})

    def encode_image(
        self, pixel_values: Tensor, patch_mask: Tensor | None = None, mask_embedding: Tensor | None = None
    ) -> Tokens:
        """Normalised pixels (B, 3, H, W) to the [CLS] feature (B, D) and all tokens (B, 1 + h * w, D), [CLS] first.

        Patches where `patch_mask` bool (B, h * w) is True are replaced by `mask_embedding` (C,), or by zeros, before
        their position is added.

        Raises:
            ValueError: another image size.
        """
        if pixel_values.ndim != 4 or tuple(pixel_values.shape[1:]) != (3, *self.image_size):
            raise ValueError(
                f"pixel_values must be (B, 3, {self.image_size[0]}, {self.image_size[1]}), got "
                f"{tuple(pixel_values.shape)}"
            )
        embeddings = self.vision_model.embeddings
        patches = embeddings.patch_embedding(pixel_values.to(embeddings.patch_embedding.weight.dtype))
        patches = patches.flatten(2).transpose(1, 2)
        if patch_mask is not None:
            filler = torch.zeros_like(patches) if mask_embedding is None else mask_embedding.to(patches.dtype)
            patches = torch.where(patch_mask[..., None], filler, patches)
        first = embeddings.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = torch.cat([first, patches], dim=1) + embeddings.position_embedding.weight
        x = self.vision_model.pre_layrnorm(x)
        x = self.vision_model.encoder(inputs_embeds=x).last_hidden_state
        tokens = self.visual_projection(self.vision_model.post_layernorm(x))
        return Tokens(tokens[:, 0], tokens)

    def encode_text(self, input_ids: Tensor, eot_embedding: Tensor | None = None) -> Tokens:
        """Token ids int64 (B, L) to the feature at the first end-of-text token (B, D) and all tokens (B, L, D).

        Attention is causal, so what follows the end of the text changes nothing before it. With `eot_embedding` (C,)
        that vector stands in for the end-of-text token's embedding (its position is kept).

        Raises:
            ValueError: a caption without end-of-text token, or one longer than the position table.
        """
        eot = eot_positions(input_ids, self.eos_id)
        rows = torch.arange(len(input_ids), device=input_ids.device)
        words = self.text_model.embeddings.token_embedding(input_ids)
        if eot_embedding is not None:
            at_eot = torch.arange(input_ids.shape[1], device=input_ids.device) == eot[:, None]
            words = torch.where(at_eot[..., None], eot_embedding.to(words.dtype), words)
        x = autocast(self.text_model.embeddings(inputs_embeds=words))
        x = self.text_model.encoder(inputs_embeds=x, is_causal=True).last_hidden_state
        tokens = self.text_projection(self.text_model.final_layer_norm(x))
        return Tokens(tokens[rows, eot], tokens)


class _Perceptron(CLIPMLP):
    """With CLIP's own activation."""

    def forward(self, hidden_states: Tensor) -> Tensor:
        return perceptron(hidden_states, self.fc1, self.fc2)


def resample_positions(
    table: Tensor, old: tuple[int, int], new: tuple[int, int], interpolation: Interpolation = "bilinear"
) -> Tensor:
    """A position table (1 + h * w, C) of grid `old` (h, w) for grid `new`; the class position, first, is kept.

    `bilinear` without antialias (source: IRRA) or `bicubic` with it (source: timm, open_clip). Computed in float32 and
    returned in the dtype of `table`; the same grid returns the table itself.

    Raises:
        ValueError: `table` is not one of the grid `old`.

    >>> resample_positions(torch.arange(5.0)[:, None], (2, 2), (1, 2)).flatten().tolist()
    [0.0, 2.0, 3.0]
    """
    if len(table) != 1 + old[0] * old[1]:
        raise ValueError(f"table has {len(table)} rows, a {old[0]}x{old[1]} grid needs {1 + old[0] * old[1]}")
    if old == new:
        return table
    grid = table[1:].float().T.reshape(1, -1, *old)
    grid = F.interpolate(grid, size=new, mode=interpolation, align_corners=False, antialias=interpolation == "bicubic")
    return torch.cat([table[:1], grid.flatten(2)[0].T.to(table.dtype)])


def copy_weights(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy `state` into `module` exactly; :class:`CheckpointError` names what :func:`check_weights` finds."""
    check_weights(state, module.state_dict())
    module.load_state_dict(dict(state))


def check_weights(state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, partly: bool = False) -> None:
    """Every weight of `own` is in `state` (with `partly`: may be), nothing else is, and its numbers are sound.

    Raises :class:`CheckpointError` naming missing and unknown keys, a key of the wrong shape and both shapes, one that
    is no floating point number (quantised weights), or what :func:`check_finite` finds.
    """
    missing, unknown = () if partly else own.keys() - state.keys(), state.keys() - own.keys()
    if missing or unknown:
        raise CheckpointError(f"weights do not match: missing {listing(missing)}; unknown {listing(unknown)}")
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise CheckpointError(
                f"weight {name} has shape {tuple(value.shape)}, the model needs {tuple(own[name].shape)}"
            )
        if own[name].is_floating_point() and not value.is_floating_point():
            raise CheckpointError(f"weight {name} is {value.dtype}: quantised weights cannot be used, bring float ones")
    check_finite(state)


def check_finite(state: Mapping[str, Tensor]) -> None:
    """Every number of a state dict is one; :class:`CheckpointError` names the weights with NaN or infinity.

    >>> check_finite({"a": torch.zeros(2), "b": torch.tensor([float("nan")])})
    Traceback (most recent call last):
    tireid.model.towers.CheckpointError: weights are not finite (NaN or infinity): b
    """
    floats = {name: value for name, value in state.items() if value.is_floating_point() and value.numel()}
    # The extremes are NaN if any number is; one pass, and no copy as large as the weights.
    broken = [name for name, value in floats.items() if not all(x.isfinite() for x in value.aminmax())]
    if broken:
        raise CheckpointError(f"weights are not finite (NaN or infinity): {listing(broken)}")


def tiny_clip_config(vocab_size: int, eos_id: int, bos_id: int = 0, pad_id: int = 0) -> CLIPConfig:
    """The architecture of `tiny`: 96x32 images in patches of 8, D = 128, about 1.5 M parameters with 1,000 words.

    >>> config = tiny_clip_config(vocab_size=1000, eos_id=999)
    >>> config.projection_dim, config.vision_config.patch_size
    (128, 8)
    """
    common = {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2, "projection_dim": 128}
    words = {"vocab_size": vocab_size, "bos_token_id": bos_id, "eos_token_id": eos_id, "pad_token_id": pad_id}
    return CLIPConfig(
        vision_config={**common, "num_hidden_layers": 4, "image_size": 32, "patch_size": 8},
        text_config={**common, **words, "num_hidden_layers": 3, "max_position_embeddings": 64},
        projection_dim=128,
    )


def tower_configs(config: CLIPConfig) -> tuple[CLIPVisionConfig, CLIPTextConfig]:
    """The sections of a CLIP configuration: vision, text."""
    return cast(CLIPVisionConfig, config.vision_config), cast(CLIPTextConfig, config.text_config)


def patch_size(config: CLIPConfig) -> int:
    """Side of a patch in pixels."""
    size = tower_configs(config)[0].patch_size
    return size if isinstance(size, int) else cast(Sequence[int], size)[0]


def square_grid(config: CLIPConfig) -> tuple[int, int]:
    """(h, w) of the position table of a `CLIPModel` with that configuration."""
    side = int(cast(int, tower_configs(config)[0].image_size)) // patch_size(config)
    return side, side


def _table(rows: int, width: int) -> nn.Embedding:
    table = nn.Embedding(rows, width)
    nn.init.normal_(table.weight, std=0.02)
    return table


def configured_eos(config: CLIPConfig) -> int:
    """The end-of-text id; older CLIP configurations say 2, or that of a larger vocabulary, and mean the highest id."""
    text = tower_configs(config)[1]
    told = text.eos_token_id[0] if isinstance(text.eos_token_id, list) else text.eos_token_id
    return text.vocab_size - 1 if told is None or told == 2 or told >= text.vocab_size else told


def listing(names: Iterable[str], limit: int = 50) -> str:
    """The names, sorted, for a message."""
    ordered = sorted(names)
    more = f" and {len(ordered) - limit} more" if len(ordered) > limit else ""
    return ", ".join(ordered[:limit]) + more if ordered else "none"
