"""`tireid demo` as a process, and its page in Chromium: seconds to the first picture, keyboard, phone, both themes."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from PIL import Image

from tests.browser.lab import chromium, marks
from tests.browser.test_retrieval_demo import SHOTS, Seen, _nothing_is_cut_off, _until_names_differ
from tireid.demo.first_page import HOST, FirstPage
from tireid.demo.serve import free_port

playwright = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright (extra `dev`)")
pytest.importorskip("voila", reason="the page needs the extra `demo`")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe comes with the extra `dev`").Axe
ROOT, SECONDS, QUIET_SECONDS = Path(__file__).parents[2], 1000, 5.0
SECTIONS = ("Filters", "Why", "How sure", "Map", "Failures", "Basket", "Cite")
GIVE = """async ([content, kind, event, name]) => {
    const blob = await (await fetch('data:image/png;base64,' + content)).blob(), given = new DataTransfer();
    given.items.add(new File([blob], name, {type: 'image/png'}));
    const how = {bubbles: true, cancelable: true, dataTransfer: given, clipboardData: given};
    document.querySelector('.tireid-search input').dispatchEvent(new window[kind](event, how)) }"""
pytestmark = marks(900)


@contextmanager
def demo_page(*arguments: str) -> Iterator[tuple[str, float]]:
    """The address that the command prints, and when it was started."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tireid", "demo", "--no-browser", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        # Started in the background, a shell's children ignore Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert server.stdout is not None
        yield next(line.strip() for line in server.stdout if line.startswith("http")), began
    finally:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) in (0, 130)


class Page(Seen):
    """The page of `tireid demo`, and every request that it made."""

    def __init__(self, page: Any) -> None:
        super().__init__(page)
        self.hosts: set[str] = set()
        page.on("request", lambda request: self.hosts.add(request.url.partition("?")[0]))
        page.on("response", lambda answer: self.errors.append(answer.url) if answer.status >= 400 else None)

    def open(self, url: str) -> None:
        """Until the live page is there, and hears what is done: the waiting page replaces itself."""
        self.page.goto(url, wait_until="commit")
        self.demo.locator("figure img").first.wait_for(timeout=240 * SECONDS)
        self.settled()

    def check(self, name: str) -> None:
        """What axe finds, and how bad: nothing serious, and nothing outside the page's main part."""
        found = Axe().run(self.page).response["violations"]
        bad = [item for item in found if item["impact"] in ("serious", "critical") or item["id"] == "region"]
        assert [(name, item["id"], item["help"]) for item in bad] == []

    def shoot_all(self, name: str) -> None:
        shoot_page(self.page, name)


def shoot_page(page: Any, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"page_{name}.jpg", type="jpeg", quality=70)


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, float]]:
    with demo_page() as served:
        yield served


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def browser(chrome: Any) -> Iterator[Any]:
    """One for all tests; the pages that a test opens are closed after it, and with them their kernels end."""
    others = list(chrome.contexts)
    yield chrome
    for context in chrome.contexts:
        if context not in others:
            context.close()


