"""The parameters of a notebook: read from its one `parameters` cell, checked, converted, substituted.

Papermill only warns about a name it does not know and injects `-p flag true` as the string "true"; a run that silently
ignores what it was told is worse than one that stops. So names and types are checked here before a kernel starts.

>>> import nbformat
>>> cell = nbformat.v4.new_code_cell("epochs: int = 60  # passes over the pairs", metadata={"tags": ["parameters"]})
>>> declared = read_parameters(nbformat.v4.new_notebook(cells=[cell]))
>>> declared["epochs"].default, declared["epochs"].help
(60, 'passes over the pairs')
>>> check_values({"epoch": 5}, declared)
Traceback (most recent call last):
    ...
tireid.runner.parameters.ParameterError: unknown parameter 'epoch'; did you mean 'epochs'?
"""

from __future__ import annotations

import ast
import copy
import io
import math
import textwrap
import tokenize
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tireid.basics.hints import nearest
from tireid.basics.yaml import YAMLError, parse_yaml, read_yaml
from tireid.runner.notebook import read_notebook

if TYPE_CHECKING:
    from nbformat import NotebookNode

TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str, "list": list}
TAG = "parameters"
DEEPEST = 20


class ParameterError(ValueError):
    """A parameter that is unknown, of the wrong type or badly declared, or a profile that cannot be read.

    >>> try:
    ...     load_profile("absent", Path("01.ipynb"))
    ... except ParameterError as error:
    ...     print(error)
    ...
    profile 'absent': there is no file profiles/absent.yaml
    """


@dataclass(frozen=True)
class Parameter:
    """One declared parameter: `name: type = default  # help`."""

    name: str
    type: str
    """`int`, `float`, `bool`, `str` or `list`."""
    default: Any
    help: str
    span: tuple[int, int]
    """Where the default stands in the cell's source, in bytes of UTF-8."""


def parameters_cell(nb: NotebookNode) -> NotebookNode:
    """The one code cell tagged `parameters`; raises :class:`ParameterError` when there is none or more than one."""
    cells: list[NotebookNode] = [
        cell for cell in nb.cells if cell.cell_type == "code" and TAG in cell.metadata.get("tags", [])
    ]
    if len(cells) != 1:
        raise ParameterError(
            f"expected exactly one code cell tagged '{TAG}', found {len(cells)}; "
            "papermill ignores a notebook without one and silently lets the second of two win"
        )
    return cells[0]


def declared_in(path: Path) -> tuple[NotebookNode, dict[str, Parameter]]:
    """The notebook at `path` and its parameters; errors are those of reading either, and name it."""
    nb = read_notebook(path)
    try:
        return nb, read_parameters(nb)
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from error


