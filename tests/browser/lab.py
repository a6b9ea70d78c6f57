"""JupyterLab on a free port, and Chromium to look at it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.runner.books import book, code, save

START_SECONDS = 120
CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """A browser on this machine: `$CHROMIUM`, or the first of the usual names."""
    own = os.environ.get("CHROMIUM")
    return own if own else next((path for name in CANDIDATES if (path := shutil.which(name))), None)


@dataclass
class Lab:
    """A running JupyterLab."""

    url: str
    token: str

    def address(self, notebook: str) -> str:
        """Where a notebook of the served folder is opened."""
        return f"{self.url}/lab/tree/{notebook}?reset&token={self.token}"


def run_all(page: Any) -> None:
    """Execute every cell of the open notebook, once its kernel is there, and wait for the last one.

    A kernel is idle between two cells too, and stored outputs look like new ones: what tells that all is done is that
    prompts became [*] and that none is any more. JupyterLab must show all cells, not those in view only.
    """
    page.get_by_text("| Idle").wait_for(timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    waiting = "[...document.querySelectorAll('.jp-InputPrompt')].some(prompt => prompt.textContent.includes('*'))"
    page.wait_for_function(f"() => {waiting}", timeout=120_000)
    page.wait_for_function(f"() => !{waiting}", timeout=300_000)


@contextmanager
def jupyterlab(folder: Path, home: Path, settings: dict[str, Any] | None = None) -> Iterator[Lab]:
    """Serve `folder`; nothing of the user's own configuration is read, and no update is looked for."""
    user = home / "lab/user-settings/@jupyterlab"
    own = {"apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False}} | (settings or {})
    for name, values in own.items():
        path = user / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "lab/user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "lab/workspaces"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    options = {"ServerApp.port": port, "ServerApp.ip": "127.0.0.1", "ServerApp.root_dir": str(folder)}
    options |= {"ServerApp.open_browser": False, "IdentityProvider.token": token}
    options |= {"ServerApp.allow_root": True, "LabApp.collaborative": False}
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        lab = Lab(f"http://127.0.0.1:{port}", token)
        _wait(f"{lab.url}/api/status?token={token}", server, home / "lab.log")
        yield lab
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + START_SECONDS
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if server.poll() is not None:
                break
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab does not answer at {url}:\n{log.read_text(errors='replace')[-3000:]}")


def marks(seconds: int) -> list[pytest.MarkDecorator]:
    """Of a file whose tests need Chromium and may take so long."""
    missing = pytest.mark.skipif(chromium() is None, reason="no Chromium here: install it, or set CHROMIUM to its path")
    return [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(seconds), missing]


def settle(page: Any, seconds: int = 120) -> None:
    """Wait until the kernel has answered whatever was clicked or typed in the demo, and the page has drawn it."""
    heard = "document.querySelector('.tireid-root .tireid-alive')?.dataset.busy == 'false'"
    page.wait_for_function(f"() => {heard}", timeout=1000 * seconds)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def executed(cell: str, folder: Path, settings: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    """A page of Chromium with a notebook of one cell, whose kernel has run it; `options` are those of the page."""
    from playwright.sync_api import sync_playwright

    notebook = save(book(code(cell)), folder)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as started:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        with jupyterlab(notebook.parent, folder, settings) as lab:
            browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            page = browser.new_page(**options)
            page.goto(lab.address(notebook.name))
            page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=120_000)
            run_all(page)
            yield page
            browser.close()
