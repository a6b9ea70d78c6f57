"""A notebook as a report: one HTML file without code that opens without a network.

nbconvert's classic template is used because it honours the `alt` text in output metadata, which the lab template drops.
What it loads from elsewhere (jQuery, require.js, MathJax, Mermaid, the widget manager) is left out: equations become
MathML, which browsers render themselves, and widgets show the `text/html` that they carry as their fallback.
"""

from __future__ import annotations

import base64
import html
import mimetypes
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.basics.files import write_atomically
from tireid.runner.notebook import read_notebook
from tireid.runner.sanitise import clean_html, harmless_style, in_place
from tireid.show.cards import PRINT

with extra("notebooks"):
    from bs4 import BeautifulSoup
    from jinja2 import Environment, FileSystemLoader, pass_context
    from jinja2.runtime import Context
    from latex2mathml.converter import convert as to_mathml
    from markupsafe import Markup
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from nbformat import NotebookNode

BODY = Path(__file__).with_name("cells.html.j2").read_text(encoding="utf-8")
PAGE = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
NEEDS_SCRIPT = {"application/vnd.jupyter.widget-view+json", "application/javascript", "text/vnd.mermaid"}
STYLE = re.compile(r"<style[^>]*>(.*?)</style\s*>", re.IGNORECASE | re.DOTALL)
IMAGE = re.compile(r"""<img\b(?:"[^"]*"|'[^']*'|[^'">])*>""", re.IGNORECASE)
PICTURE_BYTES = 20_000_000


