"""The basket: pictures that are kept while searching goes on, and written with the view they were kept in."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tireid.basics.files import write_atomically, write_table
from tireid.demo.answer import Answer
from tireid.demo.page import asked, changed, citation, unstyled_html
from tireid.demo.parts import (
    block,
    button,
    card_grid,
    html,
    labelled,
    picture_card,
    row,
    say_written,
    thumbnail_html,
    widgets,
)
from tireid.demo.source import Source
from tireid.demo.state import Store, View
from tireid.demo.style import STYLE
from tireid.search.hits import Hit
from tireid.show.cards import Card, html_page, safe


class Basket(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The kept pictures, and two files of them: a table (CSV) and a page (HTML) that opens without a network.

    `file` names both, without an ending; `export` writes them into the working folder, `clear` empties the basket.
    """

    name, title = "basket", "Basket"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._answer = Answer("pictures")
        self.file = labelled(widgets.Text, "Files", "20em", value="basket")
        self.export = button("Write CSV and HTML", lambda: say_written(self.note, self._export))
        self.clear = button("Empty the basket", lambda: store.ask(basket=[]))
        self.list, self.note = html(), html()
        super().__init__([row(self.file, self.export, self.clear), self.note, self.list])

    @property
    def table(self) -> pd.DataFrame:
        """A row per kept picture: name, person_id and camera (missing where unknown), path, query and state (JSON)."""
        view = self._store.view
        hits = self._hits()
        table = pd.DataFrame({"name": [hit.name for hit in hits]}, dtype="object")
        table["person_id"] = pd.array([hit.person_id for hit in hits], "Int64")
        table["camera"] = pd.array([hit.camera for hit in hits], "Int64")
        table["path"] = [str(hit.path) for hit in hits]
        return table.assign(query=asked(view), state=json.dumps(changed(view)))

    def draw(self, view: View, answer: Answer) -> None:
        """Show the kept pictures."""
        self._answer = answer
        self.export.disabled = self.clear.disabled = not view.basket
        empty = "<p>Nothing is kept yet: <b>Keep</b>, below a picture, puts it here.</p>"
        cards = self._cards()
        self.list.value = block(card_grid(cards) if cards else empty)

    def static(self) -> list[str]:
        """The kept pictures."""
        return [self.list.value]

    def save(self, path: str | Path) -> tuple[Path, Path]:
        """Write `path` with the endings .csv (UTF-8) and .html; raises ValueError where nothing is kept."""
        view = self._store.view
        if not view.basket:
            raise ValueError("the basket is empty: keep a picture first")
        base = Path(path)
        table, page = base.with_name(base.name + ".csv"), base.with_name(base.name + ".html")
        told = citation(view, self._answer, self._source)
        number = f"{len(view.basket)} picture{'' if len(view.basket) == 1 else 's'} kept for {asked(view)}"
        body = STYLE + unstyled_html(number, [("", self._cards())], [f"<pre>{safe(told)}</pre>"])
        write_table(table, self.table)
        write_atomically(page, html_page(number, body))
        return table, page

    def _hits(self) -> list[Hit]:
        homes = filter(None, map(self._source.home, self._store.view.basket))
        return [home.gallery.hit(rank, home.row, None) for rank, home in enumerate(homes, start=1)]

    def _cards(self) -> list[str]:
        made = []
        for hit in self._hits():
            picture = thumbnail_html(self._source.thumbnails.one(hit), hit.name, hit.name)
            made.append(picture_card(Card(hit.rank, hit.path, hit.name), picture))
        return made

    def _export(self) -> str:
        written = self.save(self.file.value.strip() or "basket")
        return f"Written: {' and '.join(safe(path.absolute()) for path in written)}"
