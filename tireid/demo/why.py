"""Why a picture was found: the regions that decided, words that can be switched off, the nearest captions."""

from __future__ import annotations

from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.closer import Closer
from tireid.demo.parts import block, button, follow, html, row, shortened, table_html, widgets
from tireid.demo.source import Place, Source
from tireid.demo.state import BY_TEXT, CAPTIONS, Store, View
from tireid.explain.reasons import Ablation, word_ablation
from tireid.show.cards import safe

CHIPS, LONGEST_WORD, NEAREST = 40, 18, 5


class WhyPanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """One result, enlarged beside what was searched with; a button per word, and what each word does to the ranks.

    `closer` shows the result that was clicked, `to_captions` searches its captions. `words` are the toggles, and
    `ablation` is what switching each word does to the ranks, as a table.
    """

    name, title = "why", "Why"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._toggles: list[Any] = []
        self._drawn: tuple[Any, ...] = ()
        self._influenced: tuple[Any, ...] = ()
        self.ablation: Ablation | None = None
        self.closer = Closer(store, source)
        self.words = row(align_items="flex-start", grid_gap="2px 2px")
        self.influence, self.captions = html(), html()
        self.to_captions = button("Find its captions", lambda: store.ask(picture=store.view.looked, find=CAPTIONS))
        lower = row(self.influence, self.captions, align_items="flex-start", grid_gap="4px 32px")
        self._title = html("<p>Words of the description: switch one off, and the results move.</p>")
        children = [self.closer, self._title, self.words, lower, self.to_captions]
        super().__init__(children, layout=widgets.Layout(width="100%"))

    def draw(self, view: View, answer: Answer) -> None:
        """Show the words of the view and the picture that was clicked."""
        words = view.words if view.worded else []
        self.closer.draw(view)
        self._show_words(words, view.off)
        self._show_influence(view, words)
        self._title.layout.display = "" if words else "none"
        home = self._source.home(view.looked)
        self.to_captions.layout.display = "none" if home is None or not self._source.captions else ""
        if (view.looked, view.gallery) != self._drawn:
            self._drawn = (view.looked, view.gallery)
            self.captions.value = "" if home is None else block(self._nearest(home))

    def static(self) -> list[str]:
        """The regions that decided, what the words do, and the nearest captions."""
        self.closer.finish()
        return [self.closer.pictures.value, self.influence.value, self.captions.value]

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
        follow(toggle, lambda on: self._switch(place, on))
        return toggle

    def _switch(self, place: int, on: bool) -> None:
        off = set(self._store.view.off) - {place} if on else {*self._store.view.off, place}
        self._store.ask(off=sorted(off))

    def _show_influence(self, view: View, words: list[str]) -> None:
        filters = (view.people, view.cameras, view.split)
        key = (view.text, tuple(view.off), view.k, view.gallery, *map(str, filters))
        if key == self._influenced:
            return
        self._influenced, self.ablation = key, None
        if not words or len(words) > CHIPS or view.find != BY_TEXT:
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

    def _nearest(self, home: Place) -> str:
        if not self._source.captions:
            return "<p>This gallery has no captions to compare with.</p>"
        table = self._source.nearest_captions(home.gallery, home.feature, NEAREST, home.person).table
        return table_html(table[["rank", "score", "person_id", "caption"]], f"Captions nearest to {home.name}")
