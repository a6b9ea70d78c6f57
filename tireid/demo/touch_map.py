"""Points that can be hovered, picked and surrounded, with the mouse, a finger, or the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tireid.basics.extras import extra
from tireid.show.plane import Floats

with extra("notebooks"):
    import anywidget
    import traitlets


class TouchMap(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Pictures and captions as points, with `marks` (SVG) over them; `alt` says what is shown.

    Args:
        look: the data address (None where it cannot be read) and the name of the picture in a row.
        pick: called with the row that was clicked.
        surround: called with the corners of a lasso, x and y in turn, as shares from the lower left corner.
    """

    _esm = Path(__file__).with_suffix(".js")
    pictures = traitlets.Bytes().tag(sync=True)
    captions = traitlets.Bytes().tag(sync=True)
    marks = traitlets.Unicode().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        look: Callable[[int], tuple[str | None, str]],
        pick: Callable[[int], None],
        surround: Callable[[list[float]], None],
    ) -> None:
        super().__init__()
        self._look, self._pick, self._surround = look, pick, surround
        self.on_msg(lambda _, told, __: self._heard(told))

    def show(self, pictures: Floats, captions: Floats) -> None:
        """Places of pictures (N, 2) and captions (M, 2), as shares from the lower left corner."""
        self.pictures, self.captions = (points.astype("<f4").tobytes() for points in (pictures, captions))

    def _heard(self, told: dict[str, Any]) -> None:
        match told:
            case {"hover": row}:
                address, name = self._look(row)
                self.send({"row": row, "src": address, "name": name})
            case {"pick": row}:
                self._pick(row)
            case {"surround": corners}:
                self._surround(corners)
