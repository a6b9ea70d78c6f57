"""The demo as a local page: a Voila server on the loopback interface, with a token, over the same widgets."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import tempfile
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.demo.collection import Collection, index
from tireid.demo.first_page import HOST, FirstPage

EXTENSIONS = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget"]
"""What of JupyterLab the page loads: what else is installed there is not asked for."""
TEMPLATE = Path(__file__).with_name("page.html.j2").read_text(encoding="utf-8")


def free_port(port: int | None) -> int:
    """`port`, or one that is free for None; OSError where it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port or 0))
        except OSError as error:
            raise OSError(f"port {port} of {HOST} cannot be used ({error.strerror}): give another --port") from None
        return int(probe.getsockname()[1])


def serve(found: Collection, port: int, *, browser: bool = True) -> None:
    """Serve the page until it is interrupted; prints its address, which holds the token.

    The first view is there at once, while pictures are indexed and the server is loaded. Raises MissingExtraError
    without the extra `demo`, before anything else is done.
    """
    with extra("demo"):
        if find_spec("voila") is None:  # importing it takes seconds
            raise ModuleNotFoundError(name="voila")
    token = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{port}/?token={token}"
    first = FirstPage(port, token, found.preview)
    try:
        print(f"{address}\nOpen this page; Ctrl+C stops it.", flush=True)
        if browser:
            webbrowser.open(address)
        index(found, first.say)
        first.say("Starting the search")
        with tempfile.TemporaryDirectory(prefix="tireid-demo-") as folder:
            home = Path(folder)
            os.environ |= {"JUPYTER_PATH": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")}
            os.environ |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime")}
            _run(_written(found, home), port, token, first)
    finally:
        first.close()


def _run(notebook: Path, port: int, token: str, first: FirstPage) -> None:
    with extra("demo"):
        from tornado.httpserver import HTTPServer
        from tornado.ioloop import IOLoop
        from traitlets.config import Config
        from voila.app import Voila

    class Server(Voila):  # type: ignore[misc]  # Voila has no types
        def listen(self) -> None:
            # One kernel is started before it is asked for; a page that is loaded again starts its own.
            self.kernel_manager.kernel_pools_config = {"default": {"pool_size": 0}}
            self.app.listen = lambda *_: IOLoop.current().add_callback(self._open)
            super().listen()

        async def _open(self) -> None:
            pools = self.kernel_manager._pools
            ahead = [task for pool in pools.values() for task in pool]
            await asyncio.wait(ahead)  # who asks earlier starts a second kernel, and waits for it
            for kernel in (task.result()["kernel_id"] for task in ahead if not task.exception()):
                # What died and was started again knows nothing of the page that was made.
                self.kernel_manager.add_restart_callback(kernel, pools.clear)
            HTTPServer(self.app).add_socket(first.hand_over())

    own: dict[str, Any] = {
        "ip": HOST,
        "port": port,
        "port_retries": 0,
        "token": token,
        "log_level": "ERROR",
        "open_browser": False,
    }
    own |= {"root_dir": str(notebook.parent), "tornado_settings": {"ws_ping_timeout": 30_000}}  # tornado's longest
    page = {"template": "tireid", "preheat_kernel": True, "extension_allowlist": EXTENSIONS}
    config = {"KernelManager": {"transport_encryption": "auto"}, "Voila": own, "VoilaConfiguration": page}
    Server.launch_instance([str(notebook)], config=Config(config))


def _written(collection: Collection, home: Path) -> Path:
    """The notebook of one cell, and the template of its page."""
    template = home / "voila/templates/tireid"
    template.mkdir(parents=True)
    (template / "index.html.j2").write_text(TEMPLATE, encoding="utf-8")
    own = {"base_template": "lab", "traitlet_configuration": {"resources": {"preview": collection.preview}}}
    (template / "conf.json").write_text(json.dumps(own), encoding="utf-8")
    root = collection.root and str(collection.root)
    opened = (str(collection.gallery), collection.model, collection.drawn, str(Path.cwd()), root)
    source = f"from tireid.demo.collection import open_demo\nopen_demo{opened!r}"
    cell: dict[str, Any] = {"cell_type": "code", "id": "demo", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}
    path = home / "pages/tireid.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
