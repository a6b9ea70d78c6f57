"""A picture with a point on it that is moved with the mouse, a finger, or the arrow keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra

with extra("notebooks"):
    import anywidget
    import traitlets


class PointPicture(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """The picture `value` (PNG), described by `alt`, and a `point` on it: its values across and up.

    `axes` has for each of the two its `name`, the values that the point may take (`low`, `high`, `step`), and where on
    the picture the lowest and the highest lie (`first`, `last`), as shares from its upper left corner. `moved` is
    called with the values to which somebody moves the point; the next ones come when it has returned.
    """

    _esm = Path(__file__).with_suffix(".js")
    _css = Path(__file__).with_suffix(".css")
    value = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    axes = traitlets.List(traitlets.Dict()).tag(sync=True)
    point = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, alt: str, moved: Callable[[list[float]], None]) -> None:
        super().__init__(alt=alt)
        self._moved = moved
        self.on_msg(lambda _, told, __: self._heard(told))

    def _heard(self, told: dict[str, Any]) -> None:
        try:
            self._moved(told["point"])
        finally:
            self.send({"done": True})
