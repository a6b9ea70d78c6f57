"""Text-to-image person re-identification: two towers, their uncertainty, and the terms that train them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tireid.basics.arguments import COUNT, LIST, PATH, Kind, checked
from tireid.basics.files import writable
from tireid.data.masking import MaskedTokens
from tireid.data.text import Tokenizer
from tireid.domain import Domain
from tireid.losses.alignment import ramp
from tireid.losses.common import at_least_float32
from tireid.model import io
from tireid.model.caching import in_chunks
from tireid.model.distributed import gather, shared_generator
from tireid.model.encoding import Picture, encode_images, encode_texts
from tireid.model.gaussian import Gaussian, reparameterise, uncertainty
from tireid.model.interaction import InteractionEncoder, MLMHead, RecoveryHead, interaction_encoder
from tireid.model.objective import alignment_loss, diagnostics
from tireid.model.output import TIReIDOutput
from tireid.model.parameters import parameter_groups
from tireid.model.passes import Views
from tireid.model.terms import check_inputs, identity_term, mlm_term, recovery_term
from tireid.model.towers import DualEncoder, tiny_clip_config, tower_configs
from tireid.options import Config, OptimizerConfig

_TOKENIZER = Kind(
    "a Tokenizer, or the path of one", lambda value: value if isinstance(value, Tokenizer) else PATH.read(value)
)


class TIReID(nn.Module):
    """The model: `backbone`, and the heads that `config` needs for its terms.

    `interaction` and `mlm_head` or `recovery_head` exist if their weight is above 0, `classifier` if the identity
    weight is and `num_identities` says how many people train it. Retrieval reads the backbone alone. New parts start as
    in IRRA (see :class:`InteractionEncoder`; the classifier normal with standard deviation 0.001); the learned vector
    of `recovery.token` `mask` or `image` starts normal with 0.02, as CLIP's word table.

    >>> model = TIReID.build(Config.preset("paper", backbone="tiny-untrained"), train_captions=["a red coat"])
    >>> model.encode_texts(["a red coat", "a coat"]).shape
    torch.Size([2, 128])
    """

    source: str | None = None
    """Bundled name, hub id or absolute path that the model was loaded from; None for one that was built."""

    def __init__(
        self, backbone: DualEncoder, tokenizer: Tokenizer, config: Config, num_identities: int | None = None
    ) -> None:
        super().__init__()
        _check_match(backbone, tokenizer, config)
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.config = config
        self.num_identities = num_identities
        if config.training.checkpointing:
            backbone.checkpoint()
        self.domain: Domain | None = None  # what it was trained on, where that is known
        width, terms = backbone.width, config.loss
        self.interaction: InteractionEncoder | None = None
        self.mlm_head: MLMHead | None = None
        self.recovery_head: RecoveryHead | None = None
        self.classifier: nn.Linear | None = None
        self.recovery_embedding: nn.Parameter | None = None
        if terms.mlm or terms.recovery:
            self.interaction = interaction_encoder(width, backbone.grid, config.interaction)
        if terms.mlm:
            self.mlm_head = MLMHead(width, vocab_size=tokenizer.mask_id)
        if terms.recovery:
            self.recovery_head = RecoveryHead(width)
            self.recovery_embedding = _recovery_embedding(backbone, config.recovery.token)
        if terms.identity and num_identities is not None:
            self.classifier = nn.Linear(width, num_identities, bias=terms.identity_form == "softmax")
            nn.init.normal_(self.classifier.weight, std=0.001)
            if self.classifier.bias is not None:
                nn.init.zeros_(self.classifier.bias)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.backbone.visual_projection.weight.device  # type: ignore[no-any-return]

    def forward(
        self,
        pixel_values: Tensor,
        input_ids: Tensor,
        person_ids: Tensor,
        *,
        masked: MaskedTokens | None = None,
        generator: torch.Generator | None = None,
        progress: float = 1.0,
    ) -> TIReIDOutput:
        """The objective on B pairs of a picture and a caption.

        `pixel_values` (B, 3, H, W) normalised, `input_ids` int64 (B, L), `person_ids` int64 (B,): for the identity
        term 0 .. num_identities - 1. `masked` replaces the random masking; `generator` draws masks and noise;
        `progress` in [0, 1] is the part of the training that is done, for the warm-ups of alpha and gamma.

        In eval mode nothing is random (without a `generator` the masks come from a fixed seed), features are their
        means, and there is no identity term, since the classifier knows the training people only. With several
        processes each brings the same number of pairs, L and generator state; losses and features are global.
        """
        check_inputs(pixel_values, input_ids, person_ids, masked, progress)
        if generator is None:
            generator = shared_generator(self.device) if self.training else torch.Generator().manual_seed(0)
        views = Views(self, pixel_values, input_ids, masked, generator)
        features = in_chunks(views, self.config.training.chunk) if self.training else views.features()
        ids = gather(person_ids)
        alpha = self._alpha(progress, generator)
        image = self._gaussian(features.image, ids, alpha, generator)
        text = self._gaussian(features.text, ids, alpha, generator)

        align = self.config.uncertainty.align if self.config.uncertainty.enabled else "samples"
        losses = {"align": alignment_loss(self.config.loss, image, text, ids, progress, align)}
        if features.words is not None:
            losses["mlm"] = mlm_term(features.words, views.masked.labels)
        if self.recovery_head is not None:
            losses["recovery"] = recovery_term(self.config.recovery, self.recovery_head, features, ids, progress)
        if self.config.loss.identity and self.training:
            losses["identity"] = identity_term(self.config.loss, self.classifier, image, text, ids)
        loss = torch.stack([getattr(self.config.loss, name) * value for name, value in losses.items()]).sum()
        watch = partial(diagnostics, self.config.loss, image, text, ids, progress)
        return TIReIDOutput(loss, losses, image, text, watch)

    def interact(
        self,
        text_tokens: Tensor,
        image_tokens: Tensor,
        mask: Tensor | None = None,
        need_weights: bool = False,
        query: Literal["text", "image"] = "text",
    ) -> Any:
        """:class:`InteractionEncoder` on token features: (B, L, D), with `need_weights` also the cross-attention.

        Raises:
            ValueError: the model has no interaction encoder.
        """
        if self.interaction is None:
            raise ValueError("this model has no interaction encoder: its loss.mlm and loss.recovery are 0")
        return self.interaction(text_tokens, image_tokens, mask, need_weights, query)

    # The terms

    def _gaussian(self, features: Tensor, ids: Tensor, alpha: float | Tensor, rng: torch.Generator | None) -> Gaussian:
        options, mean = self.config.uncertainty, gather(at_least_float32(features))
        if not options.enabled:
            return Gaussian(mean, torch.zeros_like(mean), mean[None])
        variance = uncertainty(mean, ids, options.fusion, options.lam, options.unbiased)
        if not self.training:
            return Gaussian(mean, variance, mean[None])
        draws = reparameterise(mean, variance, alpha, options.samples, options.detach, rng)
        return Gaussian(mean, variance, draws)

    # What is drawn

    def _alpha(self, progress: float, generator: torch.Generator | None) -> float | Tensor:
        """The noise scale now: 0 for a batch that is not perturbed."""
        options = self.config.uncertainty
        alpha = options.alpha * ramp(progress, options.alpha_warmup)
        if options.probability == 1 or not (self.training and options.enabled):
            return alpha
        device = self.device if generator is None else generator.device
        perturbed = torch.rand((), generator=generator, device=device) < options.probability
        return alpha * perturbed.to(self.device)

    # Retrieval

    @checked(images=LIST, batch_size=COUNT)
    def encode_images(self, images: Sequence[Picture] | Tensor, batch_size: int = 64) -> Tensor:
        """Features (N, D) of pictures: float32, L2-normalised, on the CPU.

        `images` is a list of paths, PIL images or uint8 arrays (H, W, 3), which are resized, or a tensor (N, 3, H, W)
        of the model's size: uint8, or float already normalised with CLIP's mean and std. Files are read as they are
        stored, whatever their EXIF orientation says.

        Raises:
            ValueError: anything else.
            ImageError: a picture that cannot be read.
        """
        return encode_images(self.backbone, images, batch_size)

    @checked(batch_size=COUNT)
    def encode_texts(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Features (N, D) of sentences: float32, L2-normalised, on the CPU.

        Raises:
            ValueError: an empty text, or something else than a string; names its position.
        """
        return encode_texts(self.backbone, self.tokenizer, texts, batch_size)

    # Weights

    def parameter_groups(self, optimizer: OptimizerConfig) -> list[dict[str, Any]]:
        """The four groups of :func:`tireid.model.parameters.parameter_groups`."""
        return parameter_groups(self, optimizer)

    @classmethod
    @checked(num_identities=COUNT)
    def build(
        cls, config: Config, num_identities: int | None = None, train_captions: Sequence[str] | None = None
    ) -> TIReID:
        """The model that `config.backbone` names; `tiny-untrained` learns its tokenizer from `train_captions`.

        Raises:
            ValueError: `tiny-untrained` without `config.tokenizer` and `train_captions`.
        """
        if config.backbone != "tiny-untrained":
            return cls.from_pretrained(config.backbone, config, num_identities, config.tokenizer)
        words = _own_words(config, train_captions)
        clip = tiny_clip_config(words.vocab_size, words.eos_id, words.bos_id, words.pad_id)
        size = (config.image.height, config.image.width)
        return cls(DualEncoder(clip, size, words.vocab_size, words.eos_id), words, config, num_identities)

    @classmethod
    @checked(num_identities=COUNT, tokenizer=_TOKENIZER)
    def from_pretrained(
        cls,
        source: str | Path,
        config: Config | None = None,
        num_identities: int | None = None,
        tokenizer: Tokenizer | str | Path | None = None,
    ) -> TIReID:
        """A model from a bundled name, a directory, a CLIP model (directory or hub id), or somebody else's file.

        Bundled are `tiny`, towers that know clean `studio` people, and `tiny-street`, the same after fine-tuning with
        the preset `paper` on the default training people. Files are those of OpenAI's CLIP, open_clip, IRRA, RDE and
        TBPS-CLIP; what RDE and TBPS-CLIP have beyond IRRA is named and not used.

        Without `config`: the one that was saved, `irra` for an IRRA file, `tal` for RDE's, else `paper`. Parts that
        `config` needs and `source` lacks start fresh; the model is in evaluation mode, its weights float32.
        `tokenizer`, or a path to one, overrides that of the source; a file has none, so it is looked for beside it and
        in the hub's cache. The network is asked for a hub id only. Raises :class:`CheckpointError` naming the file or
        key that does not fit.
        """
        parts = io.load(source, config, num_identities, tokenizer)
        model = cls(parts.backbone, parts.tokenizer, parts.config, parts.num_identities)
        parts.fill(model)
        is_path = str(source) not in io.BUNDLED and Path(source).exists()
        model.source = str(Path(source).resolve()) if is_path else str(source)
        return model.eval()

    @checked()
    def save_pretrained(self, directory: str | Path) -> None:
        """Write config.json, model.safetensors and the tokenizer; each file appears whole or not at all.

        Raises :class:`CheckpointError` if a weight is not finite; what was saved before stays.
        """
        io.save(self, writable(directory))