def read_parameters(nb: NotebookNode) -> dict[str, Parameter]:
    """Declared parameters by name, in order.

    Raises :class:`ParameterError` naming the line for anything in the cell but `name: type = literal  # help` with a
    type out of int, float, bool, str, list, and for a default that is not of its own type.
    """
    source = parameters_cell(nb).source
    try:
        body, comments = ast.parse(source).body, _comments(source)
    except SyntaxError as error:
        raise ParameterError(f"parameters cell, line {error.lineno}: not plain Python ({error.msg})") from error
    except (ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise ParameterError(f"parameters cell: not plain Python ({error})") from error
    declared: dict[str, Parameter] = {}
    for statement in body:
        parameter = _declaration(statement, source, comments)
        if parameter.name in declared:
            raise ParameterError(f"parameters cell, line {statement.lineno}: '{parameter.name}' is declared twice")
        declared[parameter.name] = parameter
    return declared


def check_values(values: Mapping[str, Any], declared: Mapping[str, Parameter], where: str = "") -> dict[str, Any]:
    """The values as their declared types (an int for a float becomes a float).

    Raises :class:`ParameterError` that begins with `where`.
    """
    checked = {}
    for name, value in values.items():
        if name not in declared:
            raise ParameterError(f"{where}unknown parameter '{name}'; {nearest(name, declared, 'the notebook has')}")
        checked[name] = _as_type(value, declared[name].type, f"{where}parameter '{name}'")
    return checked


def convert_texts(texts: Mapping[str, str], declared: Mapping[str, Parameter]) -> dict[str, Any]:
    """Values given as text on a command line, converted by their declared type and checked.

    `true` and `false` for bool, `1e-4` for float, YAML such as `[1, 2]` for list; a str is taken as it is.
    """
    return check_values(
        {name: _from_text(text, declared[name]) if name in declared else text for name, text in texts.items()}, declared
    )


def once(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """Pairs of name and text as a mapping; raises :class:`ParameterError` for a name that is given twice."""
    texts: dict[str, str] = {}
    for name, text in pairs:
        if name in texts:
            raise ParameterError(f"parameter '{name}' is given twice")
        texts[name] = text
    return texts


def load_profile(profile: str | Path, notebook: Path) -> dict[str, Any]:
    """What a profile says about `notebook`: `profiles/<profile>.yaml` beside it, or the path of a `.yaml` file.

    The file maps notebook stems to parameters; a notebook that it does not name needs no change. The values are not
    checked here.
    """
    path = Path(profile) if str(profile).endswith((".yaml", ".yml")) else notebook.parent / f"profiles/{profile}.yaml"
    if not path.is_file():
        raise ParameterError(f"profile '{profile}': there is no file {path}")
    try:
        tree = {} if (found := read_yaml(path)) is None else found
    except YAMLError as error:
        raise ParameterError(f"profile {error}") from error
    values = tree.get(notebook.stem) if isinstance(tree, dict) else tree
    if values is not None and not isinstance(values, dict):
        raise ParameterError(f"profile {path}: expected a mapping of notebook names to mappings of parameters")
    return values or {}


def substitute_parameters(nb: NotebookNode, values: Mapping[str, Any]) -> NotebookNode:
    """A copy of the notebook whose parameters cell has `values` as its defaults; comments and cell ids stay.

    Unlike papermill's injection it adds no cell, so that cells, counts and outputs align with the original one to one.

    >>> import nbformat
    >>> cell = nbformat.v4.new_code_cell("epochs: int = 60  # passes", metadata={"tags": ["parameters"]})
    >>> substitute_parameters(nbformat.v4.new_notebook(cells=[cell]), {"epochs": 2}).cells[0].source
    'epochs: int = 2  # passes'
    """
    declared = read_parameters(nb)
    checked = check_values(values, declared)
    result: NotebookNode = copy.deepcopy(nb)
    source = parameters_cell(result).source.encode()
    for name in sorted(checked, key=lambda name: declared[name].span, reverse=True):
        start, end = declared[name].span
        source = source[:start] + repr(checked[name]).encode() + source[end:]
    parameters_cell(result).source = source.decode()
    return result


def _declaration(statement: ast.stmt, source: str, comments: Mapping[int, str]) -> Parameter:
    where = f"parameters cell, line {statement.lineno}"
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or not statement.value:
        raise ParameterError(f"{where}: expected 'name: type = literal  # help', found '{_quoted(source, statement)}'")
    name, annotation = statement.target.id, _quoted(source, statement.annotation)
    if annotation not in TYPES:
        raise ParameterError(f"{where}: '{name}' is annotated {annotation}; use one of {', '.join(TYPES)}")
    try:
        default = ast.literal_eval(statement.value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise ParameterError(
            f"{where}: the default of '{name}' is not a literal: {_quoted(source, statement.value)}; "
            "derive values in a later cell"
        ) from error
    default = _as_type(default, annotation, f"{where}: the default of '{name}'")
    span = _byte_span(statement.value, source)
    return Parameter(name, annotation, default, comments.get(statement.end_lineno or 0, ""), span)


def _quoted(source: str, node: ast.AST) -> str:
    """The code of `node`, on one line and not too long of it."""
    return textwrap.shorten(ast.get_source_segment(source, node) or "", 80, placeholder="...")


def _byte_span(node: ast.expr, source: str) -> tuple[int, int]:
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source, newline=None).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _as_type(value: Any, kind: str, what: str) -> Any:
    expected = TYPES[kind]
    if expected is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an int beyond 1e308
            number = math.inf
        if not math.isfinite(number):
            raise ParameterError(f"{what}: expected a finite float, got {_short(value)}")
        return number
    if expected is list and isinstance(value, list):
        _check_items(value, what)
        return value
    if type(value) is expected:
        if expected is str:
            _check_text(value, what)
        return value
    hint = f"; convert it with {kind}(...)" if expected in (str, list) else ""
    raise ParameterError(f"{what}: expected {kind}, got {type(value).__name__} {_short(value)}{hint}")


def _check_items(values: list[Any], what: str, depth: int = 0) -> None:
    if depth >= DEEPEST:
        raise ParameterError(f"{what}: expected at most {DEEPEST} lists in each other")
    for item in values:
        if isinstance(item, list):
            _check_items(item, what, depth + 1)
        elif isinstance(item, str):
            _check_text(item, what)
        elif not isinstance(item, int | float) or (isinstance(item, float) and not math.isfinite(item)):
            raise ParameterError(f"{what}: a list may hold int, finite float, bool, str and lists, not {_short(item)}")


def _check_text(text: Any, what: str) -> None:
    """A notebook is UTF-8; what a file name has instead of it would fail when the run is written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParameterError(f"{what}: expected text that UTF-8 can write, got {_short(text)}") from None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an int of thousands of digits
        text = "a number too long to show"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _from_text(text: str, parameter: Parameter) -> Any:
    """Digits with an optional sign for int, not all that Python's `int` takes, such as `1_000`; likewise for float."""
    match parameter.type:
        case "str":
            return text
        case "bool" if text.lower() in ("true", "false"):
            return text.lower() == "true"
        case "int" | "float" | "list":
            with suppress(YAMLError):
                found = parse_yaml(text)
                if type(found) is TYPES[parameter.type] or (parameter.type == "float" and type(found) is int):
                    return found
    example = {"bool": "true or false", "list": "a list such as [1, 2]"}.get(parameter.type, parameter.type)
    raise ParameterError(f"parameter '{parameter.name}': expected {example}, got {_short(text)}")
