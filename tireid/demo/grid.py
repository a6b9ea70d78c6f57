"""The ranked results: cards that can be clicked, or opened with the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.parts import block, html, widgets
from tireid.demo.thumbnails import Thumbnails
from tireid.show.cards import WORDS, Card, card_html, picture_html, safe

COLUMNS = {"pictures": "repeat(auto-fill, 118px)", "captions": "1fr"}


class ResultGrid(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Cards in rank order, under a heading.

    Args:
        open_result: called with the answer and the place, from 0, of the result whose card was clicked.
        thumbnails: where small pictures come from.
        of: added to the buttons' names, where several grids stand on one page.

    The list is drawn at once, with the pictures that are ready; the others follow when they are decoded.
    """

    def __init__(self, open_result: Callable[[Answer, int], None], thumbnails: Thumbnails, of: str = "") -> None:
        self._open, self._thumbnails, self._of = open_result, thumbnails, of
        self._cards: list[Any] = []
        self._writing = RLock()
        self._shown: tuple[Answer, str] | None = None
        self.heading = html()
        self.box = widgets.GridBox(layout=widgets.Layout(grid_gap="8px", width="100%", overflow="visible"))
        super().__init__([self.heading, self.box], layout=widgets.Layout(flex="1 1 300px", overflow="visible"))

    @property
    def pictures(self) -> list[str]:
        """HTML of the cards that are shown."""
        return [card.children[0].value for card in self.box.children]

    @property
    def buttons(self) -> list[Any]:
        """The buttons of the cards that are shown, best result first."""
        return [card.children[1] for card in self.box.children]

    def draw(self, answer: Answer, picked: str = "", heading: str = "") -> None:
        """Show an answer; `picked` is the name of the picture to mark, `heading` HTML."""
        self._shown = (answer, picked)
        self.heading.value = block(heading)
        self.heading.layout.display = "" if heading else "none"
        self._fill(self._later)

    def complete(self) -> list[str]:
        """Wait for all pictures; HTML of the cards."""
        self._thumbnails.finish()
        if self._shown is not None:
            self._fill(None)
        return self.pictures

    def _later(self) -> None:
        self._fill(self._later)

    def _fill(self, later: Callable[[], None] | None) -> None:
        if (shown := self._shown) is None:
            return
        answer, picked = shown
        made = self._thumbnails.now([card.path for card in answer.cards if card.path is not None], later)
        notes = answer.notes or [""] * len(answer.cards)
        drawn = [_drawn(card, note, made, picked) for card, note in zip(answer.cards, notes, strict=True)]
        with self._writing:
            if self._shown is shown:  # nothing else was asked for in the meantime
                self._write(answer.kind, drawn)

    def _write(self, kind: str, contents: list[str]) -> None:
        while len(self._cards) < len(contents):
            self._cards.append(self._new_card(len(self._cards)))
        for card, content in zip(self._cards, contents, strict=False):
            card.children[0].value = block(content)
        self.box.layout.grid_template_columns = COLUMNS[kind]
        if len(self.box.children) != len(contents):
            self.box.children = self._cards[: len(contents)]

    def _new_card(self, place: int) -> Any:
        button = widgets.Button(description=f"Open result {place + 1}{self._of}", tooltip="Look closer")
        button.add_class("tireid-open")
        button.on_click(lambda _: self._clicked(place))
        card = widgets.Box([widgets.HTML(layout=widgets.Layout(width="100%", margin="0")), button])
        card.layout = widgets.Layout(overflow="visible", margin="0")
        card.add_class("tireid-card")
        return card

    def _clicked(self, place: int) -> None:
        if self._shown is not None and place < len(self._shown[0].rows):
            self._open(self._shown[0], place)


def _drawn(card: Card, note: str, made: Mapping[Path, str | None], picked: str) -> str:
    """HTML of a card; `made` holds the thumbnails that are there already, None where one cannot be read."""
    if card.path is None:
        return card_html(card, attributes=f'class="{WORDS[card.correct]}"', foot=f" {safe(card.name)}")
    if card.path in made:
        missing = f"picture cannot be read: {card.name}"
        picture = picture_html(made[card.path], card.alt, missing, "", "font-size:11px")
    else:
        picture = f'<span role="img" aria-label="{safe(card.alt)}">…</span>'
    kinds = f"{WORDS[card.correct]} {'picked' if card.name == picked else ''}".strip()
    attributes = f'class="{kinds}" title="{safe(card.name)}"'
    return card_html(card, f'<div class="picture">{picture}</div>', attributes=attributes, note=note)
