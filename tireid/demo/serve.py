"""The demo as a local page: a Voila server on the loopback interface, with a token, over the same widgets."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.demo.collection import Collection

HOST = "127.0.0.1"
TEMPLATE = """{%- extends "voila/templates/lab/index.html.j2" -%}
{% import "spinner.macro.html.j2" as spinner %}
{% from "voila_setup.macro.html.j2" import voila_setup_helper_functions with context %}
{#- As in Voila's own page, without its style sheets from another host. -#}
{%- block notebook_css -%}
{{ resources.include_js("static/voila-style.js") }}
{{ spinner.css() }}
<style>
.jp-mod-noOutputs.jp-mod-noInput { display: none; }
body.jp-Notebook { background: var(--jp-layout-color0); padding: 12px; margin: 0; min-height: 100vh; height: auto;
  box-sizing: border-box; overflow: visible; }
#rendered_cells .jp-Cell, #rendered_cells .jp-OutputArea-child { padding: 0; margin: 0; overflow: visible; }
body:has(.tireid-root) #preview { display: none; }
#rendered_cells .jp-OutputPrompt { display: none; }
</style>
{{ super.super() }}
{%- endblock notebook_css -%}
{%- block html_head_js_mermaidjs -%}{%- endblock html_head_js_mermaidjs -%}
{#- The first view stands above the cells, which are hidden until the last of them is done. -#}
{%- block body_header -%}
<link rel="icon" href="data:;base64,=">
{% set dark = resources.theme in ("dark", "JupyterLab Dark") %}
<body class="jp-Notebook theme-{{ "dark" if dark else "light" }}" data-base-url="{{ resources.base_url }}voila/"
  data-jp-theme-light="{{ "false" if dark else "true" }}" data-voila="voila"
  data-jp-theme-name="JupyterLab {{ "Dark" if dark else "Light" }}">
{% if not resources.preview %}{{ spinner.html() }}{% endif %}
{{ voila_setup_helper_functions() }}
<main id="preview" aria-busy="true"><p role="status">Loading the model …</p>{{ resources.preview | safe }}</main>
<div id="rendered_cells" style="display: none">
  <div>
{%- endblock body_header -%}
"""


def free_port(port: int | None) -> int:
    """`port`, or one that is free for None; OSError where it is taken."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port or 0))
        except OSError as error:
            raise OSError(f"port {port} of {HOST} cannot be used ({error.strerror}): give another --port") from None
        return int(probe.getsockname()[1])


def serve(collection: Collection, port: int, *, browser: bool = True) -> None:
    """Serve the page until it is interrupted; prints its address, which holds the token.

    Raises MissingExtraError without the extra `demo`.
    """
    with tempfile.TemporaryDirectory(prefix="tireid-demo-") as folder:
        home = Path(folder)
        os.environ |= {"JUPYTER_PATH": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")}
        os.environ |= {"JUPYTER_RUNTIME_DIR": str(home / "runtime")}
        _run(_written(collection, home), port, secrets.token_urlsafe(24), browser)


def _run(notebook: Path, port: int, token: str, browser: bool) -> None:
    with extra("demo"):
        from voila.app import Voila

    class Server(Voila):  # type: ignore[misc]  # Voila has no types
        def launch_browser(self) -> None:
            """Called when the server listens."""
            address = f"http://{HOST}:{port}/?token={token}"
            print(f"{address}\nOpen this page, or add &theme=dark; Ctrl+C stops it.", flush=True)
            if browser:
                webbrowser.open(address)

    settings = {"ip": HOST, "port": port, "port_retries": 0, "token": token, "log_level": "ERROR"}
    options = [f"--Voila.{name}={value}" for name, value in settings.items()]
    options.append("--VoilaConfiguration.template=tireid")
    Server.launch_instance(
        [*options, "--Voila.open_browser=True", f"--Voila.root_dir={notebook.parent}", str(notebook)]
    )


def _written(collection: Collection, home: Path) -> Path:
    """The notebook of one cell, and the template of its page."""
    template = home / "voila/templates/tireid"
    template.mkdir(parents=True)
    (template / "index.html.j2").write_text(TEMPLATE, encoding="utf-8")
    own = {"base_template": "lab", "traitlet_configuration": {"resources": {"preview": collection.preview}}}
    (template / "conf.json").write_text(json.dumps(own), encoding="utf-8")
    opened = (str(collection.gallery), collection.model, collection.drawn, str(Path.cwd()))
    source = f"from tireid.demo.collection import open_demo\nopen_demo{opened!r}"
    cell: dict[str, Any] = {"cell_type": "code", "id": "demo", "metadata": {}, "source": source}
    cell |= {"outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}
    path = home / "pages/tireid.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
