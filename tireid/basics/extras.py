"""Packages that only some parts need: `pip install tireid` leaves them out, an extra brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


class MissingExtraError(ImportError):
    """A package that comes with an extra is not installed; the message says how to install it."""


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the imports that the extra called `name` brings.

    Raises:
        MissingExtraError: one of the packages is not installed.

    >>> with extra("sweep"):
    ...     import submitit_of_tomorrow
    Traceback (most recent call last):
    tireid.basics.extras.MissingExtraError: submitit_of_tomorrow is not installed; what is used here needs the extra \
'sweep': pip install 'tireid[sweep]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "tireid":
            raise
        raise MissingExtraError(
            f"{error.name} is not installed; what is used here needs the extra {name!r}: pip install 'tireid[{name}]'",
            name=error.name,
        ) from error


def require(module: str, name: str) -> Any:
    """The module called `module`, which the extra called `name` brings.

    Raises:
        MissingExtraError: the package is not installed.

    >>> require("json", "notebooks").dumps([1])
    '[1]'
    """
    with extra(name):
        return import_module(module)
