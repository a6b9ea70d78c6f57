"""How the documentation is made: pages, notebooks as they are committed, and the public names' docstrings.

The folder above is Sphinx's source, so that pages and notebooks link to each other as they do on GitHub. Nothing is
executed and the pages ask no network for anything: equations are MathML.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from pydantic import BaseModel
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
autodoc_default_options = {"members": True, "imported-members": True, "show-inheritance": True}

html_theme, pygments_dark_style = "furo", "github-dark"
html_title = "tireid"
html_favicon = "icon.svg"
html_extra_path = ["front"]
html_static_path, html_js_files, html_css_files = ["static"], ["accessible.js"], ["wide.css"]
html_show_sphinx = False
html_math_renderer = "mathml"
html_copy_source = False


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


def leave_fields_below(app: Sphinx, what: str, name: str, thing: Any, *_: Any) -> tuple[str, None] | None:
    """The signature of a validated class repeats its fields, which follow one by one, with what validates them."""
    return ("", None) if isinstance(thing, type) and issubclass(thing, BaseModel) else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
    app.connect("autodoc-process-signature", leave_fields_below)
    for mend in (show_formulas, keep_sentences):
        app.connect("autodoc-process-docstring", mend, priority=400)  # before napoleon
