"""Why a picture was found: words that can be switched off, the heat of a word, the nearest captions."""

from __future__ import annotations

from typing import Any

import numpy as np

from tireid.basics.extras import require
from tireid.data.images import open_image
from tireid.demo.answer import Answer
from tireid.demo.parts import block, html, labelled, row, shortened, table_html, widgets
from tireid.demo.source import Source, feature_of, words_of
from tireid.demo.state import FIND, Store, View
from tireid.explain.reasons import Ablation, word_ablation, word_heat
from tireid.model import TIReID
from tireid.search.gallery import Gallery
from tireid.show.cards import data_address, safe, thumbnail
from tireid.show.plots import attention_overlay

CHIPS, LONGEST_WORD, CAPTIONS = 40, 18, 5
UNMEASURED = "This is attention. Whether it lies on the garment that the word names has not been measured."


class WhyPanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A button per word of the description, what each word does to the ranks, and a closer look at one picture.

    `words` are the toggles, `word` the choice of the word whose heat is shown; `to_captions`, `to_pictures` and `back`
    search with the picture that was clicked, or with the text again. `ablation` is what
    switching each word does to the ranks, as a table.
    """

    name, title = "why", "Why"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._toggles: list[Any] = []
        self._drawn: tuple[Any, ...] = ()
        self._influenced: tuple[Any, ...] = ()
        self.ablation: Ablation | None = None
        self.words = row(align_items="flex-start", grid_gap="2px 2px")
        self.influence = html()
        self.word = labelled(widgets.Dropdown, "Attention of", "20em", options=[("–", 0)])
        self.heat = widgets.HTML()
        self.captions = html()
        self.to_captions = self._button("Find its captions", find=FIND[1])
        self.to_pictures = self._button("Find pictures like it", find=FIND[2])
        self.back = self._button("Search with the text", find=FIND[0])
        actions = row(self.to_captions, self.to_pictures, self.back)
        closer = widgets.VBox([actions, self.word, row(self.heat, self.captions, align_items="flex-start")])
        closer.layout = widgets.Layout(flex="1 1 340px")
        self.influence.layout.flex = "0 1 auto"
        lower = row(self.influence, closer, align_items="flex-start")
        title = html("<p>Words of the description: switch one off, and the results move.</p>")
        super().__init__([title, self.words, lower], layout=widgets.Layout(width="100%"))
        self.word.observe(self._choose_word, names="value")

    def draw(self, view: View, answer: Answer) -> None:
        """Show the words of the view and the picture that was clicked."""
        words = words_of(view.text)
        self._show_words(words, view.off)
        self._show_influence(view, words)
        home = self._source.home(view.picture)
        for button in (self.to_captions, self.to_pictures):
            button.disabled = home is None
        self.to_captions.disabled |= not self._source.captions
        self.back.disabled = view.find == FIND[0]
        self._offer_heat(words, view)
        key = (view.picture, view.text, view.word)
        if key != self._drawn:
            self._drawn = key
            self._look(view, home, words)

    def static(self) -> list[str]:
        """What the words do, where the model looks, and the nearest captions."""
        return [self.influence.value, self.heat.value, self.captions.value]

    def _button(self, description: str, **values: Any) -> Any:
        button = widgets.Button(description=description, layout=widgets.Layout(width="auto"))
        button.on_click(lambda _: self._store.attempt(lambda: self._store.change(**values)))
        return button

    def _show_words(self, words: list[str], off: list[int]) -> None:
        shown = words[:CHIPS]
        while len(self._toggles) < len(shown):
            self._toggles.append(self._toggle(len(self._toggles)))
        for place, word in enumerate(shown):
            toggle = self._toggles[place]
            toggle.description, toggle.value = shortened(word, LONGEST_WORD), place not in off
        if len(self.words.children) != len(shown):
            self.words.children = self._toggles[: len(shown)]

    def _toggle(self, place: int) -> Any:
        toggle = widgets.ToggleButton(value=True, layout=widgets.Layout(width="auto"))
        toggle.add_class("tireid-word")
        toggle.observe(lambda change: self._switch(place, change["new"]), names="value")
        return toggle

    def _switch(self, place: int, on: bool) -> None:
        off = set(self._store.view.off) - {place} if on else {*self._store.view.off, place}
        self._store.attempt(lambda: self._store.change(off=sorted(off)))

    def _choose_word(self, change: Any) -> None:
        if change["new"] is not None:
            self._store.attempt(lambda: self._store.change(word=change["new"]))

    def _show_influence(self, view: View, words: list[str]) -> None:
        filters = (view.people, view.cameras, view.split)
        key = (view.text, tuple(view.off), view.k, view.gallery, *map(str, filters))
        if key == self._influenced:
            return
        self._influenced, self.ablation = key, None
        if not words or len(words) > CHIPS or view.find != FIND[0]:
            limit = f"<p>The description has more than {CHIPS} words; the first ones have a button.</p>"
            self.influence.value = block(limit if len(words) > CHIPS else "")
            return
        try:
            gallery = self._source.searched(view)
            allowed = self._source.allowed(view, gallery)
            self.ablation = word_ablation(gallery, view.text, view.k, view.off, allowed=allowed)
        except ValueError as error:
            self.influence.value = block(f'<p class="complaint">{safe(error)}</p>')
            return
        table = self.ablation.influence
        shown = table.assign(off=["off" if off else "on" for off in table["off"]])[["word", "off", "moved", "kept"]]
        names = {"off": "now", "moved": "places moved", "kept": f"kept of {view.k}"}
        title = "What switching each word does to the best results"
        formats = {"places moved": lambda value: f"{value:.1f}", "word": lambda word: safe(shortened(word, 24))}
        self.influence.value = block(table_html(shown.rename(columns=names), title, formats))

    def _offer_heat(self, words: list[str], view: View) -> None:
        options = [(shortened(word, LONGEST_WORD), place) for place, word in enumerate(words[:CHIPS])] or [("–", 0)]
        if list(self.word.options) != options:
            self.word.options = options
        self.word.value = min(view.word, len(options) - 1)

    def _look(self, view: View, home: tuple[Gallery, int] | None, words: list[str]) -> None:
        if home is None:
            self.heat.value = block("<p>Click a result to look closer at it.</p>")
            self.captions.value = ""
            return
        gallery, place = home
        self.heat.value = block(heat_html(gallery, place, view.text, words, min(view.word, max(0, len(words) - 1))))
        self.captions.value = block(self._nearest(gallery, place))

    def _nearest(self, gallery: Gallery, place: int) -> str:
        if not self._source.captions:
            return "<p>Without a split there are no captions to compare with.</p>"
        person = None if gallery.person_ids is None else int(gallery.person_ids[place])
        table = self._source.nearest_captions(gallery, feature_of(gallery, place), CAPTIONS, person).table
        return table_html(
            table[["rank", "score", "person_id", "caption"]], f"Captions nearest to {gallery.names[place]}"
        )


def heat_html(gallery: Gallery, place: int, text: str, words: list[str], word: int) -> str:
    """The picture, and where the interaction encoder looks for a word; or why it cannot be told."""
    name = gallery.names[place]
    try:
        picture = open_image(gallery.paths[place])
    except ValueError as error:
        return f'<p class="complaint">{safe(error)}</p>'
    plain = f'<img alt="{safe(name)}" src="{thumbnail(picture)}">'
    if not words:
        return plain
    try:
        if not isinstance(gallery.model, TIReID):
            raise ValueError(f"{type(gallery.model).__name__} has no interaction encoder that could be looked into")
        heat = word_heat(gallery.model, gallery.paths[place], text, word)
    except ValueError as error:
        return f'{plain}<p class="complaint">No heat: {safe(error)}</p>'
    down, across = np.unravel_index(int(heat.argmax()), heat.shape)
    where = f"strongest in row {down + 1} of {heat.shape[0]} from above, column {across + 1} of {heat.shape[1]}"
    alt = f"Attention of the word {words[word]} over {name}: {where}"
    return f'<img alt="{safe(alt)}" src="{_overlay(np.asarray(picture), heat)}"><p>{safe(where)}</p><p>{UNMEASURED}</p>'


def _overlay(picture: Any, heat: Any) -> str:
    height = 2.6
    figure = require("matplotlib.figure", "notebooks").Figure(
        figsize=(max(0.9, height * picture.shape[1] / picture.shape[0]), height), dpi=100
    )
    axes = figure.add_axes((0, 0, 1, 1))
    attention_overlay(picture, heat, axes)
    axes.set_aspect("auto")  # fills the figure, which has the picture's shape up to a pixel
    return data_address(figure, "PNG")
