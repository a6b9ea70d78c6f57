from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from tests.runner.books import book, code, parameters, save
from tireid.experiments import export_html
from tireid.runner.export import tex_to_html

PNG = base64.b64encode(b"\x89PNG made up").decode()
PROSE = r"""# A *report*

Uncertainty $\sigma^2 < 1$ and

$$\begin{aligned} a &= b \\ c &= \arg\max_x d \end{aligned}$$

![A local picture](local.png) ![Somewhere else](https://example.org/x.png) [a link](https://example.org)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("export")
    cell = code("secret_source = 1")
    cell.outputs = [
        v4.new_output("display_data", data={"image/png": PNG}, metadata={"image/png": {"alt": "A <line> rises"}}),
        v4.new_output("display_data", data={"image/svg+xml": "<svg/>"}, metadata={"image/svg+xml": {"alt": "Vector"}}),
        v4.new_output(
            "display_data", data={"text/html": "<script src='https://cdn.example.org/x.js'></script><b>T</b>"}
        ),
        v4.new_output(
            "display_data",
            data={"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/html": "<i>fallback</i>"},
        ),
        v4.new_output("display_data", data={"text/latex": r"$\frac{1}{2}$"}),
        v4.new_output("display_data", data={"application/javascript": "alert(1)", "text/plain": "no script"}),
    ]
    nb = book(v4.new_markdown_cell(PROSE), parameters(), cell)
    nb.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    path = save(nb, folder)
    (path.parent / "local.png").write_bytes(b"\x89PNG local")
    target = export_html(path, folder / "report.html", provenance={"seed": 3, "parameters": {"name": "<b>"}})
    return target.read_text(encoding="utf-8")


def test_requests_nothing(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert not soup.select("script, link, iframe")
    sources = [str(element["src"]) for element in soup.select("[src]")]
    assert len(sources) == 3
    assert all(source.startswith("data:") for source in sources)
    styles = "".join(style.get_text() for style in soup.select("style"))
    assert "@import" not in styles
    assert all(address.startswith("data:") for address in re.findall(r"url\(['\"]?([^)]*)", styles))


def test_is_an_accessible_document(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert soup.html["lang"] == "en"
    assert soup.title.get_text() == "A *report*"
    assert soup.select_one("meta[name=viewport]")
    assert len(soup.select("h1")) == 1
    assert [picture["alt"] for picture in soup.select("img")] == ["A local picture", "A <line> rises", "Vector"]


def test_equations_are_mathml(page: str) -> None:
    soup = BeautifulSoup(page, "html.parser")
    assert len(soup.select("math")) == 3
    aligned = soup.select_one("math[display=block]")
    assert len(aligned.select("mtr")) == 2
    assert "$" not in soup.main.get_text()


def test_shows_fallbacks_and_provenance_but_no_code(page: str) -> None:
    assert "secret_source" not in page
    assert "<i>fallback</i>" in page
    assert "no script" in page
    assert "alert(1)" not in page
    assert '<a href="https://example.org/x.png">Somewhere else</a>' in page
    assert base64.b64encode(b"\x89PNG local").decode() in page
    assert '<th scope="row">name</th><td>&lt;b&gt;</td>' in page


def test_html_that_spans_blocks_stays_whole(tmp_path: Path) -> None:
    prose = '<details><summary>Answers <img alt="1 > 0" src="a.png"></summary>\n\n1. Four.\n</details>\n\nNext'
    path = save(book(v4.new_markdown_cell(prose)), tmp_path)
    (path.parent / "a.png").write_bytes(b"\x89PNG a")
    target = export_html(path, tmp_path / "a.html")
    soup = BeautifulSoup(target.read_text(encoding="utf-8"), "html.parser")
    assert soup.details.li.get_text() == "Four."
    assert soup.details.find(string="Next") is None
    assert soup.img["alt"] == "1 > 0"
    assert str(soup.img["src"]).startswith("data:image/png")


def test_code_on_request(tmp_path: Path) -> None:
    path = save(book(code("visible = 1")), tmp_path)
    assert "visible" in export_html(path, tmp_path / "a.html", code=True).read_text(encoding="utf-8")


@pytest.mark.parametrize("tex", [r"\unheard{x}", r"\begin{tikz} a & b \end{tikz}", r"\left( a", r"a & b"])
def test_what_cannot_be_converted_stays_readable(tex: str) -> None:
    assert tex_to_html(tex, display=False) == f'<code class="tex">{tex.replace("&", "&amp;")}</code>'


def test_links_lead_from_the_page_to_the_same_files(tmp_path: Path) -> None:
    prose = (
        "# T\n[next](other.ipynb#part), [top](#t), [web](https://example.org/a), [gone](gone.md), [up](../README.md)"
    )
    path = save(book(v4.new_markdown_cell(prose), parameters()), tmp_path)
    save(book(parameters()), tmp_path, "other")
    (tmp_path / "README.md").write_text("read me")
    report = tmp_path / "runs/one/report.html"
    export_html(path, report)
    links = {
        link.text: str(link["href"]) for link in BeautifulSoup(report.read_text(), "html.parser").select("a[href]")
    }
    assert links["next"] == "../../notebooks/other.ipynb#part"
    assert (report.parent / links["up"]).resolve() == tmp_path / "README.md"
    assert (links["top"], links["web"], links["gone"]) == ("#t", "https://example.org/a", "gone.md")