def _own_words(config: Config, train_captions: Sequence[str] | None) -> Tokenizer:
    """The tokenizer of `tiny-untrained`."""
    if config.tokenizer is not None:
        return io.fit(io.find_tokenizer(config.tokenizer, Path()), 64)
    if not train_captions:
        raise ValueError("backbone tiny-untrained learns its tokenizer: pass train_captions")
    return Tokenizer.train(train_captions, vocab_size=1000, context_length=64)


def _recovery_embedding(backbone: DualEncoder, token: str) -> nn.Parameter | None:
    """The learned vector that stands for what is hidden: a word embedding, or a patch embedding."""
    if token == "eot":
        return None
    vision, text = tower_configs(backbone.clip_config)
    return nn.Parameter(0.02 * torch.randn(text.hidden_size if token == "mask" else vision.hidden_size))


def _check_match(backbone: DualEncoder, tokenizer: Tokenizer, config: Config) -> None:
    if (backbone.vocab_size, backbone.eos_id) != (tokenizer.vocab_size, tokenizer.eos_id):
        raise ValueError(
            f"the backbone has {backbone.vocab_size} words and end of text {backbone.eos_id}, the tokenizer "
            f"{tokenizer.vocab_size} and {tokenizer.eos_id}; they must be of the same model"
        )
    if backbone.image_size != (config.image.height, config.image.width):
        raise ValueError(
            f"the backbone takes images of {backbone.image_size}, config.image says "
            f"{(config.image.height, config.image.width)}"
        )
