"""A photograph to search with: chosen by a button, dropped on the search bar, or pasted into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tireid.basics.extras import extra

with extra("notebooks"):
    import anywidget
    import traitlets


class Photograph(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Calls `take` with the name and the bytes of a picture file, and the names of other files given with it.

    Nothing of it is kept in the widget's state. A file of more than 4 MB is made smaller by the browser, since a
    kernel's connection takes 10 MB at once.
    """

    _esm = Path(__file__).with_suffix(".js")
    label = traitlets.Unicode("Photograph").tag(sync=True)

    def __init__(self, take: Callable[[str, bytes, list[str]], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, told, buffers: take(str(told["name"]), bytes(buffers[0]), [*map(str, told["others"])]))
