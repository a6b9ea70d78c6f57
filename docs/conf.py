"""How the documentation is made: pages, notebooks as they are committed, and the public names' docstrings.

The folder above is Sphinx's source, so that pages and notebooks link to each other as they do on GitHub. Nothing is
executed and the pages ask no network for anything: equations are MathML.
"""

from __future__ import annotations

import pydoc
import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from pydantic import BaseModel
from pydantic.dataclasses import is_pydantic_dataclass
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import tireid  # noqa: E402

project = "tireid"
author = copyright = "the tireid authors"
version = release = tireid.__version__

root_doc = "docs/index"
include_patterns = ["docs/*.md", "notebooks/*.ipynb", "README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
exclude_patterns = ["runs", ".*", "tests", "tireid", "build"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}
nb_output_stderr = "remove"
suppress_warnings = ["mystnb.unknown_mime_type"]  # metrics, which the same output shows as a table
myst_enable_extensions = ["dollarmath", "amsmath", "html_image"]
myst_heading_anchors = 3

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# What a class takes from these it shares with everything else of its kind.
OUTSIDE = "BaseModel, Module, Widget, HasTraits, HasDescriptors, Sequence, Protocol, tuple, BaseException, object"
autodoc_default_options = {"members": True, "imported-members": True, "undoc-members": True, "show-inheritance": True}
autodoc_default_options["inherited-members"] = OUTSIDE

html_theme, pygments_dark_style = "furo", "github-dark"
html_title = "tireid"
html_favicon = "icon.svg"
html_extra_path = ["front"]
html_static_path = ["static", "../tireid/show/print.css"]
html_js_files, html_css_files = ["accessible.js"], ["wide.css", "print.css"]
html_show_sphinx = False
html_math_renderer = "mathml"
html_copy_source = False


ARRAYLIKE = re.compile(r"_Buffer \| .*?NestedSequence\[complex \| bytes \| str\]")
BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
ARRAY = re.compile(
    r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[~?(?:numpy\.)?(\w+)\]\]"
)


def mathml(translator: Any, node: nodes.math | nodes.math_block) -> None:
    """An equation as MathML, which browsers show by themselves."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def show_formulas(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Indented paragraphs of docstrings are formulas in plain text: kept as they stand."""
    for at in range(len(lines) - 1, 1, -1):
        if lines[at].startswith("    ") and not lines[at - 1] and lines[at - 2] and lines[at - 2][0] != " ":
            lines[at:at] = ["::", ""]


def keep_sentences(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in the first line on an attribute for its type, but for a comment."""
    if what in ("attribute", "property"):
        lines[:0] = ["..", ""]


def tell_defaults(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """What an option is unless it is set, and between which bounds; nothing of a field that only has a number."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    place, _, field = name.rpartition(".")
    owner = pydoc.locate(place)
    if isinstance(owner, type) and issubclass(owner, BaseModel) and (option := owner.model_fields.get(field)):
        found = (f", {said} {getattr(bound, key, None)}" for bound in option.metadata for key, said in BOUNDS.items())
        default = option.get_default(call_default_factory=True)
        shown = type(default).__name__ + "()" if isinstance(default, BaseModel) else repr(default)
        lines += ["", f"Default ``{shown}``{''.join(one for one in found if not one.endswith('None'))}.", ""]


def leave_out(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """What classes keep for their own kind."""
    return True if name in ("model_config", "training", "discriminator") else None


def shorten(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> Any:
    """The signature of a validated class repeats its fields, which follow one by one; types of arrays are spelt out."""
    if isinstance(thing, type) and (issubclass(thing, BaseModel) or is_pydantic_dataclass(thing)):
        return "", None
    return tuple(part and ARRAYLIKE.sub("ArrayLike", ARRAY.sub(r"NDArray[\1]", part)) for part in (signature, returns))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("autodoc-process-signature", shorten)
    app.connect("autodoc-skip-member", leave_out)
    for mend in (tell_defaults, show_formulas, keep_sentences):
        app.connect("autodoc-process-docstring", mend, priority=400)  # before napoleon
