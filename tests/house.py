"""What the house is measured by: functions of its source that return what stands out, as names."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tireid

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tireid"
LINES = {"file": 320, "class": 220, "function": 50}
PARAMETERS = 8
SHAPE = re.compile(r"\((?:[A-Z]\w*|\d+|[a-z]\w*\.\w+)(?:, ?[^()]*)?\)|[Ss]calar|0-d")
OTHER_STYLE = re.compile(r":param |:returns?:|:rtype:|^(?:Parameters|Returns|Raises)\n-{3,}", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef

ONLY_THE_CORE = """
import sys
from importlib.machinery import PathFinder

absent = set({absent!r})


class Core(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Core
"""


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: its path from the root of the repository, and its syntax."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def lines(node: ast.stmt) -> int:
    """From the first line of a definition, its decorators left out, to the last."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def functions() -> Iterator[tuple[str, Function]]:
    """Every function and method, nested ones included."""
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path} {node.name}", node


def long_definitions() -> set[str]:
    """Functions and classes that are too long."""
    found = {name for name, node in functions() if lines(node) > LINES["function"]}
    for path, tree in trees():
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        found |= {f"{path} {node.name}" for node in classes if lines(node) > LINES["class"]}
    return found


def long_files() -> set[str]:
    """Files that are too long."""
    counts = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path, _ in trees()}
    return {path for path, count in counts.items() if count > LINES["file"]}


def parameters(node: Function) -> list[str]:
    """What a caller can pass; `self` and `cls` are not passed."""
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return [argument.arg for argument in named if argument.arg not in ("self", "cls")]


def long_signatures() -> set[str]:
    """Functions with too many parameters."""
    return {name for name, node in functions() if len(parameters(node)) > PARAMETERS}


def imports(tree: ast.AST) -> set[str]:
    """Top-level names of all packages that are imported or required, wherever, those for type checking included."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "require":
            found |= {str(name.value) for name in node.args[:1] if isinstance(name, ast.Constant)}
    return {str(name).partition(".")[0] for name in found}


def third_party(names: set[str]) -> set[str]:
    """Those that belong neither to Python nor to this repository."""
    return names - sys.stdlib_module_names - {"tireid", "tests", "tools"}


def pyproject() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def project() -> dict[str, Any]:
    """Its section on the project."""
    found: dict[str, Any] = pyproject()["project"]
    return found


def layers() -> list[str]:
    """Modules of the package from the top layer to the lowest, as import-linter is told."""
    (rooms,) = [contract for contract in pyproject()["tool"]["importlinter"]["contracts"] if contract["id"] == "rooms"]
    return [name.strip() for layer in rooms["layers"] for name in layer.split("|")]


def extras() -> dict[str, list[str]]:
    """The extras of pyproject.toml."""
    found: dict[str, list[str]] = project()["optional-dependencies"]
    return found | {"": project()["dependencies"]}


def requirements(*names: str) -> list[Requirement]:
    """What the core and the extras called `names` ("*": all) ask for, extras of this project unfolded."""
    known, found = extras(), []
    for line in [line for name in ("", *(known if names == ("*",) else names)) for line in known[name]]:
        requirement = Requirement(line)
        found += requirements(*requirement.extras) if requirement.name == "tireid" else [requirement]
    return found


def declared(*names: str) -> set[str]:
    """Distributions that the core and the extras called `names` bring."""
    return {canonicalize_name(requirement.name) for requirement in requirements(*names)}


def pins() -> dict[str, str]:
    """Distribution to version, of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): version for name, version in pairs}


def undeclared(modules: set[str], available: set[str]) -> set[str]:
    """Imported packages of which no distribution is among the `available`."""
    homes = packages_distributions()
    return {
        module
        for module in third_party(modules)
        if not {canonicalize_name(name) for name in homes.get(module, [module])} & available
    }


def notebook_imports() -> set[str]:
    """Packages that the code cells of the notebooks import."""
    found = set()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                source = re.sub(r"^\s*[%!].*$", "pass", "".join(cell["source"]), flags=re.MULTILINE)
                found |= imports(ast.parse(source))
    return found


