"""Parts from outside the package, named by an import path: `my_losses:MarginLoss`.

A path that stands in a file is a wish to run somebody's code. So a part is only resolved from a module that the user
has imported already, or has named with :func:`trust`, with `--trust` on the command line, or in the environment
variable `TIREID_TRUST` (names of modules or packages, separated by commas).
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeVar

from tireid.basics.hints import nearest

F = TypeVar("F", bound=Callable[..., Any])
TRUST = "TIREID_TRUST"
PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
KINDS = ("fusion", "reader", "metric")


class PartError(ValueError):
    """A part that cannot be found, or is not what it should be."""


class UntrustedPartError(PartError):
    """A part of a module that the user has neither imported nor named as trusted."""


def is_part(name: object) -> bool:
    """Whether `name` is an import path, and so not one of the package's own names.

    >>> is_part("my_losses:MarginLoss"), is_part("circle")
    (True, False)
    """
    return isinstance(name, str) and PATH.fullmatch(name) is not None


def part(kind: str) -> Callable[[F], F]:
    """Mark a function as a part: a `fusion`, a data set's `reader`, or a retrieval `metric`.

    Without the mark a path could name any function of any module that happens to be imported.

    >>> @part("fusion")
    ... def largest(batch, identity, lam):
    ...     return batch.maximum(identity)
    """
    if kind not in KINDS:
        raise PartError(f"there is no part of the kind {kind!r}; {nearest(kind, KINDS)}")

    def mark(function: F) -> F:
        function.__tireid_part__ = kind  # type: ignore[attr-defined]
        return function

    return mark


def trust(*modules: str, folder: str | Path | None = None) -> None:
    """Allow parts of these modules to be imported, here and in the processes that are started from here.

    `folder`, where they lie, joins the import path of both.

    >>> trust("my_losses", folder=".")  # my_losses.py lies in the current folder
    """
    _extend(TRUST, modules, ",")
    if folder is not None and modules:
        place = str(Path(folder).resolve())
        _extend("PYTHONPATH", [place], os.pathsep)
        if place not in sys.path:
            sys.path.insert(0, place)


def resolve(path: str, what: str) -> Any:
    """The object that an import path names; `what` says in errors where the path stands.

    Raises :class:`UntrustedPartError`, and :class:`PartError` for a module or name that is not there.
    """
    check_trusted(path, what)
    module, _, name = path.partition(":")
    try:
        found = import_module(module)
    except Exception as error:  # the user's own code: anything
        raise PartError(f"{what} names {path!r}, but importing {module} fails: {error!r}") from error
    if name not in vars(found):
        raise PartError(f"{what} names {path!r}, but {module} has no {name!r}; {nearest(name, vars(found))}")
    return vars(found)[name]


def resolve_function(path: str, kind: str, what: str) -> Callable[..., Any]:
    """The function that an import path names; it must be marked with `@part(kind)`, else :class:`PartError`."""
    found = resolve(path, what)
    if not callable(found) or getattr(found, "__tireid_part__", None) != kind:
        raise PartError(f'{what} names {path!r}, which is not a {kind}: put @tireid.part("{kind}") above the function')
    return found  # type: ignore[no-any-return]


def check_trusted(path: str, what: str) -> None:
    """Raise :class:`UntrustedPartError` for an import path whose module is not trusted; nothing is imported."""
    module = path.partition(":")[0]
    if not is_trusted(module):
        raise UntrustedPartError(
            f"{what} names {path!r}, code that is not part of tireid. If you trust it, import {module} first, or say "
            f"--trust {module} on the command line ({TRUST}={module} in the environment)"
        )


def is_trusted(module: str) -> bool:
    """Whether the module is imported already, or it or a package above it is named as trusted."""
    named = [name.strip() for name in os.environ.get(TRUST, "").split(",")]
    return module in sys.modules or any(name and f"{module}.".startswith(f"{name}.") for name in named)


def fingerprint(path: str, folders: Iterable[str | Path] = ()) -> str:
    """Sixteen hexadecimal digits that change with the source file of a part; nothing is executed.

    What the file itself imports does not count. Raises :class:`PartError` as :func:`source`.
    """
    return hashlib.blake2b(source(path, folders).read_bytes(), digest_size=8).hexdigest()


def source(path: str, folders: Iterable[str | Path] = ()) -> Path:
    """The file of a part: that of the imported module, else the first on `folders` and then the import path.

    Raises:
        PartError: there is no such file.
    """
    module = path.partition(":")[0]
    file = getattr(sys.modules.get(module), "__file__", None) or _find(module, [*map(str, folders), *sys.path])
    if file is None:
        raise PartError(
            f"{path!r}: there is no source file of a module {module!r} on the import path; a part must stand in a file "
            "of its own, so that a run can say which code it used. Fix: work in the folder of that file, or name the "
            "folder in PYTHONPATH"
        )
    return Path(file)


def _find(module: str, folders: list[str]) -> str | None:
    # Step by step, since importlib.util.find_spec would import the packages above.
    search: Any = folders
    names = module.split(".")
    for depth in range(len(names)):
        spec = PathFinder.find_spec(".".join(names[: depth + 1]), search)
        if spec is None:
            return None
        search = spec.submodule_search_locations or []
    return spec.origin if spec is not None and spec.has_location else None


def _extend(variable: str, values: Iterable[str], separator: str) -> None:
    known = [value for value in os.environ.get(variable, "").split(separator) if value]
    os.environ[variable] = separator.join(dict.fromkeys([*values, *known]))
