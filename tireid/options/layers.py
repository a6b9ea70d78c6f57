"""Plain trees of options: laid over each other, checked for keys that no section has, explained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from tireid.basics.hints import nearest
from tireid.basics.parts import is_part, is_trusted
from tireid.basics.section import ConfigError, Section, Variant
from tireid.basics.yaml import YAMLError, parse_yaml
from tireid.losses import ALIGNMENTS, RECOVERIES, AlignmentLoss, Recovery
from tireid.options.outside import UnresolvedLoss, loss_class

Tree = Mapping[str, Any]
VARIANTS: dict[str, tuple[type[Variant], Mapping[str, type[Variant]]]] = {
    "loss": (AlignmentLoss, ALIGNMENTS),
    "recovery": (Recovery, RECOVERIES),
}
"""The sections that come in several kinds: what all have in common, and the kinds, the default first."""


def lay(tree: Tree, top: Tree, tuned: Tree) -> dict[str, Any]:
    """`top` over `tree`, section by section.

    A section that becomes another kind keeps what all kinds have in common and starts from its own defaults, or from
    its numbers in `tuned` (section, kind, options). Raises :class:`ConfigError` for a section that is no mapping, which
    a later layer would hide.
    """
    merged = dict(tree)
    for key, value in top.items():
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        if key in merged and isinstance(merged[key], Mapping) and not isinstance(value, Mapping):
            raise ConfigError(f"{key} is a section of options, expected a mapping of them, got {value!r}")
        if key in VARIANTS and isinstance(value, Mapping):
            value = _another_kind(key, _mapping(merged.get(key)), value, tuned.get(key, {})) | dict(value)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            value = {**merged[key], **value}
        merged[key] = value
    return merged


def _another_kind(key: str, old: Tree, new: Tree, tuned: Tree) -> dict[str, Any]:
    base, kinds = VARIANTS[key]
    now = old.get(base.discriminator)
    wanted = new.get(base.discriminator, now or next(iter(kinds)))
    if wanted == now:
        return dict(old)
    common = {name: value for name, value in old.items() if name in base.model_fields}
    return common | {base.discriminator: wanted} | dict(tuned.get(str(wanted), {}))


def variant_class(key: str, tree: Tree, stored: bool = False) -> type[Variant]:
    """The class of a section that comes in several kinds. Raises :class:`ConfigError` naming the nearest kind.

    The loss may be a part from outside, see :mod:`tireid.basics.parts`; `stored` as in :mod:`tireid.options.outside`.
    """
    base, kinds = VARIANTS[key]
    kind = tree.get(base.discriminator, next(iter(kinds)))
    if isinstance(kind, str) and kind in kinds:
        return kinds[kind]
    if key == "loss" and is_part(kind):
        return UnresolvedLoss if stored and not is_trusted(kind.partition(":")[0]) else loss_class(kind)
    or_path = " or the import path of one's own (my_losses:MarginLoss)" if key == "loss" else ""
    raise ConfigError(f"{key}.{base.discriminator} is not known: {kind!r}; {nearest(kind, kinds)}{or_path}")


def check_keys(tree: Tree, root: type[Section], stored: bool = False) -> None:
    """Every key is an option, else :class:`ConfigError` with the nearest one, or with the kinds that have it."""
    sections = {name: field.annotation for name, field in root.model_fields.items() if _is_section(field.annotation)}
    sections |= {key: variant_class(key, _mapping(tree.get(key)), stored) for key in VARIANTS}
    known = [name for name in root.model_fields if name not in sections]
    known += [f"{name}.{leaf}" for name, section in sections.items() for leaf in section.model_fields]  # type: ignore[union-attr]
    free = {f"{key}." for key, section in sections.items() if section is UnresolvedLoss}
    for path in leaves(tree):
        if path not in known and not path.startswith(tuple(free)):
            raise ConfigError(f"unknown option {path!r}; {_other_kinds(path, tree) or _hint(path, known)}")


def leaves(tree: Tree, prefix: str = "") -> Iterable[str]:
    """The paths of all values, with dots.

    >>> list(leaves({"epochs": 3, "loss": {"gamma": 16}}))
    ['epochs', 'loss.gamma']
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        elif isinstance(value, BaseModel):
            yield from (f"{prefix}{key}.{leaf}" for leaf in type(value).model_fields)
        else:
            yield f"{prefix}{key}"


def assignment(text: str) -> dict[str, Any]:
    """The tree of one `"section.option=value"`; the value is read as YAML, where `1e-4` is a number too."""
    path, sign, value = text.partition("=") if isinstance(text, str) else ("", "", "")
    if not sign:
        raise ConfigError(f"override {text!r} is not of the form option=value")
    tree: Any = value.strip()
    with suppress(YAMLError):  # it is text
        tree = parse_yaml(tree)
    for key in reversed(path.strip().split(".")):
        tree = {key: tree}
    return tree  # type: ignore[no-any-return]


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _mapping(value: Any) -> Tree:
    if isinstance(value, BaseModel):
        return value.model_dump()
    return value if isinstance(value, Mapping) else {}


def _other_kinds(path: str, tree: Tree) -> str:
    """The kinds that have an option which the chosen one has not."""
    key, _, leaf = path.partition(".")
    if key not in VARIANTS:
        return ""
    base, kinds = VARIANTS[key]
    owners = [kind for kind, section in kinds.items() if leaf in section.model_fields]
    if not owners:
        return ""
    section, chosen = _mapping(tree.get(key)), f"{key}.{base.discriminator}"
    own = ", ".join(name for name in variant_class(key, section).model_fields if name not in base.model_fields)
    kind = section.get(base.discriminator, next(iter(kinds)))
    return f"it belongs to {chosen} {', '.join(owners)}; {kind} has {own or 'no options'} of its own"


def _hint(path: str, known: list[str]) -> str:
    by_leaf = [k for k in known if k.rsplit(".", 1)[-1] == path.rsplit(".", 1)[-1]]
    return f"did you mean {by_leaf[0]!r}?" if by_leaf else nearest(path, known)