def public_names() -> Iterator[tuple[str, object]]:
    """What the rooms show in `__all__`, and the public methods of their classes: name and object."""
    seen = set()
    for room in pkgutil.iter_modules(tireid.__path__, "tireid."):
        module = importlib.import_module(room.name)
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing in seen:
                continue
            seen.add(thing)
            yield f"{thing.__module__}.{thing.__qualname__}", thing
            if inspect.isclass(thing):
                for key, method in vars(thing).items():
                    method = getattr(method, "__func__", method)
                    if inspect.isfunction(method) and not key.startswith("_"):
                        yield f"{thing.__module__}.{method.__qualname__}", method


def docstring_faults(thing: Any) -> list[str]:
    """What the docstring of a public name lacks: the one style is prose with Google's sections, shapes and errors."""
    text = inspect.getdoc(thing) if "__doc__" in vars(thing) or inspect.isfunction(thing) else None
    if not text:
        return ["no docstring"]
    faults = [f"another style: {found.group()!r}" for found in [OTHER_STYLE.search(text)] if found]
    if _handles_tensors(thing) and not SHAPE.search(text):
        faults.append("takes or returns tensors, and gives no shape")
    told = text.partition("Raises:")[2]
    return faults + [f"raises {name}, and does not say so" for name in sorted(_raised(thing)) if name not in told]


def _handles_tensors(thing: Any) -> bool:
    hints = str(thing.__annotations__.values()) if inspect.isfunction(thing) else ""
    return bool(re.search(r"Tensor|NDArray|Floats|Ints", re.sub(r"(dict|Mapping)\[str, [\w.]*Tensor\]", "", hints)))


def _raised(thing: Any) -> set[str]:
    """Names of the exceptions that the body itself raises: for a class, the body of what makes it."""
    makers = ("__init__", "__post_init__")
    bodies = [vars(thing)[name] for name in makers if name in vars(thing)] if inspect.isclass(thing) else [thing]
    found = set()
    for body in bodies:
        if not body.__code__.co_filename.startswith(str(PACKAGE)):
            continue  # made by dataclass
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(body)))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                found.add(ast.unparse(node.exc.func).rpartition(".")[2])
    return {name for name in found if name != "NotImplementedError"}


def brought(*names: str) -> set[str]:
    """Distributions that an installation with the extras called `names` brings, in all."""
    found: set[tuple[str, str]] = set()
    waiting = [(wanted.name, extra) for wanted in requirements(*names) for extra in ("", *wanted.extras)]
    while waiting:
        name, extra = waiting.pop()
        if (canonicalize_name(name), extra) in found:
            continue
        found.add((canonicalize_name(name), extra))
        for wanted in map(Requirement, requires(name) or ()):
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += [(wanted.name, more) for more in ("", *wanted.extras)]
    return {name for name, _ in found}


def modules_of_the_core() -> set[str]:
    """Top-level modules of everything that an installation without extras brings."""
    core = brought()
    return {module for module, homes in packages_distributions().items() if set(map(canonicalize_name, homes)) & core}


def only_the_core() -> str:
    """Source that hides, from the process that runs it, every package that only an extra or nobody here brings."""
    absent = packages_distributions().keys() - modules_of_the_core() - {"tireid"}
    return ONLY_THE_CORE.format(absent=sorted(absent))


def unguarded_imports() -> set[str]:
    """Places below the top of a module that import what only an extra brings, without saying which one brings it."""
    core = modules_of_the_core() | {"tireid", *sys.stdlib_module_names}
    found = set()
    for path, tree in trees():
        guarded = {inner for node in ast.walk(tree) if _is_guard(node) for inner in ast.walk(node)}
        guarded |= {inner for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and node not in guarded:
                found |= {f"{path}:{node.lineno} {name}" for name in imports(ast.Module([node], [])) - core}
    return found


def _is_guard(node: ast.AST) -> bool:
    calls = [item.context_expr for item in node.items] if isinstance(node, ast.With) else []
    return any(isinstance(call, ast.Call) and ast.unparse(call.func) == "extra" for call in calls)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
