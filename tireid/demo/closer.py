"""A result beside what was searched with, both enlarged, and the regions that decided."""

from __future__ import annotations

from typing import Any

import numpy as np

from tireid.basics.extras import require
from tireid.data.images import load_image, normalize, open_image
from tireid.demo.later import Later
from tireid.demo.parts import block, follow, html, labelled, row, shortened, widgets
from tireid.demo.source import Place, Source
from tireid.demo.state import Store, View
from tireid.explain.where import hidden_features, hiding_heat
from tireid.model import TIReID
from tireid.search.metrics import Floats
from tireid.show.cards import data_address, picture_html, safe, thumbnail
from tireid.show.plots import attention_overlay

LARGE, WHOLE, WORDS = (480, 720), "all that was searched with", 40
MEANING = "Bright: where 3 x 3 patches are hidden, the score falls most."
OF_WORD = "Bright: where the score owes most to this word and the two before it, by hiding 3 x 3 patches."


class Closer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """`pictures` shows the query, the result, and the result's regions; `word` chooses whose regions.

    The regions are worked out in the background: the picture is encoded once for every place that is hidden.
    """

    def __init__(self, store: Store, source: Source) -> None:
        self._source, self._later = source, Later(wait=0.2)
        self._drawn: tuple[Any, ...] = ()
        self.pictures = html()
        self.word = labelled(widgets.Dropdown, "Regions of", "24em", options=[(WHOLE, 0)])
        super().__init__([row(self.word), self.pictures], layout=widgets.Layout(width="100%"))
        # Options that are replaced leave nothing chosen for a moment.
        follow(self.word, lambda word: None if word is None else store.ask(word=word))

    def draw(self, view: View) -> None:
        """Show the result that was clicked, or say how to see one."""
        words = view.description.split()[:WORDS] if view.worded else []
        options = [(WHOLE, 0), *((shortened(word, 40), place) for place, word in enumerate(words, start=1))]
        if list(self.word.options) != options:
            self.word.options = options
        word = min(view.word, len(words))
        self.word.value = word
        key = (view.hit, view.picture, view.description, view.find, view.weight, word)
        if key == self._drawn:
            return
        self._drawn = key
        self._later.forget()
        home = self._source.home(view.looked)
        self.word.layout.display = "none" if home is None else ""
        if home is None:
            self.pictures.value = block(
                '<p class="tireid-hint">Click a result to see it larger, beside what was searched with.</p>'
            )
            return
        first = self._query(view) + large(home, home.name)
        # The same picture, faded, in the room of its regions: what stands below does not move when they come.
        self._show(first + large(home, "", f"… {OF_WORD if word else MEANING}", 'class="waiting"'))
        self._later.ask(lambda: self._regions(view, home, word), lambda made: self._show(first + made))

    def finish(self) -> None:
        """Wait for the regions."""
        self._later.finish()

    def _query(self, view: View) -> str:
        said = _figure(f"<blockquote>{safe(view.description)}</blockquote>", "searched with") if view.worded else ""
        home = self._source.home(view.pictured)
        return said + ("" if home is None else large(home, f"searched with {view.picture}"))

    def _regions(self, view: View, home: Place, word: int) -> str:
        model = home.gallery.model
        try:
            if not isinstance(model, TIReID):
                raise ValueError(f"{type(model).__name__} has no patches that could be hidden")
            picture = open_image(home.path, model.backbone.image_size, upright=home.upright)
            if word:
                return regions_html(home, hiding_heat(model, picture, view.description, word - 1), OF_WORD)
            pixels = normalize(load_image(picture, model.backbone.image_size)[None])[0]
            cosines = hidden_features(model, pixels).double().numpy() @ self._source.query(view, home.gallery)
            return regions_html(home, (cosines[0] - cosines[1:]).reshape(model.backbone.grid), MEANING)
        except ValueError as error:
            return _figure(f'<p class="complaint">No regions: {safe(error)}</p>', "")

    def _show(self, figures: str) -> None:
        self.pictures.value = block(f'<div class="closer">{figures}</div>')


def regions_html(home: Place, lost: Floats, meaning: str) -> str:
    """The picture under what its score `lost` (h, w) in each region; gains are left out."""
    heat = lost.clip(min=0)
    down, across = np.unravel_index(int(heat.argmax()), heat.shape)
    where = f"row {down + 1} of {heat.shape[0]} from above, column {across + 1} of {heat.shape[1]}"
    told = f"Regions of {home.name}: the score owes {heat.max():.3f} to {where}, its strongest"
    overlay = _overlay(open_image(home.path, upright=home.upright), heat)
    return _figure(f'<img alt="{safe(told)}" src="{overlay}">', meaning)


def large(home: Place, name: str, caption: str = "", look: str = "") -> str:
    """The picture as large as the page has room for, with its name or a `caption`; `look` are attributes."""
    address = thumbnail(home.path, LARGE, upright=home.upright)
    return _figure(picture_html(address, name, f"picture cannot be read: {name}", look), caption or name)


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{safe(caption)}</figcaption></figure>"


def _overlay(picture: Any, heat: Any) -> str:
    height = 4.0
    size = (max(0.9, height * picture.width / picture.height), height)
    figure = require("matplotlib.figure", "notebooks").Figure(figsize=size, dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    attention_overlay(np.asarray(picture.convert("RGB")), heat, axes)
    axes.set_aspect("auto")  # fills the figure, which has the picture's shape up to a pixel
    return data_address(figure, "PNG")