def export_html(
    notebook_path: str | Path,
    html_path: str | Path,
    code: bool = False,
    *,
    pictures: str | Path | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write the notebook as one self-contained HTML file and return its path.

    `code` also shows the code cells. `pictures` is the folder that relative pictures in the text are read from (by
    default the notebook's own); links to files lead to those beside it. What acts or requests is removed, see
    :mod:`tireid.runner.sanitise`, and pictures elsewhere become links: nothing is requested, whoever
    wrote the notebook. `provenance` is added as tables at the end: without code a reader would not see the parameters.

    Raises ValueError for a file that is no notebook, and OSError for one that cannot be read.

    >>> export_html("runs/06_train/06_train.ipynb", "report.html")  # doctest: +SKIP
    """
    notebook_path, html_path = Path(notebook_path), Path(html_path)
    nb = read_notebook(notebook_path)
    _drop_scripted(nb)
    exporter = _OfflineExporter(  # type: ignore[no-untyped-call]
        template_name="classic",
        raw_template=BODY,
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    folder = Path(pictures) if pictures else notebook_path.parent
    title = _title(nb) or notebook_path.stem
    body, resources = exporter.from_notebook_node(nb, {"metadata": {"name": title, "path": str(folder)}})
    soup = BeautifulSoup(body, "html.parser")
    _link_pictures(soup)
    _follow_links(soup, folder, html_path.parent)
    _let_keys_scroll(soup)
    page = PAGE.get_template("page.html.j2").render(
        title=title,
        paper=Markup(PRINT),
        styles=[*map(Markup, _template_styles(resources)), *map(Markup, _own_styles(nb))],
        body=Markup(clean_html(str(soup))),
        error=(provenance or {}).get("error"),
        sections=_sections(provenance or {}),
    )
    write_atomically(html_path, page)
    return html_path


def tex_to_html(tex: str, display: bool) -> str:
    r"""MathML for a TeX formula, or the TeX itself as code where the converter does not know a command.

    >>> tex_to_html(r"\sigma^2", display=False).startswith("<math")
    True
    >>> tex_to_html(r"\unheard{x}", display=False)
    '<code class="tex">\\unheard{x}</code>'
    """
    known = re.sub(r"\\(begin|end)\{(aligned|gathered|split)\}", r"\\\1{align*}", tex.strip())
    known = re.sub(r"\\(arg|Pr)(?![A-Za-z])", r"\\operatorname{\1}", known)
    try:
        mathml = to_mathml(known, display="block" if display else "inline")
    except Exception:  # the converter raises many kinds; whatever it is, readable TeX is the answer
        mathml = ""
    if not mathml or re.search(r"<m[iot][^>]*>(\\|&<)", mathml):
        return f'<code class="tex">{html.escape(tex.strip())}</code>'
    return mathml


class _MathRenderer(IPythonRenderer):
    """Markdown to HTML with MathML in place of TeX between dollars."""

    def _src_to_base64(self, src: str) -> str | None:
        """As nbconvert's, but only of a picture that lies in the folder itself, not behind a link that leads out."""
        folder = Path(self.path).resolve()
        path = (folder / src).resolve()
        kind = mimetypes.guess_type(path.name)[0] or ""
        if not path.is_relative_to(folder) or not kind.startswith("image/") or not path.is_file():
            return None
        if path.stat().st_size > PICTURE_BYTES:
            return None
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"

    def _html_embed_images(self, html: str) -> str:
        """Only the pictures are parsed: a block may open what a later one closes, such as `<details>`."""
        return IMAGE.sub(lambda found: super(_MathRenderer, self)._html_embed_images(found[0]), html)

    def block_math(self, body: str) -> str:
        return tex_to_html(body, display=True)

    def inline_math(self, body: str) -> str:
        return tex_to_html(body, display=False)

    def latex_environment(self, name: str, body: str) -> str:
        return tex_to_html(f"\\begin{{{name}}}{body}\\end{{{name}}}", display=True)


class _OfflineExporter(HTMLExporter):
    """nbconvert's exporter with equations rendered here."""

    @pass_context
    def markdown2html(self, context: Context, source: str) -> str:
        cell, resources = context.get("cell", {}), context.get("resources", {})
        renderer = _MathRenderer(
            escape=False,
            attachments=cell.get("attachments", {}),
            embed_images=True,
            path=resources.get("metadata", {}).get("path", ""),
            exclude_anchor_links=True,
        )
        return str(MarkdownWithMath(renderer=renderer).render(source))

    def default_filters(self) -> Any:
        yield from super().default_filters()  # type: ignore[no-untyped-call]
        yield "tex2html", lambda text: tex_to_html(text.strip().strip("$"), display=True)


def _title(nb: NotebookNode) -> str:
    lines = (line for cell in nb.cells if cell.cell_type == "markdown" for line in cell.source.splitlines())
    return next((line[2:].strip() for line in lines if line.startswith("# ")), "")


def _sections(provenance: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Tables of the appendix by title; what is in no mapping comes first."""
    sections = {key: _texts(value) for key, value in provenance.items() if value and isinstance(value, Mapping)}
    run = {
        key: value for key, value in provenance.items() if value not in (None, "") and not isinstance(value, Mapping)
    }
    return {"run": _texts(run), **sections} if provenance else {}


def _texts(rows: Mapping[str, Any]) -> dict[str, str]:
    return {key: (", ".join(map(str, v)) or "none") if isinstance(v, list) else str(v) for key, v in rows.items()}


def _template_styles(resources: Mapping[str, Any]) -> list[str]:
    """nbconvert's own style sheets, without fonts that they look for beside the page."""
    styles = [*resources["inlining"]["css"], *STYLE.findall(resources["include_css"]("static/style.css"))]
    return [re.sub(r"@import[^;]*;|url\((?!['\"]?data:)[^)]*\)", "", style) for style in styles]


def _own_styles(nb: NotebookNode) -> list[str]:
    """The style sheets that the outputs bring, such as those of tables, as far as they can load nothing."""
    outputs = (output for cell in nb.cells for output in cell.get("outputs", []))
    sheets = (sheet for output in outputs for sheet in STYLE.findall(output.get("data", {}).get("text/html", "")))
    return [in_place(sheet) for sheet in dict.fromkeys(sheets) if harmless_style(sheet)]


def _drop_scripted(nb: NotebookNode) -> None:
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("text/html", None)  # `isolated` would put it into a frame
            for mime in NEEDS_SCRIPT & set(output.get("data", {})):
                del output.data[mime]


def _link_pictures(soup: BeautifulSoup) -> None:
    """Pictures that are not in the page become links to where they are."""
    for picture in soup.select("img[src]"):
        address = str(picture["src"])
        if not address.startswith("data:"):
            link = soup.new_tag("a", href=address)
            link.string = str(picture.get("alt") or address)
            picture.replace_with(link)


def _let_keys_scroll(soup: BeautifulSoup) -> None:
    """What may be wider than a phone scrolls by itself: the keyboard must reach it."""
    for area in soup.select("div.output_subarea, div.text_cell_render"):
        if area.select_one("table, math[display=block], [role=list]"):
            area["tabindex"] = "0"


def _follow_links(soup: BeautifulSoup, source: Path, target: Path) -> None:
    """Links to files are relative to the notebook: the page needs them relative to itself."""
    for link in soup.select("a[href]"):
        path, mark, part = str(link["href"]).partition("#")
        if path and not re.match(r"[a-z][a-z0-9+.-]*:|/", path, re.I) and (source / path).exists():
            relative = os.path.relpath((source / path).resolve(), target.resolve())
            link["href"] = Path(relative).as_posix() + mark + part
