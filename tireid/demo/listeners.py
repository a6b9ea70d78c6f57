"""What the browser tells beside the values of controls: each widget is a script that listens, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tireid.basics.extras import extra

with extra("notebooks"):
    import anywidget
    import traitlets

HERE = Path(__file__).parent


class Alive(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Answers the browser, which asks after every click and change; messages are answered in order.

    After 0.6 s without an answer it says that work is under way, later that the server stopped, or that the kernel
    is silent.
    """

    _esm = HERE / "alive.js"

    def __init__(self) -> None:
        super().__init__()
        self.on_msg(lambda _, told, __: self.send({"answered": told["asked"]}))


class Clicks(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Calls `tell` with the place from 0, the name, and the button's number of a pressed card of the grid around it.

    A button of its own would tell the place only, and of an answer that came between the click and the kernel.
    """

    _esm = HERE / "clicks.js"

    def __init__(self, tell: Callable[[int, str, int], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, told, __: tell(int(told["place"]), str(told["name"]), int(told["act"])))


class Escape(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Calls `close` for the Escape key; the browser gives the focus back to what opened that which closes."""

    _esm = HERE / "escape.js"

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__()
        self.on_msg(lambda *_: close())


class Photograph(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """A button for a photograph, which may also be dropped on the search bar or pasted into it.

    Calls `take` with the name and the bytes of a picture file, and the names of other files given with it. Nothing of
    it is kept in the widget's state. A file of more than 4 MB is made smaller by the browser, since a kernel's
    connection takes 10 MB at once.
    """

    _esm = HERE / "photograph.js"
    label = traitlets.Unicode("Photograph").tag(sync=True)

    def __init__(self, take: Callable[[str, bytes, list[str]], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, told, buffers: take(str(told["name"]), bytes(buffers[0]), [*map(str, told["others"])]))
