"""One validated, serialisable description of an experiment.

A :class:`Config` is a tree of small frozen sections; a component receives the few numbers it needs, never the whole
tree.

>>> cfg = Config.preset("paper", dataset="synthetic", epochs=5, seed=0)
>>> cfg = cfg.override(["loss.gamma=64", "uncertainty.alpha=0.5"])
>>> cfg.uncertainty.alpha
0.5
>>> cfg.override(["loss.gama=64"])
Traceback (most recent call last):
    ...
tireid.basics.section.ConfigError: unknown option 'loss.gama'; did you mean 'loss.gamma'?
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, ValidationInfo, model_validator

from tireid.basics.arguments import checked
from tireid.basics.files import read_json, write_json
from tireid.basics.formats import DATASETS
from tireid.basics.parts import PartError, is_part
from tireid.basics.section import ConfigError, Section, explain
from tireid.losses import AlignmentLoss, CircleLoss, Recovery
from tireid.losses.recovery import InfoNCERecovery
from tireid.options import sections
from tireid.options.layers import assignment, check_keys, lay, variant_class
from tireid.options.outside import STORED, UnresolvedLoss, is_stored, own_or_part
from tireid.options.presets import is_tiny, read_preset, tiny_recipe
from tireid.options.stored import upgraded

DEFAULT_HUB_BACKBONE = "openai/clip-vit-base-patch16"


def _of_kind(key: str) -> BeforeValidator:
    """Validates a tree with the class of its kind."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            return value
        kind = variant_class(key, value, is_stored(info.context))
        return kind.model_validate(dict(value), context=info.context)

    return BeforeValidator(validate)


