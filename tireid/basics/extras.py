"""Packages that only some parts need: `pip install tireid` leaves them out, an extra brings them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingExtraError(ImportError):
    """A package that comes with an extra is not installed; the message says how to install it."""


def require(module: str, extra: str) -> Any:
    """The module named `module`, which comes with the extra named `extra`.

    Raises:
        MissingExtraError: the package is not installed.

    >>> require("json", "notebooks").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, and misses one of its own
        raise MissingExtraError(
            f"{package} is not installed; it comes with the extra {extra!r}: pip install 'tireid[{extra}]'",
            name=error.name,
        ) from error
