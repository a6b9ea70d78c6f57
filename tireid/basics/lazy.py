"""Names that are loaded when they are first asked for, such as those that need a package of an extra."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazily(room: str, homes: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of the module `room`, by the modules that have each name or, if it is a module
    itself, the package above it.

    >>> find, _ = lazily("room", {"math": ["pi"], "json": ["decoder"]})
    >>> find("pi"), find("decoder").__name__
    (3.141592653589793, 'json.decoder')
    """
    known = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in known:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        home = import_module(known[name])
        own = vars(home).get(name) if known[name] == room else getattr(home, name, None)
        return import_module(f"{known[name]}.{name}") if own is None else own

    return find, lambda: sorted({*vars(sys.modules[room]), *known})
