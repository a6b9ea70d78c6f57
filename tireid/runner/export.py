"""A notebook as a report: one HTML file without code that opens without a network.

nbconvert's classic template is used because it honours the `alt` text in output metadata, which the lab template drops.
What it loads from elsewhere (jQuery, require.js, MathJax, Mermaid, the widget manager) is left out: equations become
MathML, which browsers render themselves, and widgets show the `text/html` that they carry as their fallback.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.basics.files import write_atomically

with extra("notebooks"):
    import nbformat
    from bs4 import BeautifulSoup
    from jinja2 import pass_context
    from jinja2.runtime import Context
    from latex2mathml.converter import convert as to_mathml
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from nbformat import NotebookNode

TEMPLATE = """
{%- extends 'index.html.j2' -%}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_css %}
<style>
  div#notebook-container, section#provenance {
    max-width: 960px; width: auto; padding: 1.5rem; margin: 0 auto; box-shadow: none;
  }
  div.text_cell_render, .rendered_html p, .rendered_html li { font-size: 15px; line-height: 1.55; }
  div.output_area pre { font-size: 13px; line-height: 1.4; }
  div.output_subarea { max-width: 100%; overflow-x: auto; }
  img { max-width: 100%; height: auto; }
  math[display="block"] { margin: 1em 0; }
</style>
{% endblock %}
{% block data_latex %}<div class="output_latex output_subarea">{{ output.data['text/latex'] | tex2html }}</div>
{% endblock %}
{% block data_svg %}<div class="output_svg output_subarea"><img
  src="data:image/svg+xml;base64,{{ output.data['image/svg+xml'] | text_base64 | escape_html }}"
  alt="{{ output | get_metadata('alt', 'image/svg+xml') or cell | get_metadata('alt') or '' | escape_html }}"></div>
{% endblock %}
"""
NEEDS_SCRIPT = {
    "application/vnd.jupyter.widget-view+json",
    "application/javascript",
    "text/vnd.mermaid",
}


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
    default the notebook's own); links to files lead to those beside it. Scripts are removed, and pictures at web
    addresses become links: nothing is requested.
    `provenance` is added as tables at the end: without code a reader would not see the parameters.

    >>> export_html("runs/06_train/06_train.ipynb", "report.html")  # doctest: +SKIP
    """
    notebook_path = Path(notebook_path)
    nb = nbformat.read(notebook_path, as_version=4)  # type: ignore[no-untyped-call]
    _drop_scripted(nb)
    exporter = _OfflineExporter(  # type: ignore[no-untyped-call]
        template_name="classic",
        raw_template=TEMPLATE,
        embed_images=True,
        exclude_input=not code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    folder = Path(pictures) if pictures else notebook_path.parent
    resources = {"metadata": {"name": _title(nb) or notebook_path.stem, "path": str(folder)}}
    page, _ = exporter.from_notebook_node(nb, resources)
    page = page.replace("</main>", f"{_appendix(provenance)}</main>") if provenance else page
    soup = BeautifulSoup(page, "html.parser")
    _leave_out_requests(soup)
    _follow_links(soup, folder, Path(html_path).parent)
    write_atomically(html_path, str(soup))
    return Path(html_path)


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


def _appendix(provenance: Mapping[str, Any]) -> str:
    """Parameters and the rest as two-column tables; everything escaped."""
    parts = ['<section id="provenance" class="container rendered_html"><h2>How this was made</h2>']
    sections = {key: value for key, value in provenance.items() if isinstance(value, Mapping)}
    run = {key: value for key, value in provenance.items() if key not in sections and value not in (None, "")}
    for title, rows in {"run": run, **sections}.items():
        cells = (f'<tr><th scope="row">{_text(key)}</th><td>{_text(value)}</td></tr>' for key, value in rows.items())
        parts.append(f"<h3>{_text(title)}</h3><table><tbody>{''.join(cells)}</tbody></table>")
    return "".join([*parts, "</section>"])


def _text(value: Any) -> str:
    return html.escape((", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value))


def _drop_scripted(nb: NotebookNode) -> None:
    nb.metadata.pop("widgets", None)
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            for mime in NEEDS_SCRIPT & set(output.get("data", {})):
                del output.data[mime]


def _leave_out_requests(soup: BeautifulSoup) -> None:
    for element in soup.select("script, link[href], iframe[src^=http]"):
        element.decompose()
    for picture in soup.select("img[src]"):
        address = str(picture["src"])
        if not address.startswith("data:"):
            link = soup.new_tag("a", href=address)
            link.string = str(picture.get("alt") or address)
            picture.replace_with(link)
    # Fonts that the template's style sheet looks for beside the page; they are not there.
    for style in soup.select("style"):
        style.string = re.sub(r"@import[^;]*;|url\((?!['\"]?data:)[^)]*\)", "", style.string or "")


def _follow_links(soup: BeautifulSoup, source: Path, target: Path) -> None:
    """Links to files are relative to the notebook: the page needs them relative to itself."""
    for link in soup.select("a[href]"):
        path, mark, part = str(link["href"]).partition("#")
        if path and not re.match(r"[a-z][a-z0-9+.-]*:|/", path, re.I) and (source / path).exists():
            relative = os.path.relpath((source / path).resolve(), target.resolve())
            link["href"] = Path(relative).as_posix() + mark + part
