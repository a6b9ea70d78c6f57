"""The page until the server is there: the first view at once, on the port that the live page takes over."""

from __future__ import annotations

import secrets
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from threading import Thread
from urllib.parse import parse_qs, urlsplit

HOST, WAIT = "127.0.0.1", 202
PAGE = Path(__file__).with_name("first_page.html").read_text(encoding="utf-8")


class FirstPage:
    """Serves `preview` (HTML) to who has the token; everybody else is told to wait, in the words of :meth:`say`.

    The page asks again and again, and loads itself anew when somebody else answers: after :meth:`hand_over`.
    """

    def __init__(self, port: int, token: str, preview: str) -> None:
        self._said = "Starting"
        first = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
                known = secrets.compare_digest(given.encode(), token.encode())
                body = first._page(preview) if known else first._said
                self.send_response(200 if known else WAIT)
                self.send_header("Content-Type", f"text/{'html' if known else 'plain'}; charset=utf-8")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Nothing: the terminal belongs to the command."""

        self._server = ThreadingHTTPServer((HOST, port), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def say(self, said: str) -> None:
        """What is being done, in the page's first line."""
        self._said = said

    def hand_over(self) -> socket:
        """The listening socket, to be served by somebody else: nobody who asks meanwhile is turned away."""
        self._server.shutdown()
        self._thread.join()
        self._server.socket.setblocking(False)
        self._server.socket.listen(128)
        return self._server.socket

    def close(self) -> None:
        """Give the port back."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _page(self, preview: str) -> str:
        return PAGE.format(said=escape(self._said), preview=preview, wait=WAIT)
