"""The documentation is built without a warning, and a browser opens its pages without a network."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests import house
from tests.browser.lab import chromium
from tireid.experiments import export_html
from tireid.search import Hit, Hits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does."""
    place = tmp_path_factory.mktemp("docs")
    options = ["-b", "html", "-W", "--keep-going", "-q", "-d", str(place / "doctrees"), "-c", "docs"]
    command = [sys.executable, "-m", "sphinx", *options, ".", str(place / "site")]
    assert " ".join(options[:5]) in (house.ROOT / "Makefile").read_text(encoding="utf-8")
    done = subprocess.run(command, cwd=house.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return place / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that notes what goes wrong in `page.wrong`, requests to other machines included.

    Every test has its own: what the page of another was still asking for fails when that page goes.
    """
    page: Any = browser.new_page()
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
    page.on("response", lambda answer: wrong.append(f"{answer.status}: {answer.url}") if answer.status >= 400 else None)
    page.on("request", lambda request: None if _here(request.url, address) else wrong.append(request.url))
    page.wrong = wrong
    yield page
    page.close()


def _here(url: str, address: str) -> bool:
    return url.startswith((address, "data:", "blob:"))


def pages() -> list[str]:
    books = sorted(f"notebooks/{path.stem}" for path in (house.ROOT / "notebooks").glob("*.ipynb"))
    texts = sorted(f"docs/{path.stem}" for path in (house.ROOT / "docs").glob("*.md"))
    return ["README", "CONTRIBUTING", "CHANGELOG", *texts, *books]


def test_the_front_page_leads_to_every_page(page: Any, address: str) -> None:
    page.goto(f"{address}/index.html")
    page.wait_for_url("**/docs/index.html")
    links = page.evaluate("[...document.querySelectorAll('.sidebar-tree a')].map(link => link.href.split('#')[0])")
    assert {f"{address}/{name}.html" for name in pages()} <= {*links, page.url}
    assert page.wrong == []


@pytest.mark.parametrize("name", pages())
def test_a_page_opens_without_a_failed_request_or_an_error(page: Any, address: str, name: str) -> None:
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    assert page.locator("h1").count() >= 1
    broken = page.evaluate("[...document.images].filter(i => i.loading != 'lazy' && !i.naturalWidth).map(i => i.src)")
    assert broken == []
    assert page.locator("article img:not([alt])").count() == 0
    assert page.wrong == []


def serious(page: Any, **options: Any) -> list[tuple[str, str]]:
    """What axe finds on the open page; `options` are axe's."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe comes with the extra `dev`").Axe()
    found = axe.run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(item["id"], item["help"]) for item in found if item["impact"] in ("serious", "critical")]


