"""Whether the kernel still answers: a sign while it works, and what to do where it has died."""

from __future__ import annotations

from pathlib import Path

from tireid.basics.extras import extra

with extra("notebooks"):
    import anywidget


class Alive(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Answers the browser, which asks after every click and change; messages are answered in order.

    After 0.6 s without an answer it says that work is under way, later that the server stopped, or that the kernel
    is silent.
    """

    _esm = Path(__file__).with_suffix(".js")

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(lambda _, told, __: self.send({"answered": told["asked"]}))