def test_the_first_picture_comes_within_five_seconds(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a fresh machine: nothing is drawn or indexed yet. On a busy one, before PyTorch would have been imported."""
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path))
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    with demo_page() as (url, began):
        page.goto(url, wait_until="commit")
        page.locator("figure img").nth(9).wait_for(timeout=120 * SECONDS)
        seconds = time.monotonic() - began
        assert page.locator("figure img").count() == 10
        assert page.get_by_role("status").inner_text()
        one, two = (page.locator("figure").nth(place).bounding_box() for place in (0, 1))
        assert (two["y"], two["x"] > one["x"] + 100) == (one["y"], True), "the second picture is beside the first one"
        shoot_page(page, "first")
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import torch, transformers"], check=True)
    imported = time.monotonic() - began
    with capsys.disabled():
        print(f"\ncommand to first picture {seconds:.1f} s, beside import torch, transformers {imported:.1f} s")
    assert seconds < max(QUIET_SECONDS, imported)


class SlowLogin(BaseHTTPRequestHandler):
    """Whoever has no token is sent to a login whose page comes slowly; the others see the live page."""

    def do_GET(self) -> None:
        self.send_response(302 if self.path == "/said" else 200)
        self.send_header("Location", "/login")
        self.end_headers()
        if self.path == "/login":
            time.sleep(1)
        self.wfile.write(b'<p class="live">live</p>')

    def log_message(self, *_: object) -> None:
        pass


def test_the_waiting_page_ends_no_request_halfway(browser: Any) -> None:
    port = free_port(None)
    first = FirstPage(port, "secret", "<b>first view</b>")
    seen = Page(browser.new_page())
    seen.page.goto(f"http://{HOST}:{port}/?token=secret")
    live = ThreadingHTTPServer((HOST, port), SlowLogin, bind_and_activate=False)
    live.socket = first.hand_over()
    live.socket.setblocking(True)
    Thread(target=live.serve_forever, daemon=True).start()
    try:
        seen.page.locator(".live").wait_for(timeout=30 * SECONDS)
        assert seen.errors == []
    finally:
        live.shutdown()
        first.close()


def test_from_the_command_to_a_description_and_its_reasons(
    address: tuple[str, float], browser: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    url, began = address
    seen = Page(browser.new_page(viewport={"width": 1280, "height": 800}))
    seen.open(url)
    with capsys.disabled():
        print(f"\ncommand to live widgets {time.monotonic() - began:.1f} s, load {os.getloadavg()[0]:.1f}")
    first = seen.demo.locator("figure").first
    assert re.search(r"\.(jpg|png)", first.inner_text()), "the file's name is on the card"
    assert first.bounding_box()["y"] + 240 < 800, "the first picture is on the first screen"
    seen.check("plain")
    _search_by_keyboard(seen)
    seen.demo.locator(".closer img[alt^='Regions of']").wait_for(timeout=120 * SECONDS)
    _nothing_reaches_over(seen)
    seen.shoot_all("light")
    if SHOTS:
        shutil.copy(Path(SHOTS) / "page_light.jpg", ROOT / "notebooks/images/demo.jpg")  # of the documentation
    for name in SECTIONS:
        seen.demo.get_by_role("button", name=re.compile(rf"^{name}")).first.click()
        _nothing_reaches_over(seen)
        seen.check(name)
        seen.shoot_all(f"light_{name.lower().replace(' ', '_')}")
    assert seen.errors == []
    assert all(request.startswith(("http://127.0.0.1:", "data:", "blob:")) for request in seen.hosts), seen.hosts


def test_a_phone_in_the_dark(address: tuple[str, float], browser: Any) -> None:
    seen = Page(browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark"))
    seen.open(address[0])
    brightness = seen.page.evaluate("() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(brightness[:3]) < 80
    _nothing_reaches_over(seen)
    assert seen.demo.locator("figure").first.bounding_box()["y"] < 270, "little stands before the first picture"
    rows = seen.page.locator(".tireid-search > *").evaluate_all("all => all.map(e => Math.round(e.offsetTop / 20))")
    assert len(set(rows)) == 2, "the description, and one row for the rest"
    seen.check("phone, dark")
    seen.shoot_all("phone_dark")
    seen.demo.get_by_role("button", name="More like this").first.click()
    seen.demo.locator(".queried").wait_for(timeout=60 * SECONDS)
    seen.button("Why").click()
    hint = seen.demo.locator(".tireid-panel").get_by_text("Click a result to see it larger")
    hint.wait_for(timeout=60 * SECONDS)
    seen.settled()
    assert hint.bounding_box()["y"] < seen.demo.locator("figure").first.bounding_box()["y"], "no scrolling to it"
    _nothing_reaches_over(seen)
    seen.check("phone, dark, why")
    seen.shoot_all("phone_dark_why")
    assert seen.errors == []


def test_a_photograph_is_dropped_and_pasted(address: tuple[str, float], browser: Any) -> None:
    seen = Page(browser.new_page(viewport={"width": 1280, "height": 800}))
    seen.open(address[0])
    seen.button("Photograph").wait_for()
    buffer = io.BytesIO()
    Image.effect_noise((400, 600), 90).convert("RGB").save(buffer, "PNG")
    content = base64.b64encode(buffer.getvalue()).decode()
    for kind, event, name in (("DragEvent", "drop", "dropped.png"), ("ClipboardEvent", "paste", "pasted.png")):
        seen.page.evaluate(GIVE, [content, kind, event, name])
        seen.demo.get_by_text(f"like {name}").wait_for(timeout=60 * SECONDS)
    assert "unlike those that the model was trained on" in seen.demo.get_by_role("note").first.inner_text()
    _nothing_reaches_over(seen)
    assert seen.errors == []


def test_the_page_is_closed_to_those_without_the_token(address: tuple[str, float], browser: Any) -> None:
    page = browser.new_page()
    for _ in range(120):  # the waiting page says what is being done, until the live one asks for the token
        page.goto(address[0].partition("?")[0])
        assert page.locator("figure, .tireid-root").count() == 0
        if "login" in page.url:
            break
        page.wait_for_timeout(SECONDS)
    assert "login" in page.url


def kernels() -> list[psutil.Process]:
    """The kernels of the servers that this process started."""
    found = psutil.process_iter(["cmdline", "ppid"])  # an ended one has no command line, and raises nothing here
    ours = {child.pid for child in psutil.Process().children(recursive=True)}
    return [child for child in found if child.pid in ours and "ipykernel_launcher" in (child.info["cmdline"] or [])]


def test_kernels_that_die_and_a_server_that_stops(browser: Any) -> None:
    """A kernel that was started ahead dies before anybody looks: the next one knows nothing of the page that was made.

    One that dies later, and a server that stops, are told after the next click, with what to do.
    """
    others = set(kernels())
    seen = Page(browser.new_page(viewport={"width": 1280, "height": 800}))
    sign = seen.page.locator(".tireid-alive")
    with demo_page() as (url, _):
        while "login" not in seen.page.url:  # the live page asks for the token
            seen.page.goto(url.partition("?")[0])
            seen.page.wait_for_timeout(0.2 * SECONDS)
        (kernel,) = set(kernels()) - others
        kernel.kill()
        kernel.wait(timeout=30)
        while not set(kernels()) - others:
            time.sleep(0.1)
        seen.open(url)
        for kernel in set(kernels()) - others:
            kernel.kill()
        seen.button("Cite").click()
        sign.get_by_text("The search is busy or has died. Wait, or reload the page.").wait_for(timeout=60 * SECONDS)
        seen.open(url)
    seen.button("Cite").click()
    sign.get_by_text("The server has stopped. Start it again").wait_for(timeout=60 * SECONDS)
    seen.shoot_all("stopped")


def _search_by_keyboard(seen: Page) -> None:
    """Tab to the bar, type, Tab to a result, Enter: nothing is clicked."""
    before = seen.names()
    for _ in range(6):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("() => document.activeElement.matches('.tireid-search input')"):
            break
    assert seen.page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth") == "3px"
    seen.page.keyboard.press("ControlOrMeta+a")
    seen.page.keyboard.type("a woman in a red jacket and white jeans with a backpack", delay=20)
    _until_names_differ(seen, before)
    seen.settled()
    seen.page.locator(".tireid-sure .bar").wait_for(timeout=120 * SECONDS)
    for _ in range(30):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("() => document.activeElement.innerText.includes('Open result 1')"):
            break
    name = seen.names()[0]
    seen.page.keyboard.press("Enter")
    seen.demo.get_by_text(f"Captions nearest to {name}").wait_for(timeout=120 * SECONDS)


def _nothing_reaches_over(seen: Page) -> None:
    _nothing_is_cut_off(seen)
    assert seen.page.evaluate("() => document.scrollingElement.scrollWidth <= window.innerWidth")


def test_what_is_dropped_and_is_no_picture_is_named(browser: Any, address: tuple[str, float]) -> None:
    seen = Page(browser.new_page())
    seen.open(address[0])
    for size, name, kind in ((5, "notes.txt", "text/plain"), (5_000_000, "large.jpg", "image/jpeg")):
        seen.page.evaluate(
            """([size, name, type]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["x".repeat(size)], name, {type}));
            document.querySelector('.tireid-search input').dispatchEvent(
                new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer})) }""",
            [size, name, kind],
        )
        seen.until("name => document.querySelector('.tireid-root').innerText.includes(`picture: ${name}`)", name)
    assert seen.errors == []
