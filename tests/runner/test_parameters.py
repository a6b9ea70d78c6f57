from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.runner.books import PARAMETERS, book, code, parameters, save
from tireid.runner.parameters import (
    ParameterError,
    check_values,
    convert_texts,
    load_profile,
    read_parameters,
    substitute_parameters,
)
from tireid.runner.run import run

DECLARED = read_parameters(book(parameters()))


def run_cell(source: str) -> dict[str, Any]:
    """Oracle: what Python itself makes of the cell."""
    names: dict[str, Any] = {}
    exec(source, names)
    return {name: value for name, value in names.items() if not name.startswith("__")}


def test_defaults_are_what_the_cell_assigns() -> None:
    assert {name: parameter.default for name, parameter in DECLARED.items()} == run_cell(PARAMETERS)
    assert [parameter.type for parameter in DECLARED.values()] == ["int", "float", "bool", "str", "list", "str", "int"]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_lines_end_as_they_do_for_python(end: str) -> None:
    nb = book(parameters(PARAMETERS.replace("\n", end)))
    found = read_parameters(nb)
    assert {name: (p.default, p.help) for name, p in found.items()} == {
        name: (p.default, p.help) for name, p in DECLARED.items()
    }
    changed = substitute_parameters(nb, {"sizes": [3], "output_dir": "é", "seed": 2**40}).cells[0].source
    assert run_cell(changed) == run_cell(PARAMETERS) | {"sizes": [3], "output_dir": "é", "seed": 2**40}


def test_comments_are_the_help() -> None:
    assert {name: p.help for name, p in DECLARED.items() if p.help} == {
        "epochs": "passes over the pairs",
        "flip": "mirror half of the pictures",
        "name": "who",
        "sizes": "of batches",
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("epochs = 5", "line 1: expected 'name: type = literal"),
        ("epochs: int", "line 1: expected 'name: type = literal"),
        ("import os", "line 1: expected"),
        ("a: int = 1\nb: int | None = 2", "line 2: 'b' is annotated int | None; use one of int, float"),
        ("b: list[int] = [2]", "'b' is annotated list"),
        ("b: int = 2 * 3", "default of 'b' is not a literal: 2 \\* 3"),
        ("b: int = 2.5", "line 1: the default of 'b': expected int, got float 2.5"),
        ("b: str = None", "expected str, got NoneType"),
        ("b: int = 1\nb: int = 2", "line 2: 'b' is declared twice"),
        ("%matplotlib inline\nb: int = 1", "line 1: not plain Python"),
    ],
)
def test_bad_declarations_are_named(source: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        read_parameters(book(parameters(source)))


@pytest.mark.parametrize("count", [0, 2])
def test_there_must_be_one_parameters_cell(count: int) -> None:
    with pytest.raises(ParameterError, match=f"found {count}"):
        read_parameters(book(code("1"), *[parameters() for _ in range(count)]))


NESTED: list[Any] = []
for _ in range(500):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 1}, "unknown parameter 'epoch'; did you mean 'epochs'"),
        ({"zzz": 1}, "unknown parameter 'zzz'; the notebook has: epochs, rate"),
        ({"rate": "1e-4"}, "'rate': expected float, got str '1e-4'"),
        ({"rate": 10**400}, "'rate': expected a finite float"),
        ({"rate": 10**5000}, "'rate': expected a finite float"),
        ({"rate": True}, "'rate': expected float, got bool"),
        ({"rate": float("nan")}, "'rate': expected a finite float"),
        ({"epochs": 2.0}, "'epochs': expected int, got float"),
        ({"epochs": True}, "'epochs': expected int, got bool"),
        ({"epochs": np.int64(3)}, "'epochs': expected int, got int64"),
        ({"flip": 1}, "'flip': expected bool, got int"),
        ({"flip": "true"}, "'flip': expected bool, got str"),
        ({"name": Path("a")}, "'name': expected str, got PosixPath.*str"),
        ({"sizes": (1, 2)}, "'sizes': expected list, got tuple.*list"),
        ({"sizes": [1, Path("a")]}, "a list may hold"),
        ({"sizes": [None]}, "a list may hold .* not None"),
        ({"sizes": [[1, [None]]]}, "a list may hold .* not None"),
        ({"sizes": [1.0, float("nan")]}, "a list may hold .* not nan"),
        ({"sizes": [{}]}, "a list may hold .* not {}"),
        ({"sizes": NESTED}, "at most 20 lists in each other"),
    ],
)
def test_bad_values_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        check_values(values, DECLARED)


def test_an_int_for_a_float_becomes_one() -> None:
    rate = check_values({"rate": 1}, DECLARED)["rate"]
    assert (rate, type(rate)) == (1.0, float)


def test_texts_are_converted_by_declared_type() -> None:
    texts = {"epochs": "5", "rate": "1e-4", "flip": "false", "name": "12", "sizes": "[1, 2.5, a]"}
    assert convert_texts(texts, DECLARED) == {
        "epochs": 5,
        "rate": 1e-4,
        "flip": False,
        "name": "12",
        "sizes": [1, 2.5, "a"],
    }


@pytest.mark.parametrize(
    ("name", "text"), [("epochs", "5.0"), ("rate", "fast"), ("flip", "1"), ("sizes", "3"), ("sizes", "[1"), ("a", "b")]
)
def test_texts_of_the_wrong_type_are_errors(name: str, text: str) -> None:
    with pytest.raises(ParameterError, match=f"'{name}'"):
        convert_texts({name: text}, DECLARED)


