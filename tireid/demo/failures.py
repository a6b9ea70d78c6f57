"""The failure browser: the worst queries first, what stood above the right picture, and how it differs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.basics.files import write_table
from tireid.data.split import Split
from tireid.demo.answer import Answer
from tireid.demo.parts import bind, block, button, html, labelled, row, say_written, widgets
from tireid.demo.source import Place, Source
from tireid.demo.state import BY_TEXT, SORTS, Store, View
from tireid.explain.failures import failures
from tireid.search.evaluation import evaluate_features
from tireid.show.cards import picture_html, safe

PAGE, MOST_PAGES = 8, 100_000
SORT_NAMES = {
    "first_rank": "rank of the first right one",
    "query": "number of the caption",
    "person_id": "person",
    "gap": "gap of the scores",
}


class FailureBrowser(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Every caption of the split whose first picture is wrong, worst first, `PAGE` to a page, beside two pictures.

    A click on one searches with it. `sort` and `ascending` order them, `page` turns the pages, and `export` writes all
    as CSV into the file named in `file`. Computed when the panel is first opened.
    """

    name, title = "failures", "Failures"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self.sort = labelled(widgets.Dropdown, "Sort by", "24em", options=[(SORT_NAMES[key], key) for key in SORTS])
        self.ascending = widgets.Checkbox(description="Smallest first", indent=False)
        self.ascending.layout.width = "auto"
        self.page = labelled(widgets.BoundedIntText, "Page", "12em", min=1, max=MOST_PAGES)
        self.file = labelled(widgets.Text, "CSV file", "20em", value="failures.csv")
        self.export = button("Export as CSV", lambda: say_written(self.note, self._export))
        self.said, self.note = html(), html()
        self._queries: list[int] = []
        self._rows = [self._row(place) for place in range(PAGE)]
        self.list = widgets.VBox(layout=widgets.Layout(width="100%", overflow="visible", grid_gap="8px"))
        children = [row(self.sort, self.ascending, self.page), self.said, self.list, row(self.file, self.export)]
        super().__init__([*children, self.note], layout=widgets.Layout(width="100%"))
        for key in ("sort", "ascending", "page"):
            bind(store, key, getattr(self, key))

    @cached_property
    def failures(self) -> pd.DataFrame:
        """A row per caption whose first picture is wrong, worst first.

        query, text, person_id, first_rank, right, above, above_person_id, gap, differs: see
        :func:`tireid.explain.failures.failures`. Raises ValueError where the demo has no split, or the split's
        pictures are not the gallery's.
        """
        split = self._split()
        gallery = self._source.gallery
        score = evaluate_features(gallery.features, self._source.caption_index(gallery).features.numpy(), split)
        return failures(score, gallery, split=split, attributes=self._source.attributes, limit=split.num_captions)

    def draw(self, view: View, answer: Answer) -> None:
        """Show one page."""
        try:
            found = self.failures
        except ValueError as error:
            self.said.value, self.list.children = block(f"<p>{safe(error)}</p>"), ()
            self.children = (self.said,)  # nothing to sort or to write
            return
        pages = max(1, -(-len(found) // PAGE))
        page = min(view.page, pages)
        ordered = found.sort_values(view.sort, ascending=view.ascending, kind="stable", na_position="last")
        shown = ordered.iloc[(page - 1) * PAGE :][:PAGE]
        title = f"{len(found)} captions find somebody else first; by {SORT_NAMES[view.sort]}, page {page} of {pages}"
        self.said.value = block(f"<p>{title}</p>")
        self._queries = [int(number) for number in shown["query"]]
        for drawn, failure in zip(self._rows, shown.itertuples(), strict=False):
            drawn.children[0].value = block(self._failure(failure))
            drawn.children[1].description = f"Search with caption {failure.query}"
        self.list.children = self._rows[: len(shown)]

    def static(self) -> list[str]:
        """The page that is shown."""
        return [self.said.value, *(drawn.children[0].value for drawn in self.list.children)]

    def search(self, query: int) -> None:
        """Search with a caption, by its number."""
        self._store.ask(caption=query, find=BY_TEXT)

    def save(self, path: str | Path) -> Path:
        """Write the whole table as CSV (UTF-8); returns the path."""
        write_table(path, self.failures)
        return Path(path)

    def _split(self) -> Split:
        gallery = self._source.gallery
        if not self._source.splits:
            raise ValueError("These pictures have no captions, so nobody knows which description fails.")
        whole = [split for split in self._source.splits if list(split.image_paths) == gallery.paths]
        if len(self._source.splits) != 1 or not whole:
            raise ValueError("failures need one split whose pictures are the gallery: Gallery.from_split(model, split)")
        return whole[0]

    def _row(self, place: int) -> Any:
        button = widgets.Button(tooltip="Search with this caption")
        button.add_class("tireid-open")
        button.on_click(lambda _: self.search(self._queries[place]))
        made = widgets.Box([html(layout=widgets.Layout(width="100%", margin="0")), button])
        made.add_class("tireid-card")
        return made

    def _failure(self, failure: Any) -> str:
        """HTML of a caption beside the picture that stands first and the first right one."""
        whose = "Caption of the picture" if self._source.attributes is None else "The person"
        differs = f"<p>{whose} that came first: {safe(failure.differs)}</p>" if failure.differs else ""
        said = f'<div><p>"{safe(failure.text)}"</p>{differs}<p>Gap of the scores: {failure.gap:.3f}</p></div>'
        first = self._picture(failure.above, f"✗ first, person {failure.above_person_id}")
        right = self._picture(failure.right, f"✓ at rank {failure.first_rank}, person {failure.person_id}")
        return f'<div class="failure">{first}{right}{said}</div>'

    def _picture(self, name: str, told: str) -> str:
        address = self._source.thumbnails.one(Place(self._source.gallery, self._source.row_of[name]))
        picture = picture_html(address, f"{told}, {name}", f"cannot be read: {name}", "")
        return f"<figure>{picture}<figcaption>{safe(told)}</figcaption></figure>"

    def _export(self) -> str:
        path = self.save(self.file.value.strip() or "failures.csv")
        return f"{len(self.failures)} rows written to {safe(path)}"
