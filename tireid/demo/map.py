"""The map panel: where results, captions and the live query lie, and the pictures of a region."""

from __future__ import annotations

from typing import Any

import numpy as np

from tireid.demo.answer import Answer
from tireid.demo.grid import ResultGrid
from tireid.demo.parts import bind, block, html, labelled, row, slider, widgets
from tireid.demo.source import Source
from tireid.demo.state import PLANES, Store, View
from tireid.show.cards import safe
from tireid.show.picture_map import PictureMap, background, map_html, map_words

SHOWN = 12


class MapPanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Pictures, captions and the query in one plane; typing moves the query, two sliders or a field choose a region.

    `plane` chooses PCA or UMAP; `across`, `up` and the field `region` are the region's sides, `everything` forgets
    it. `grid` shows the region's pictures, which can be clicked like results, and `words` tells what is shown.
    """

    name, title = "map", "Map"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._maps: dict[tuple[int, str], tuple[PictureMap, str]] = {}
        options = [("PCA (at once)", PLANES[0]), ("UMAP (takes a while)", PLANES[1])]
        self.plane = labelled(widgets.Dropdown, "Plane", "22em", options=options)
        sides: dict[str, Any] = {"min": 0.0, "max": 1.0, "step": 0.01}
        self.across = slider(widgets.FloatRangeSlider, "Across", "20em", "6.5em", **sides)
        self.up = slider(widgets.FloatRangeSlider, "Up", "18em", "3.5em", **sides)
        self.across.value = self.up.value = (0.0, 1.0)
        field: dict[str, Any] = {"placeholder": "left, right, bottom, top in 0..1", "continuous_update": False}
        self.region = labelled(widgets.Text, "Region", "22em", **field)
        self.everything = widgets.Button(description="No region", layout=widgets.Layout(width="auto"))
        self.picture, self.note, self.words = html(), html(), ""
        self.picture.layout.flex = "1 1 320px"
        self.grid = ResultGrid(self._open, source.thumbnails, " of the region")
        controls = row(self.plane, self.region, self.everything, self.across, self.up)
        lower = row(self.picture, self.grid, align_items="flex-start")
        super().__init__([controls, self.note, lower], layout=widgets.Layout(width="100%"))
        bind(store, "plane", self.plane)
        bind(store, "region", self.region, _sides, lambda region: ", ".join(f"{side:g}" for side in region))
        for control in (self.across, self.up):
            control.observe(self._choose, names="value")
        self.everything.on_click(lambda _: store.attempt(lambda: store.change(region=[])))
        store.subscribe(("region",), self._follow)

    def draw(self, view: View, answer: Answer) -> None:
        """Show the results and the query in the plane, and the pictures of the region."""
        gallery = self._source.searched(view)
        try:
            places, ground = self._map(view)
        except (ValueError, ImportError) as error:  # ImportError: UMAP is not installed
            self.picture.value, self.note.value = "", block(f'<p class="complaint">{safe(error)}</p>')
            self.grid.draw(Answer("pictures"))
            return
        try:
            query = places.place(self._source.query(view, gallery))
        except ValueError:
            query = None
        rows = answer.rows if answer.kind == "pictures" else np.zeros(0, np.int64)
        self.picture.value = block(map_html(places, ground, query, rows, gallery.person_ids, view.region))
        inside = places.inside(view.region)
        shown = f", the {SHOWN} most similar are shown" if len(inside) > SHOWN else ""
        number = f"{len(inside)} picture{'' if len(inside) == 1 else 's'} in the region{shown}."
        note = number if view.region else "Move the sliders to choose a region of the map."
        self.words = f"{map_words(places, query, rows)}. {note}"
        self.note.value = block(f"<p>{note}</p>")
        self.grid.draw(self._source.likest(view, gallery, inside, SHOWN), view.picture)

    def static(self) -> list[str]:
        """Its note and the map."""
        return [self.note.value, self.picture.value]

    def _map(self, view: View) -> tuple[PictureMap, str]:
        gallery = self._source.searched(view)
        key = (id(gallery), view.plane)
        if key not in self._maps:
            captions = np.zeros((0, gallery.features.shape[1]), np.float32)
            if self._source.captions and gallery is self._source.gallery:
                captions = self._source.caption_index(gallery).features.numpy()
            places = PictureMap.of(view.plane, gallery.features, captions)
            self._maps[key] = places, background(places)
        return self._maps[key]

    def _open(self, answer: Answer, place: int) -> None:
        self._store.attempt(lambda: self._store.change(picture=answer.names[place]))

    def _choose(self, change: Any) -> None:
        sides = [round(float(value), 2) for value in (*self.across.value, *self.up.value)]
        region = [] if sides == [0, 1, 0, 1] else sides
        self._store.attempt(lambda: self._store.change(region=region))

    def _follow(self, view: View) -> None:
        left, right, bottom, top = view.region or (0.0, 1.0, 0.0, 1.0)
        self.across.value, self.up.value = (left, right), (bottom, top)


def _sides(text: str) -> list[float]:
    """Numbers of a region as they are written; ValueError naming what is none.

    >>> _sides("0.2, 0.4, 0, 1"), _sides("")
    ([0.2, 0.4, 0.0, 1.0], [])
    """
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"region: {text[:30]!r} is not left, right, bottom, top, such as 0.2, 0.4, 0, 1") from None
