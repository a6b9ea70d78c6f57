"""What callers pass, checked where it comes in: one error that names the argument and what was expected.

A function says in its annotations what it takes; :func:`checked` holds its arguments against them. It is less strict
than pydantic's `validate_call`, which knows no arrays, and copies what it is given: NumPy's numbers are numbers, an
iterator is read into a list, and what it cannot judge passes.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, NamedTuple, TypeVar, cast

from tireid.basics.terminal import printable

F = TypeVar("F", bound=Callable[..., Any])


class ArgumentError(ValueError, TypeError):
    """An argument of the wrong kind or out of its range; the message names it."""


class Kind(NamedTuple):
    """What an argument may be: in words, and a function that returns it, or raises one of the usual errors."""

    expected: str
    read: Callable[[Any], Any]

    def __call__(self, name: str, value: Any) -> Any:
        """The value as the function wants it. Raises ArgumentError for one of another kind."""
        try:
            return self.read(value)
        except (TypeError, ValueError, OverflowError) as error:
            plain = isinstance(value, str | bytes | int | float | list | tuple)
            got = printable(repr(value) if plain else type(value).__name__)
            raise ArgumentError(f"{name} must be {self.expected}, got {got[:200]}") from error


def _expect(fits: bool) -> None:
    if not fits:
        raise ValueError


def _integer(value: Any, least: int | None = None) -> int:
    _expect(not isinstance(value, bool))
    number = operator.index(value)
    _expect(least is None or number >= least)
    return number


def _number(value: Any, least: float = -math.inf, most: float = math.inf) -> Any:
    _expect(not isinstance(value, bool | str | bytes) and math.isfinite(value) and least <= value <= most)
    return value


def _flag(value: Any) -> bool:
    _expect(value in (False, True) and not isinstance(value, float))
    return bool(value)


def _path(value: Any) -> Any:
    text = os.fspath(value)
    _expect(isinstance(text, str) and text != "" and "\0" not in text)
    os.fsencode(text)
    return value


def _items(value: Any) -> Any:
    if isinstance(value, Iterator):
        return list(value)
    _expect(not isinstance(value, str | bytes | Mapping | Set))
    len(value)
    return value


def _collection(value: Any) -> Any:
    return value if isinstance(value, Set) else _items(value)


def _function(value: Any) -> Any:
    _expect(callable(value))
    return value


COUNT = Kind("a positive integer", functools.partial(_integer, least=1))
WHOLE = Kind("an integer from 0", functools.partial(_integer, least=0))
INTEGER = Kind("an integer", _integer)
NUMBER = Kind("a finite number", _number)
FLAG = Kind("True or False", _flag)
PATH = Kind("the path of a file or folder (text that is not empty, or a pathlib.Path)", _path)
ROOT = Kind("the path of a folder", lambda value: _path("." if value == "" else value))
LIST = Kind("a list", _items)
COLLECTION = Kind("a list or set", _collection)
FUNCTION = Kind("a function", _function)
LIMIT = Kind("a number of seconds above 0 and at most 1e9", lambda value: _number(value, 1e-9, 1e9))
FRACTION = Kind("between 0 and 1", lambda value: _number(value, 0, 1))
_KINDS = {"int": INTEGER, "float": NUMBER, "bool": FLAG, "Path": PATH, "OnProgress": FUNCTION}
_GENERIC = {"Sequence": LIST, "Collection": COLLECTION, "Iterable": COLLECTION}


def checked(**narrower: Kind) -> Callable[[F], F]:
    """Hold a function's arguments against its annotations, or against the kinds that are given by their names.

    Judged are int, float, bool, paths, sequences, collections, and classes that the function's module has at hand; None
    passes where it is the default or annotated. Elements of a sequence are not looked at.

    Raises:
        ArgumentError: from the function, for an argument of another kind.

    >>> @checked(k=COUNT)
    ... def first(texts: Sequence[str], k: int = 1) -> Sequence[str]:
    ...     return texts[:k]
    >>> first(iter(["a", "b"]))
    ['a']
    >>> first("ab")
    Traceback (most recent call last):
        ...
    tireid.basics.arguments.ArgumentError: texts must be a list, got 'ab'
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        named = {
            name: one
            for name, one in signature.parameters.items()
            if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        }
        annotations = {name: str(one.annotation) for name, one in named.items()}

        kinds: dict[str, Kind] = {}  # found at the first call, when the module has all its names; jobs pickle it

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise ArgumentError(f"{function.__qualname__}() {error}") from error
            if not kinds:
                judged = {name: _kind(text, function.__globals__) for name, text in annotations.items()}
                kinds.update({name: kind for name, kind in judged.items() if kind is not None} | narrower)
            for name, kind in kinds.items():
                default = signature.parameters[name].default
                value = bound.arguments.get(name, default)
                if value is not default and not (value is None and annotations[name].endswith("None")):
                    bound.arguments[name] = kind(name, value)
            return function(*bound.args, **bound.kwargs)

        return cast(F, wrapper)

    return decorate


def _kind(annotation: str, names: Mapping[str, Any]) -> Kind | None:
    """What is judged of an argument that is annotated so in a module of these names."""
    parts = set(re.sub(r"\[.*\]", "", annotation).split(" | ")) - {"None"}
    if "Path" in parts and parts <= {"str", "Path"}:
        return PATH
    if len(parts) > 1:
        return None
    (part,) = parts
    known = _KINDS.get(part) or (_GENERIC.get(part) if "[" in annotation else None)
    return known or _instance_of(names.get(part))


def _instance_of(kind: Any) -> Kind | None:
    if not isinstance(kind, type) or kind is Any:
        return None

    # An object of one's own may have the methods of a protocol that are called, and not the others; data have none.
    partly = (
        (str, bytes, int, float, list, tuple, os.PathLike, type(None)) if getattr(kind, "_is_protocol", False) else ()
    )

    def read(value: Any) -> Any:
        _expect(isinstance(value, kind) or (partly != () and not isinstance(value, partly)))
        return value

    return Kind(f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}", read)
