"""Conventions of the notebooks as functions: each takes a notebook and its path and returns what is wrong, as text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tireid.runner.parameters import ParameterError, check_values, load_profile, parameters_cell, read_parameters
from tireid.runner.refresh import clean

Lint = Callable[[NotebookNode, Path], list[str]]

MAX_BYTES, MAX_CELLS, MAX_LINES, COMPARED_SHARE = 500_000, 25, 40, 0.6
# What nbval leaves out of its comparison, and text that says nothing about the result.
NOT_COMPARED = {"image/png", "image/jpeg", "application/vnd.jupyter.widget-view+json"}
MEANINGLESS = re.compile(r"^<(Figure size .*|[\w.]+ at 0x[0-9a-f]+)>$")
ABSOLUTE = re.compile(r"(?<![\w.:/\-])/(home|root|work|tmp|Users)\b|\b[C-Z]:\\")
DATA_URI = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=\s]+")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|(?:src|href)=[\"']([^\"']+)")


def kernelspec(nb: NotebookNode, path: Path) -> list[str]:
    name = nb.metadata.get("kernelspec", {}).get("name")
    return [] if name == "python3" else [f"kernelspec is {name!r}, expected 'python3'"]


def size(nb: NotebookNode, path: Path) -> list[str]:
    found = path.stat().st_size
    return [] if found <= MAX_BYTES else [f"{found} bytes, more than {MAX_BYTES}"]


def one_title(nb: NotebookNode, path: Path) -> list[str]:
    prose = "\n\n".join(_without_fences(cell.source) for cell in nb.cells if cell.cell_type == "markdown")
    titles = re.findall(r"^ {0,3}# .+$|^.+\n=+ *$|<h1\b", prose, flags=re.MULTILINE)
    return [] if len(titles) == 1 else [f"expected one H1, found {len(titles)}: {titles}"]


def parameters(nb: NotebookNode, path: Path) -> list[str]:
    try:
        read_parameters(nb)
    except ParameterError as error:
        return [str(error)]
    return []


def parameters_are_read(nb: NotebookNode, path: Path) -> list[str]:
    try:
        declared, at = read_parameters(nb), parameters_cell(nb)
    except ParameterError:
        return []  # another lint's business
    later = nb.cells[nb.cells.index(at) + 1 :]
    used = {
        node.id
        for cell in later
        if cell.cell_type == "code"
        for node in _nodes(cell)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return [f"parameter '{name}' is read by no later cell" for name in declared if name not in used]


def profile(nb: NotebookNode, path: Path) -> list[str]:
    try:
        check_values(load_profile("ci", path), read_parameters(nb))
    except ParameterError as error:
        return [f"profile ci: {error}"]
    return []


def counts(nb: NotebookNode, path: Path) -> list[str]:
    return [f"{where}: no execution count" for where, cell in _code(nb) if cell.execution_count is None]


def compared(nb: NotebookNode, path: Path) -> list[str]:
    cells = [cell for _, cell in _code(nb)]
    share = sum(map(_is_compared, cells)) / max(1, len(cells))
    return [] if share >= COMPARED_SHARE else [f"nbval compares {share:.0%} of the code cells, less than 60%"]


def no_errors(nb: NotebookNode, path: Path) -> list[str]:
    return [f"{where}: stored error {out.ename}" for where, _, out in _outputs(nb) if out.output_type == "error"]


def no_absolute_paths(nb: NotebookNode, path: Path) -> list[str]:
    texts = [(f"cell {number}", cell.source) for number, cell in enumerate(nb.cells, start=1)]
    texts += [(f"{where}, output", text) for where, _, output in _outputs(nb) for text in _texts(output)]
    found = [(where, ABSOLUTE.search(DATA_URI.sub("", text))) for where, text in texts]
    return [f"{where}: absolute path {hit.group()!r}" for where, hit in found if hit]


def alt_text(nb: NotebookNode, path: Path) -> list[str]:
    problems = []
    for where, cell, output in _outputs(nb):
        for mime in [mime for mime in output.get("data", {}) if mime.startswith("image/")]:
            given = output.metadata.get(mime, {}).get("alt") or output.metadata.get("alt") or cell.metadata.get("alt")
            if not given:
                problems.append(f"{where}: {mime} without alt text in the output's metadata")
        problems += [f"{where}: {problem}" for problem in _images_without_alt(_joined(output, "text/html"))]
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "markdown":
            problems += [f"cell {number}: {problem}" for problem in _images_without_alt(cell.source)]
    return problems


def code_size(nb: NotebookNode, path: Path) -> list[str]:
    cells = list(_code(nb))
    problems = [f"{len(cells)} code cells, more than {MAX_CELLS}"] if len(cells) > MAX_CELLS else []
    lengths = [(where, len(cell.source.splitlines())) for where, cell in cells]
    return problems + [f"{where}: {length} lines, more than {MAX_LINES}" for where, length in lengths if length > 40]


def folded_checks(nb: NotebookNode, path: Path) -> list[str]:
    """What a reader sees are numbers: a cell that asserts is folded in JupyterLab and on the documentation's site."""
    asserting = [(at, cell.metadata) for at, cell in _code(nb) if any(isinstance(n, ast.Assert) for n in _nodes(cell))]
    return [
        f"{where}: asserts, so fold it: tag 'hide-input', and jupyter.source_hidden"
        for where, of in asserting
        if "hide-input" not in of.get("tags", []) or not of.get("jupyter", {}).get("source_hidden")
    ]