def test_profile_is_found_beside_the_notebook_or_by_path(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    (path.parent / "profiles").mkdir()
    (path.parent / "profiles/ci.yaml").write_text("book: {epochs: 1}\nempty:\n")
    (tmp_path / "other.yaml").write_text("book: {epochs: 2}\n")
    assert load_profile("ci", path) == {"epochs": 1}
    assert load_profile(tmp_path / "other.yaml", path) == {"epochs": 2}
    assert load_profile("ci", path.with_stem("empty")) == load_profile("ci", path.with_stem("unnamed")) == {}


@pytest.mark.parametrize("text", ["[1, 2]", "book: 3", "book: [a", None])
def test_bad_profiles_are_named(text: str | None, tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    if text is not None:
        (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ParameterError, match=r"profile .*bad\.yaml"):
        load_profile(str(tmp_path / "bad.yaml"), path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "012", 12),
        ("epochs", "-3", -3),
        ("rate", "-1e-4", -1e-4),
        ("rate", "3", 3.0),
        ("sizes", "[1e-4, 012, 1:30, on]", [1e-4, 12, "1:30", "on"]),
        ("flip", "TRUE", True),
        ("name", "1e-4", "1e-4"),
    ],
)
def test_texts_mean_what_they_say(name: str, text: str, value: Any) -> None:
    found = convert_texts({name: text}, DECLARED)[name]
    assert (found, type(found)) == (value, type(value))


def test_a_profile_means_what_it_says(tmp_path: Path) -> None:
    path = save(book(parameters()), tmp_path)
    (tmp_path / "p.yaml").write_text("book: {rate: 1e-4, epochs: 012, name: on}")
    values = check_values(load_profile(tmp_path / "p.yaml", path), DECLARED)
    assert values == {"rate": 1e-4, "epochs": 12, "name": "on"}
    (tmp_path / "p.yaml").write_text("book: {epochs: 1, epochs: 2}")
    with pytest.raises(ParameterError, match=r"profile .*p\.yaml .*line 1, column 19: the key 'epochs' is there twice"):
        load_profile(tmp_path / "p.yaml", path)


@settings(deadline=None)
@given(st.sampled_from(sorted(DECLARED)), st.text(max_size=40) | st.text("[]{},:-.0123456789eE \n#&*!'", max_size=80))
def test_no_text_raises_anything_else(name: str, text: str) -> None:
    with suppress(ParameterError):
        found = convert_texts({name: text}, DECLARED)
        assert run_cell(substitute_parameters(book(parameters()), found).cells[0].source)[name] == found[name]


@settings(deadline=None)
@given(st.text(max_size=60) | st.text("abx:=[]()'\"\\#,. \n\t1e9\0", max_size=80).map("x: int = ".__add__))
@example("x: int = 1\n\\")
@example("x: list = " + "[" * 1000)
@example("x: int = " + "9" * 5000)
@example("x: list = {[]}")
@example("x: int = " + "-" * 3000 + "1")
def test_no_cell_raises_anything_else(source: str) -> None:
    with suppress(ParameterError):
        read_parameters(book(parameters(source)))


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(),
        "rate": st.floats(allow_nan=False, allow_infinity=False),
        "flip": st.booleans(),
        "name": st.text(),
        "sizes": st.lists(st.integers() | st.text() | st.booleans() | st.lists(st.integers(), max_size=2), max_size=4),
        "seed": st.integers(),
    },
)


@given(VALUES)
def test_substituted_values_are_what_the_cell_then_assigns(values: dict[str, Any]) -> None:
    nb = book(code("0"), parameters(), code("1"))
    changed = substitute_parameters(nb, values)
    assert run_cell(changed.cells[1].source) == run_cell(PARAMETERS) | values
    assert nb.cells[1].source == PARAMETERS
    assert [cell.id for cell in changed.cells] == [cell.id for cell in nb.cells]
    again = read_parameters(changed)
    assert [(p.name, p.type, p.help) for p in again.values()] == [(p.name, p.type, p.help) for p in DECLARED.values()]


def test_the_notebook_or_the_profile_is_named(tmp_path: Path) -> None:
    path = save(book(code("1")), tmp_path)
    with pytest.raises(ParameterError, match=r"book\.ipynb: expected exactly one code cell"):
        run(path, output_dir=tmp_path / "out")
    path = save(book(parameters()), tmp_path)
    for values, message in (("{epochs: x}", "parameter 'epochs': expected int"), ("{eposh: 1}", "unknown parameter")):
        (tmp_path / "p.yaml").write_text(f"book: {values}")
        with pytest.raises(ParameterError, match=rf"profile .*p\.yaml: {message}"):
            run(path, profile=tmp_path / "p.yaml", output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("values", [{"name": "a\udcff"}, {"sizes": [1, ["\ud800"]]}])
def test_text_that_no_notebook_can_hold_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(
        ParameterError, match=r"parameter '(name|sizes)': expected text that UTF-8 can write, got 'a?.ud"
    ):
        check_values(values, DECLARED)


def test_a_notebook_with_such_text_is_named(tmp_path: Path) -> None:
    path = save(book(parameters(), code("x = 'HERE'")), tmp_path)
    path.write_text(path.read_text().replace("HERE", "\\ud800"))
    with pytest.raises(ValueError, match=r"book\.ipynb is not a notebook: .*surrogates not allowed"):
        run(path, output_dir=tmp_path / "out")
