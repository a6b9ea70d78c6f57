"""Clicks on cards whose contents are replaced: each means what its card showed when it was pressed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tireid.basics.extras import extra

with extra("notebooks"):
    import anywidget


class Clicks(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Calls `tell` with the place from 0, the name, and the button's number of a pressed card of the grid around it.

    A button of its own would tell the place only, and of an answer that came between the click and the kernel.
    """

    _esm = Path(__file__).with_suffix(".js")

    def __init__(self, tell: Callable[[int, str, int], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, told, __: tell(int(told["place"]), str(told["name"]), int(told["act"])))
