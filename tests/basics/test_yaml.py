"""The YAML that is read: scalars of YAML 1.2, and an error for whatever would be guessed, repeated or blown up."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tireid.basics.yaml import LONGEST, YAMLError, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("-1E+3", -1000.0),
        (".5", 0.5),
        ("012", 12),
        ("0o12", 10),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("NO", "NO"),
        ("y", "y"),
        ("True", True),
        ("~", None),
        ("", None),
        ("2020-01-01", "2020-01-01"),
        ("-.inf", -float("inf")),
        ("'1'", "1"),
        ("=", "="),
        ("<<: {a: 1}", {"<<": {"a": 1}}),
        ("[a, 1, 1.5, true, null]", ["a", 1, 1.5, True, None]),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = parse_yaml(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a: 1, a: 2}", "line 1, column 8: the key 'a' is there twice"),
        ("a: {1: x, 1.0: y}", "the key 1.0 is there twice"),
        ("a: &name 1\nb: *name", "line 2, column 4: an alias"),
        ('a: ["x", "\\uD800y"]', "line 1, column 10: '.ud800y' has half of a character"),
        ('"\\uDFFF": 1', "line 1, column 1: '.udfff' has half of a character"),
        ("a: !!python/object/apply:os.system [id]", "a tag"),
        ("!own 1", "a tag"),
        ("[1]: 2", "a key must be text or a number"),
        ("- 1\n---\n- 2", "another document"),
        ("a: [", "line 1"),
        ("\x00", "not allowed"),
        ("[" * 101 + "]" * 101, "too deep"),
        ("[" * 2000, "too deep"),
        ("- " * 2000, "too deep"),
        ("9" * 5000, "integer"),
        ("a" * (LONGEST + 1), "at most"),
    ],
)
def test_the_rest_is_an_error_that_names_the_place(text: str, message: str) -> None:
    with pytest.raises(YAMLError, match=message):
        parse_yaml(text)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    for content in (b"a: [", b"\xff\xfe\xfa", b"{a: 1, a: 1}"):
        path.write_bytes(content)
        with pytest.raises(YAMLError, match=r"x\.yaml is not"):
            read_yaml(path)


NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|0o[0-7]+")
TEXT = st.text().filter(lambda text: not NUMBER.fullmatch(text) or yaml.safe_dump(text)[0] in "\"'")
"""Without numbers that YAML 1.1 takes for text, such as 1e5, -.5 and 0o7: PyYAML does not quote them."""
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
TREES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


@settings(deadline=None)
@given(TREES)
def test_what_pyyaml_writes_is_read_back(tree: Any) -> None:
    """Strings that YAML 1.1 takes for something else come quoted from PyYAML; so nothing else may lose its type.

    Unprintable characters are escaped: unescaped, PyYAML itself reads a next-line character as a space.
    """
    text = yaml.safe_dump(tree)
    if len(text) > LONGEST or "&id" in text:
        return
    assert parse_yaml(text) == tree


PIECES = st.text(st.sampled_from("[]{}:,-? \n#&*!|>'\"%@`ab01.eE~<=\t\\\x85\u2028é"), max_size=60)


@settings(deadline=None, max_examples=500)
@given(PIECES | st.text(max_size=60) | PIECES.map(lambda text: text * 50))
@example("? - ? - :")
def test_no_other_exception_and_never_long(text: str) -> None:
    message = ""
    started = time.process_time()
    try:
        parse_yaml(text)
    except YAMLError as error:
        message = str(error)
    assert time.process_time() - started < 1
    assert "\n" not in message


@pytest.mark.parametrize("worst", ["[", "{", "{a,", "a: b\n", "- [a, b]\n", "? ", "- ", "'", "a ", '"\\', "\n"])
def test_the_longest_text_takes_less_than_a_second(worst: str) -> None:
    started = time.process_time()
    with suppress(YAMLError):
        parse_yaml(worst * (LONGEST // len(worst)))
    assert time.process_time() - started < 1
