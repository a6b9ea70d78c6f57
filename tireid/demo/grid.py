"""The ranked results: cards that can be clicked, or opened with the keyboard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.listeners import Clicks
from tireid.demo.parts import block, follow, html, picture_card, thumbnail_html, widgets
from tireid.demo.thumbnails import Thumbnails
from tireid.show.cards import WORDS, Card, card_html, printable, safe

COLUMNS = {"pictures": "repeat(auto-fill, minmax(148px, 1fr))", "captions": "1fr"}
KEEP, KEPT, LIKE = "Keep", "Kept", "More like this"
OPENS, LIKES, KEEPS = range(3)
"""The buttons of a card, in their order."""
RECENT = 100
"""Answers that a click may still be about: typing brings one per key press."""


@dataclass(frozen=True)
class Actions:
    """What the buttons below a picture do, each called with the picture's name."""

    like: Callable[[str], None]
    """Search with it."""
    keep: Callable[[str], None]
    """Put it into the basket, or take it out."""
    kept: Callable[[], Collection[str]]
    """Names in the basket."""


class ResultGrid(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Cards in rank order, under a heading.

    Args:
        open_result: called with the answer and the place, from 0, of the result whose card was clicked.
        actions: what else a card offers; nothing where absent.
        thumbnails: where small pictures come from.
        of: added to the buttons' names, where several grids stand on one page.

    The list is drawn at once, with the pictures that are ready; the others follow when they are decoded.
    """

    def __init__(
        self,
        open_result: Callable[[Answer, int], None],
        thumbnails: Thumbnails,
        of: str = "",
        actions: Actions | None = None,
    ) -> None:
        self._open, self._thumbnails, self._of, self._actions = open_result, thumbnails, of, actions
        self._cards: list[Any] = []
        self._writing, self._recent = RLock(), deque[Answer](maxlen=RECENT)
        self._shown: tuple[Answer, str] | None = None
        self.heading = html()
        self.box = widgets.GridBox(layout=widgets.Layout(grid_gap="8px", width="100%", overflow="visible"))
        super().__init__(
            [self.heading, self.box, Clicks(self._touched)], layout=widgets.Layout(flex="1 1 320px", overflow="visible")
        )
        self.add_class("tireid-results")

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
        self._recent.appendleft(answer)
        self.heading.value = block(heading)
        self.heading.layout.display = "" if heading else "none"
        self._fill(self._later)
        self._mark_kept(answer)

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
        made = self._thumbnails.now(answer.cards, later)
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
        self._show_actions(kind == "pictures")
        self.box.layout.grid_template_columns = COLUMNS[kind]
        if len(self.box.children) != len(contents):
            self.box.children = self._cards[: len(contents)]

    def _mark_kept(self, answer: Answer) -> None:
        """Let the buttons say which pictures are in the basket."""
        if self._actions is None or answer.kind != "pictures":
            return
        kept = self._actions.kept()
        for card, name in zip(self._cards, answer.names, strict=False):
            keep = card.children[2].children[1]
            keep.value = name in kept
            keep.description = KEPT if keep.value else KEEP

    def _show_actions(self, shown: bool) -> None:
        for card in self._cards if self._actions is not None else ():
            card.children[2].layout.display = "" if shown else "none"

    def _new_card(self, place: int) -> Any:
        button = widgets.Button(description=f"Open result {place + 1}{self._of}", tooltip="Look closer")
        button.add_class("tireid-open")
        button.on_click(lambda _: self._pressed(place, OPENS))
        content = widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
        below = [] if self._actions is None else [self._new_actions(place)]
        card = widgets.Box([content, button, *below])
        card.layout = widgets.Layout(overflow="visible", margin="0")
        card.add_class("tireid-card")
        return card

    def _new_actions(self, place: int) -> Any:
        like = widgets.Button(description=LIKE, tooltip=f"Search with the picture of result {place + 1}")
        like.on_click(lambda _: self._pressed(place, LIKES))
        keep = widgets.ToggleButton(description=KEEP, tooltip=f"Result {place + 1} in the basket")
        follow(keep, lambda _: self._pressed(place, KEEPS))
        both = widgets.HBox([like, keep])
        both.add_class("tireid-actions")
        return both

    def _touched(self, place: int, name: str, act: int) -> None:
        """A button of a card was pressed in the browser, which showed `name` there."""
        for answer in self._recent:
            if place < len(answer.rows) and printable(answer.names[place]) == name:
                self._act(answer, place, act)
                return

    def _pressed(self, place: int, act: int) -> None:
        """A button of a card was pressed from Python, without :class:`Clicks`: it means what is shown now."""
        if self._shown is not None and place < len(self._shown[0].rows):
            self._act(self._shown[0], place, act)

    def _act(self, answer: Answer, place: int, act: int) -> None:
        name = answer.names[place]
        if act == OPENS or self._actions is None:
            self._open(answer, place)
        elif act == LIKES:
            self._actions.like(name)
        else:
            self._actions.keep(name)


def _drawn(card: Card, note: str, made: Mapping[Path, str | None], picked: str) -> str:
    """HTML of a card; `made` holds the thumbnails that are there already, None where one cannot be read."""
    kinds = f"{WORDS[card.correct]} {'picked' if card.path is not None and card.name == picked else ''}".strip()
    attributes = f'class="{kinds}" title="{safe(card.name)}"'
    if card.path is None:
        return card_html(card, attributes=attributes, foot=f" {safe(card.name)}")
    if card.path not in made:
        return picture_card(card, f'<span role="img" aria-label="{safe(card.alt)}">…</span>', attributes, note)
    return picture_card(card, thumbnail_html(made[card.path], card.alt, card.name), attributes, note)