AXED = ["README", "docs/search", "notebooks/04_circle_loss", "notebooks/09_retrieval_demo"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", AXED)
def test_axe_finds_nothing_serious(page: Any, address: str, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/{name}.html", wait_until="networkidle")
    page.wait_for_load_state()  # of a long page that still stands to be read, the network is idle before
    assert serious(page) == []


TWENTY_OF_A_KIND = """() => { const seen = {};
    for (const member of document.querySelectorAll('dl.py')) {
        seen[member.className] = (seen[member.className] ?? 0) + 1;
        if (seen[member.className] > 20) member.remove() } }"""


def test_axe_finds_nothing_serious_among_all_names(page: Any, address: str) -> None:
    """Contrast, which takes axe a minute for the whole page, is that of twenty classes, twenty methods and so on."""
    page.goto(f"{address}/docs/api.html")
    assert serious(page, rules={"color-contrast": {"enabled": False}}) == []
    page.evaluate(TWENTY_OF_A_KIND)
    assert page.locator("dl.py").count() > 60
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious(page, runOnly=["color-contrast"]) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["01_data_and_captions", "09_retrieval_demo", "12_report_template"])
def test_a_report_can_be_read(page: Any, tmp_path: Path, name: str, scheme: str) -> None:
    """In both themes, on a phone, with the answers folded and words in one piece."""
    made = {"source_sha256": "0" * 64, "parameters": {"output_dir": "x" * 90}, "parts": {}}
    report = export_html(house.ROOT / f"notebooks/{name}.ipynb", tmp_path / "report.html", provenance=made)
    page.set_viewport_size({"width": 390, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(report.as_uri())
    assert serious(page) == []
    answers = page.locator("details", has_text="Answers").last
    assert answers.locator("ol").is_hidden()
    answers.locator("summary").click()
    assert answers.locator("ol").is_visible()
    output = page.locator("div.output_area pre").first
    assert output.evaluate("e => getComputedStyle(e).wordBreak") == "normal"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#provenance h3").all_inner_texts() == ["run", "parameters"]  # parts are none
    assert all(page.locator("[role=list].cards").evaluate_all("lists => lists.map(e => e.scrollHeight < 2000)"))
    bright = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)[0] > 128")
    assert bright == (scheme == "light")


def test_equations_are_mathml_and_names_have_their_shapes(page: Any, address: str) -> None:
    page.goto(f"{address}/notebooks/04_circle_loss.html")
    assert page.locator("article math").count() > 3
    assert page.locator("article .cell_output img").count() > 0
    page.goto(f"{address}/docs/api.html")
    assert "(N, M)" in page.locator("[id='tireid.losses.circle_loss']").locator("..").inner_text()
    assert (
        "(str)" in page.locator("[id='tireid.search.Gallery.search']").locator("..").inner_text()
    )  # of its base class
    rate = page.locator("[id='tireid.options.OptimizerConfig.lr']").locator("..").inner_text()
    assert "Default 1e-05, above 0." in rate
    assert page.get_by_text("Alias for field number").count() == page.get_by_text("model_config").count() == 0


ON_PAPER = """() => {
  const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)];
  const ground = (element) => getComputedStyle(element).backgroundColor;
  const white = (element) => ["rgba(0, 0, 0, 0)", "rgb(255, 255, 255)"].includes(ground(element));
  return {
    dark: all("html, body, main, article, #notebook").filter((element) => !white(element)).length,
    cut: all("pre").filter((text) => seen(text) && text.scrollWidth > text.clientWidth + 1).length,
    controls: all("button, .skip-to-content, .tireid-hint, details.hide").filter(seen).length,
    folded: all("details:not(.hide)").filter((fold) => !seen(fold.lastElementChild)).length,
    addresses: all("a[href]:not([href^='http'])").filter(
      (link) => seen(link) && /\\w/.test(getComputedStyle(link, "::after").content.replace("none", ""))).length,
  };
}"""


def files(folder: Path) -> Iterator[Path]:
    """A report, and a file of a search."""
    yield export_html(house.ROOT / "notebooks/04_circle_loss.ipynb", folder / "report.html", code=True)
    hits = Hits((Hit(1, Path("/d/a.jpg"), "a.jpg", 0.5),), text="a man", domain="drawn people")
    yield hits.save_html(folder / "hits.html")


def printed(page: Any, address: str) -> dict[str, int]:
    page.emulate_media(media="print", color_scheme="dark")
    page.set_viewport_size({"width": 700, "height": 1000})  # A4
    page.goto(address)
    return page.evaluate(ON_PAPER)


NOTHING = dict.fromkeys(("dark", "cut", "controls", "folded", "addresses"), 0)


def test_nothing_is_lost_on_paper(page: Any, tmp_path: Path) -> None:
    for file in files(tmp_path):
        assert printed(page, file.as_uri()) == NOTHING, file.name


@pytest.mark.parametrize("name", ["README", "docs/search", "notebooks/04_circle_loss", "notebooks/09_retrieval_demo"])
def test_nothing_of_the_site_is_lost_on_paper(page: Any, address: str, name: str) -> None:
    assert printed(page, f"{address}/{name}.html") == NOTHING