def links(nb: NotebookNode, path: Path) -> list[str]:
    problems = []
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type != "markdown":
            continue
        for groups in LINK.findall(_without_fences(cell.source)):
            target = unquote((groups[0] or groups[1]).partition("#")[0])
            local = target and not re.match(r"[a-z][a-z0-9+.-]*:", target, flags=re.IGNORECASE)
            if local and not (path.parent / target).exists():
                problems.append(f"cell {number}: link to {target}, which does not exist")
    return problems


def ids(nb: NotebookNode, path: Path) -> list[str]:
    # The file itself: nbformat repairs ids as it reads.
    found = [cell.get("id") for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    if None in found:
        return ["a cell has no id; save as notebook format 4.5"]
    return [f"id {name!r} is used twice" for name in sorted({name for name in found if found.count(name) > 1})]


def cleaned(nb: NotebookNode, path: Path) -> list[str]:
    if clean(nb) == nb:
        return []
    return ["holds run metadata or widget references; run python -m tireid.runner.refresh"]


LINTS: tuple[Lint, ...] = (
    kernelspec,
    size,
    one_title,
    parameters,
    parameters_are_read,
    profile,
    counts,
    compared,
    no_errors,
    no_absolute_paths,
    alt_text,
    code_size,
    folded_checks,
    links,
    ids,
    cleaned,
)


def _code(nb: NotebookNode) -> Iterator[tuple[str, NotebookNode]]:
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "code":
            yield f"cell {number}", cell


def _nodes(cell: NotebookNode) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(TransformerManager().transform_cell(cell.source)))


def _outputs(nb: NotebookNode) -> Iterator[tuple[str, NotebookNode, NotebookNode]]:
    for where, cell in _code(nb):
        for output in cell.outputs:
            yield where, cell, output


def _texts(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    if output.output_type == "error":
        return ["\n".join(output.traceback)]
    return [_joined(output, mime) for mime in output.data if not mime.startswith("image/")]


def _joined(output: NotebookNode, mime: str) -> str:
    value: Any = output.get("data", {}).get(mime, "")
    return "".join(value) if isinstance(value, list) else str(value)


def _is_compared(cell: NotebookNode) -> bool:
    tags = set(cell.metadata.get("tags", []))
    if tags & {"nbval-ignore-output", "nbval-skip", "skip-execution"}:
        return False
    if re.search(r"^\s*#+ *(NBVAL_IGNORE_OUTPUT|NBVAL_SKIP|PYTEST_VALIDATE_IGNORE_OUTPUT)", cell.source, re.MULTILINE):
        return False
    return any(_says_something(output) for output in cell.outputs)


def _says_something(output: NotebookNode) -> bool:
    if output.output_type == "stream":
        return bool(output.text.strip())
    texts = [_joined(output, mime).strip() for mime in output.get("data", {}) if mime not in NOT_COMPARED]
    return any(text and not MEANINGLESS.match(text) for text in texts)


def _images_without_alt(text: str) -> list[str]:
    prose = _without_fences(text)
    tags = [tag for tag in re.findall(r"<img\b[^>]*>", prose) if not re.search(r"\balt=[\"']\s*[^\"'\s]", tag)]
    return [f"<img> without alt text: {tag[:60]}" for tag in tags] + [
        f"picture without alt text: {name[:60]}" for name in re.findall(r"!\[\s*\]\(([^)]*)\)", prose)
    ]


def _without_fences(text: str) -> str:
    return re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
