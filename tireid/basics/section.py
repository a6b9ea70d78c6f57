"""Groups of validated options, and groups that come in several kinds with options of their own."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError


class ConfigError(ValueError):
    """A key that does not exist, a value of the wrong type or range, or a combination that makes no sense.

    >>> from tireid import Config
    >>> try:
    ...     Config.preset("paper", epochs=0)
    ... except ConfigError as error:
    ...     print(error)
    ...
    epochs: Input should be greater than or equal to 1 (got 0)
    """


class Strict(BaseModel):
    """What a stranger's file says: numbers are numbers, unknown keys are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, protected_namespaces=())


class Section(BaseModel):
    """Frozen group of options; unknown keys are errors, and so are text or true for a number, NaN and infinity.

    >>> class Size(Section):
    ...     height: int = 384
    ...
    >>> Size(height=96)
    Size(height=96)
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, strict=True, allow_inf_nan=False)


def explain(error: ValidationError, limit: int = 3) -> str:
    """The first mistakes that pydantic found, each in the form `section.option: what is wrong (got ...)`."""
    lines = []
    for item in error.errors(include_url=False)[:limit]:
        told = item["type"] in ("missing", "json_invalid", "value_error")
        got = "" if told else f" (got {item['input']!r:.80})"
        where = [".".join(map(str, item["loc"]))] if item["loc"] else []
        lines.append(": ".join([*where, item["msg"].removeprefix("Value error, ") + got]))
    more = error.error_count() - limit
    return "; ".join(lines) + (f"; and {more} more" if more > 0 else "")


class Variant(Section):
    """A group of options that comes in several kinds.

    The field that `discriminator` names says which kind it is. Each kind is a subclass with options and defaults of
    its own, beside those that all kinds share.
    """

    discriminator: ClassVar[str]

    @classmethod
    def kind(cls) -> str:
        """What the discriminating field of this subclass is set to; "" where a subclass does not fix it."""
        values: tuple[Any, ...] = get_args(cls.model_fields[cls.discriminator].annotation)
        return str(values[0]) if values else ""


V = TypeVar("V", bound=Variant)


def by_kind(*classes: type[V]) -> dict[str, type[V]]:
    """The classes by their kinds. Raises TypeError for one that has no kind or another's.

    A subclass fixes its kind with a literal: `alignment: Literal["circle"] = "circle"`.
    """
    found: dict[str, type[V]] = {}
    for cls in classes:
        kind = cls.kind()
        if not kind or kind in found:
            raise TypeError(f"{cls.__name__}.{cls.discriminator} must be a literal of its own, got {kind!r}")
        found[kind] = cls
    return found
