"""YAML as people mean it: what the file says or an error, never something in between.

PyYAML follows YAML 1.1, where `on` is true, `012` is 10, `1:30` is 90 and `1e-4` is text; a repeated key replaces the
first without a word, aliases can blow a line up to gigabytes and tags make objects. Here plain scalars are those of
YAML 1.2 (its core schema), keys differ, and there are neither aliases nor tags.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tireid.basics.files import read_regular

LONGEST = 40_000
"""Characters. A study of a hundred arms has half of them; PyYAML needs half a second for so many of the worst kind."""
DEEPEST = 100
"""Brackets in each other. PyYAML's time grows with their square."""
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
TOO_DEEP = "lists and mappings lie too deep in each other"
SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (FLOAT, list("-+.0123456789")),
}
"""The core schema: a pattern, and the characters that such a scalar begins with."""


class YAMLError(ValueError):
    """Text that is not YAML, or says more than plain mappings, lists and scalars."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        if self.flow_level >= DEEPEST:
            raise _at(self.get_mark(), TOO_DEEP)  # type: ignore[no-untyped-call]
        super().fetch_flow_collection_start(TokenClass)  # type: ignore[no-untyped-call]

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _at(event.start_mark, "an alias (*name) is not read: write the value again")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise _at(event.start_mark, f"a tag ({tag}) is not read: write a plain value")
        return super().compose_node(parent, index)  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)  # type: ignore[no-untyped-call]
            if not isinstance(key, str | int | float | bool):
                raise _at(key_node.start_mark, f"a key must be text or a number, not {key!r}")
            if key in mapping:
                raise _at(key_node.start_mark, f"the key {key!r} is there twice")
            mapping[key] = self.construct_object(value_node, deep=True)  # type: ignore[no-untyped-call]
        return mapping

    def construct_yaml_str(self, node: yaml.ScalarNode) -> str:
        text = str(node.value)
        try:
            text.encode()
        except UnicodeEncodeError:  # which could be written nowhere
            raise _at(node.start_mark, f"{text[:60]!a} has half of a character, which is no text") from None
        return text

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        text = str(node.value)
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        text = str(node.value).lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))


for _name, (_pattern, _first) in SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
_Loader.add_constructor("tag:yaml.org,2002:str", _Loader.construct_yaml_str)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_mapping)


def parse_yaml(text: str) -> Any:
    """The mapping, list or scalar that `text` says.

    Raises:
        YAMLError: no YAML, or a repeated key, an alias, a tag, two documents, more than 40,000 characters. It names
            the line.

    >>> parse_yaml("{off: 1e-4, time: 1:30, code: 012, flag: true}")
    {'off': 0.0001, 'time': '1:30', 'code': 12, 'flag': True}
    >>> parse_yaml("{a: 1, a: 2}")
    Traceback (most recent call last):
        ...
    tireid.basics.yaml.YAMLError: line 1, column 8: the key 'a' is there twice
    """
    if len(text) > LONGEST:
        raise YAMLError(f"expected at most {LONGEST:,} characters, got {len(text):,}")
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YAMLError(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise YAMLError(" ".join(str(error).split())) from None
    except RecursionError:
        raise YAMLError(TOO_DEEP) from None
    except ValueError as error:  # a number of thousands of digits
        raise YAMLError(str(error)) from None


def read_yaml(path: str | Path) -> Any:
    """:func:`parse_yaml` of a UTF-8 file; the error names the file, also one that cannot be read."""
    path = Path(path)
    try:
        return parse_yaml(read_regular(path).decode("utf-8"))
    except OSError as error:
        place = path.absolute()  # a notebook's paths start from its own folder, not from where the command was given
        raise YAMLError(f"{place} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise YAMLError(f"{path} is not UTF-8 text: {error}") from None
    except YAMLError as error:
        raise YAMLError(f"{path} is not YAML that is read here: {error}") from None


def _at(mark: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
