"""The map panel: where results, captions and the live query lie, and the pictures of a region."""

from __future__ import annotations

from typing import Any

import numpy as np

from tireid.demo.answer import Answer
from tireid.demo.grid import ResultGrid
from tireid.demo.parts import bind, block, button, html, labelled, row, widgets
from tireid.demo.source import Place, Source
from tireid.demo.state import PLANES, Store, View
from tireid.demo.touch_map import TouchMap
from tireid.show.cards import safe
from tireid.show.picture_map import PictureMap, map_html, map_words, marks

SHOWN, RINGED = 12, " Ellipses: the pictures of each result's person."


class MapPanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Pictures, captions and the query in one plane; typing moves the query.

    A click on `plot` looks at a picture, a lasso around several of them, or the field `region`, shows these in `grid`,
    and `everything` forgets it. `plane` chooses PCA or UMAP, and `words` tells what is shown.
    """

    name, title = "map", "Map"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._maps: dict[tuple[int, str], PictureMap] = {}
        self._shown: tuple[Any, ...] | None = None
        options = [("PCA (at once)", PLANES[0]), ("UMAP (takes a while)", PLANES[1])]
        self.plane = labelled(widgets.Dropdown, "Plane", "22em", options=options)
        field: dict[str, Any] = {"placeholder": "left, right, bottom, top", "continuous_update": False}
        field["tooltip"] = "The edges of a part of the map, from 0 to 1, such as 0, 0.5, 0, 1"
        self.region = labelled(widgets.Text, "Region", "22em", **field)
        self.everything = button("No region", lambda: store.ask(region=[]))
        self.plot = TouchMap(self._look, self._pick, self._surround)
        self.note, self.words = html(), ""
        self.grid = ResultGrid(self._open, source.thumbnails, " of the region")
        controls = row(self.plane, self.region, self.everything)
        super().__init__([controls, self.note, self.plot, self.grid], layout=widgets.Layout(width="100%"))
        bind(store, "plane", self.plane)
        bind(store, "region", self.region, _sides, _said)

    def draw(self, view: View, answer: Answer) -> None:
        """Show the results and the query in the plane, and the pictures of the region."""
        gallery = self._source.searched(view)
        try:
            places = self._map(view)
        except (ValueError, ImportError) as error:  # ImportError: UMAP is not installed
            self.plot.layout.display, self._shown = "none", None
            self.note.value = block(f'<p class="complaint">{safe(error)}</p>')
            self.grid.draw(Answer("pictures"))
            return
        try:
            query = places.place(self._source.query(view, gallery))
        except ValueError:
            query = None
        rows = answer.rows if answer.kind == "pictures" else np.zeros(0, np.int64)
        self._shown = (places, query, rows, gallery.person_ids, view.region)
        self.plot.layout.display = ""
        self.plot.show(places.pictures, places.captions)
        self.plot.marks = marks(*self._shown)
        inside = places.inside(view.region)
        shown = f", the {SHOWN} most similar are shown" if len(inside) > SHOWN else ""
        number = f"{len(inside)} picture{'' if len(inside) == 1 else 's'} in the region{shown}."
        touch = "Point at a picture to see it, click to look closer, draw around several."
        note = number if view.region else touch + (RINGED if "<ellipse" in self.plot.marks else "")
        self.plot.alt = map_words(places, query, rows)
        self.words = f"{self.plot.alt}. {note}"
        self.note.value = block(f"<p>{safe(self.words)}</p>")
        self.grid.draw(self._source.likest(view, gallery, inside, SHOWN), view.looked)

    def static(self) -> list[str]:
        """What it says, and the map as a picture."""
        if self._shown is None:
            return [self.note.value]
        return [self.note.value, block(map_html(*self._shown))]

    def _map(self, view: View) -> PictureMap:
        gallery = self._source.searched(view)
        key = (id(gallery), view.plane)
        if key not in self._maps:
            captions = np.zeros((0, gallery.features.shape[1]), np.float32)
            if self._source.captions and gallery is self._source.gallery:
                captions = self._source.caption_index(gallery).features.numpy()
            self._maps[key] = PictureMap.of(view.plane, gallery.features, captions)
        return self._maps[key]

    def _look(self, place: int) -> tuple[str | None, str]:
        shown = Place(self._source.searched(self._store.view), place)
        return self._source.thumbnails.one(shown), shown.name

    def _pick(self, place: int) -> None:
        self._store.look(self._source.searched(self._store.view).names[place])

    def _surround(self, corners: list[float]) -> None:
        region = [min(1.0, max(0.0, round(corner, 3))) for corner in corners]
        self._store.ask(region=region)

    def _open(self, answer: Answer, place: int) -> None:
        self._store.look(answer.names[place])


def _said(region: list[float]) -> str:
    """A lasso has too many corners to be read."""
    return ", ".join(f"{side:g}" for side in region) if len(region) <= 4 else ""


def _sides(text: str) -> list[float]:
    """Numbers of a region as they are written; ValueError naming what is none.

    >>> _sides("0.2, 0.4, 0, 1"), _sides("")
    ([0.2, 0.4, 0.0, 1.0], [])
    """
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"region: {text[:30]!r} is not left, right, bottom, top, such as 0.2, 0.4, 0, 1") from None