class Config(Section):
    """A whole experiment. Build it with :meth:`preset`; change it with :meth:`override`.

    >>> config = Config.preset("paper", epochs=5).override(["loss.gamma=32"])
    >>> config.epochs, config.loss.gamma, config.sampler.pairs_per_person
    (5, 32.0, 2)
    """

    name: str = "paper"
    """The preset it started from."""
    dataset: Annotated[str, own_or_part(DATASETS, "reader", "dataset")] = "synthetic"
    """`synthetic`, `CUHK-PEDES`, `ICFG-PEDES`, `RSTPReid`; the path of a table or folder of one's own; or the import
    path of a reader: see :func:`tireid.load_dataset`."""
    root: str | None = None
    """Folder that holds the data set's folder; None for the generated set means the user's cache."""
    backbone: str = "tiny"
    """`tiny` or `tiny-street` (bundled), `tiny-untrained`, a directory, a hub id of a CLIP model, or an IRRA or OpenAI
    checkpoint."""
    activation: Literal["auto", "quick_gelu", "gelu"] = "auto"
    """Of the backbone's perceptrons; `auto` is what its files say. A state dict says nothing: OpenAI's weights have
    QuickGELU, open_clip's plain GELU unless the model's name ends in `-quickgelu`."""
    tokenizer: str | None = None
    """A directory or vocabulary file; None takes the backbone's own, for a file what lies beside it or in the cache."""
    epochs: int = Field(60, ge=1)
    """Passes over the training pairs."""
    seed: int = Field(1, ge=0)
    """Of batches, noise, masks, augmentation and new weights."""
    image: sections.ImageConfig = sections.ImageConfig()
    sampler: sections.SamplerConfig = sections.SamplerConfig()
    uncertainty: sections.UncertaintyConfig = sections.UncertaintyConfig()
    loss: Annotated[SerializeAsAny[AlignmentLoss], _of_kind("loss")] = CircleLoss()
    """One alignment loss with its own options, and the weights of the other terms: see :mod:`tireid.losses`."""
    masking: sections.MaskingConfig = sections.MaskingConfig()
    interaction: sections.InteractionConfig = sections.InteractionConfig()
    recovery: Annotated[SerializeAsAny[Recovery], _of_kind("recovery")] = InfoNCERecovery()
    optimizer: sections.OptimizerConfig = sections.OptimizerConfig()
    training: sections.TrainingConfig = sections.TrainingConfig()

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if self.sampler.kind == "pk" and self.sampler.batch_size % self.sampler.pairs_per_person:
            raise ValueError(
                f"sampler.batch_size ({self.sampler.batch_size}) must be a multiple of "
                f"sampler.pairs_per_person ({self.sampler.pairs_per_person})"
            )
        if self.root is None and self.dataset != "synthetic" and self.dataset in DATASETS:
            raise ValueError(f"dataset {self.dataset!r} needs root, the folder that holds {self.dataset}/imgs")
        return self

    @classmethod
    @checked()
    def preset(cls, name: str | Path, **options: Any) -> Config:
        """The preset `name`, or that of the YAML file at this path, with the recipe of its backbone, then `options`.

        The files of the package are in `tireid/options/presets`, what a file can say in that package's docstring.
        `options` are top-level fields (`dataset`, `root`, `backbone`, `epochs`, `seed`) or whole sections as dicts.
        Without `backbone`, the synthetic set gets the bundled `tiny` and a real data set CLIP ViT-B/16.

        Raises:
            ConfigError: a preset or option that is not known or not valid; a preset's file is named.
        """
        preset = read_preset(name)
        synthetic = options.get("dataset", "synthetic") == "synthetic"
        backbone = str(options.get("backbone", "tiny" if synthetic else DEFAULT_HUB_BACKBONE))
        recipe = tiny_recipe() if is_tiny(backbone) else {"options": {}, "kinds": {}}
        # The empty sections choose the default kinds, with their numbers for this backbone.
        tree: dict[str, Any] = {"name": preset.name, "backbone": backbone}
        try:
            for layer in ({"loss": {}, "recovery": {}}, recipe["options"], *preset.options(is_tiny(backbone)), options):
                tree = lay(tree, layer, recipe["kinds"])
            return cls.from_dict(tree)
        except ConfigError as error:
            if not preset.files:
                raise
            raise ConfigError(f"preset {preset.files[0]}, with the options given: {error}") from None

    @classmethod
    @checked()
    def from_dict(cls, tree: Mapping[str, Any]) -> Config:
        """Validate a plain tree; errors name the option and, for a mistyped key, the nearest one.

        A part from outside must be one that the user trusts, see :mod:`tireid.basics.parts`.

        Raises:
            ConfigError: an option that is not known or not valid.
        """
        return cls._validated(tree, stored=False)

    @classmethod
    def from_stored(cls, tree: Mapping[str, Any]) -> Config:
        """Validate a tree that was written earlier, perhaps by an older version or by a stranger.

        Options that every loss carried before each had its own are dropped where the chosen one does not read them. A
        part from outside that is not trusted is kept by name: the model can search, but :meth:`resolved` refuses.
        """
        return cls._validated(upgraded(tree), stored=True)

    @classmethod
    def _validated(cls, tree: Mapping[str, Any], stored: bool) -> Config:
        try:
            check_keys(tree, cls, stored)
            return cls.model_validate(dict(tree), context=STORED if stored else None)
        except ValidationError as error:
            raise ConfigError(explain(error)) from None
        except PartError as error:
            raise ConfigError(str(error)) from error

    @checked()
    def override(self, assignments: Iterable[str]) -> Config:
        """A copy with `"section.option=value"` strings applied; values are read as YAML (`1e-4` is a number).

        Where one chooses another `loss.alignment`, its options come with the new loss's own values (on the bundled
        model, those found for it); the weights of the terms stay. The order of the strings does not matter for that.

        Raises:
            ConfigError: an option that is not known, belongs to another loss, or is not valid.
        """
        top: dict[str, Any] = {}
        for text in assignments:
            top = _deep(top, assignment(text))
        tuned = tiny_recipe()["kinds"] if is_tiny(str(top.get("backbone", self.backbone))) else {}
        return self._validated(lay(self.to_dict(), top, tuned), stored=isinstance(self.loss, UnresolvedLoss))

    def resolved(self) -> Config:
        """The same with every part from outside at hand; :class:`ConfigError` names one that is not trusted."""
        return self.from_dict(self.to_dict())

    @property
    def parts(self) -> tuple[str, ...]:
        """The import paths of all parts from outside."""
        named = (self.loss.alignment, self.uncertainty.fusion, self.dataset, *self.training.metrics)
        return tuple(name for name in named if is_part(name))

    def to_dict(self) -> dict[str, Any]:
        """A plain tree of JSON values."""
        return self.model_dump(mode="json")

    @checked()
    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        write_json(path, self.to_dict())

    @classmethod
    @checked()
    def load(cls, path: str | Path) -> Config:
        """Read what :meth:`save` wrote, also by an older version: see :meth:`from_stored`.

        Raises:
            ConfigError: no JSON, or an option that is not valid; names the file and the option.
        """
        try:
            return cls.from_stored(read_json(path))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None
        except ValueError as error:
            raise ConfigError(str(error)) from None

    @property
    def hash(self) -> str:
        """Ten hexadecimal digits that name this configuration."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _deep(base: dict[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _deep(merged[key], value) if both else value
    return merged
