"""The failure browser: the worst queries first, what stood above the right picture, and how it differs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.basics.files import write_table
from tireid.data.dataset import Split
from tireid.demo.answer import Answer
from tireid.demo.parts import bind, block, html, labelled, row, shortened, table_html, widgets
from tireid.demo.source import Source
from tireid.demo.state import FIND, SORTS, Store, View
from tireid.explain.failures import failures
from tireid.search.evaluation import evaluate_features
from tireid.show.cards import safe

PAGE, MOST_PAGES, TEXT = 8, 100_000, 110
NO_CHOICE = ("a caption of this page", -1)
HEADINGS = {
    "query": "caption",
    "text": "says",
    "person_id": "person",
    "first_rank": "first right at",
    "above": "picture at the top",
    "above_person_id": "shows person",
    "gap": "gap",
    "differs": "how that one differs",
}
SORT_NAMES = {
    "first_rank": "rank of the first right one",
    "query": "number of the caption",
    "person_id": "person",
    "gap": "gap of the scores",
}


class FailureBrowser(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Every caption of the split whose first picture is wrong, worst first, `PAGE` to a page.

    `sort` and `ascending` order the table, `page` turns its pages, `chosen` searches with a caption of the page, and
    `export` writes the whole table as CSV into the file named in `file`. Computed when the panel is first opened.
    """

    name, title = "failures", "Failures"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self.sort = labelled(widgets.Dropdown, "Sort by", "24em", options=[(SORT_NAMES[key], key) for key in SORTS])
        self.ascending = widgets.Checkbox(description="Smallest first", indent=False)
        self.ascending.layout.width = "auto"
        self.page = labelled(widgets.BoundedIntText, "Page", "12em", min=1, max=MOST_PAGES)
        self.chosen = labelled(widgets.Dropdown, "Search with", "auto", options=[NO_CHOICE])
        self.file = labelled(widgets.Text, "CSV file", "20em", value="failures.csv")
        self.export = widgets.Button(description="Export as CSV", layout=widgets.Layout(width="auto"))
        self.note, self.table = html(), html()
        children = [row(self.sort, self.ascending, self.page), self.table, self.chosen, row(self.file, self.export)]
        super().__init__([*children, self.note], layout=widgets.Layout(width="100%"))
        for key in ("sort", "ascending", "page"):
            bind(store, key, getattr(self, key))
        self.chosen.observe(self._open, names="value")
        self.export.on_click(lambda _: self._export())

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
        """Show one page of the table."""
        try:
            found = self.failures
        except ValueError as error:
            self.table.value, self.chosen.options = block(f"<p>{safe(error)}</p>"), [NO_CHOICE]
            return
        pages = max(1, -(-len(found) // PAGE))
        page = min(view.page, pages)
        ordered = found.sort_values(view.sort, ascending=view.ascending, kind="stable", na_position="last")
        shown = ordered.iloc[(page - 1) * PAGE :][:PAGE]
        title = f"Captions by {SORT_NAMES[view.sort]}, page {page} of {pages}"
        cut = {name: lambda value: safe(shortened(str(value), TEXT)) for name in ("text", "differs")}
        formats = cut | {"gap": lambda gap: f"{gap:+.3f}"}
        formats = {HEADINGS[name]: form for name, form in formats.items()}
        made = table_html(shown[list(HEADINGS)].rename(columns=HEADINGS), title, formats)
        self.table.value = block(f'<div style="overflow-x:auto">{made}</div>')
        named = zip(shown["query"], shown["text"], strict=True)
        options: list[tuple[str, int]] = [NO_CHOICE]
        options += [(f"{number}: {shortened(text, 90)}", int(number)) for number, text in named]
        if list(self.chosen.options) != options:
            self.chosen.options = options

    def static(self) -> list[str]:
        """The page of the table that is shown."""
        return [self.table.value]

    def save(self, path: str | Path) -> Path:
        """Write the whole table as CSV (UTF-8); returns the path."""
        write_table(path, self.failures)
        return Path(path)

    def _split(self) -> Split:
        gallery = self._source.gallery
        whole = [split for split in self._source.splits if list(split.image_paths) == gallery.paths]
        if len(self._source.splits) != 1 or not whole:
            raise ValueError("failures need one split whose pictures are the gallery: Gallery.from_split(model, split)")
        return whole[0]

    def _open(self, change: Any) -> None:
        if change["new"] not in (None, NO_CHOICE[1]):
            self._store.attempt(lambda: self._store.change(caption=change["new"], find=FIND[0]))
            self.chosen.value = NO_CHOICE[1]  # so that the same caption can be chosen again

    def _export(self) -> None:
        try:
            path = self.save(self.file.value.strip() or "failures.csv")
        except (ValueError, OSError) as error:
            self.note.value = block(f'<p class="complaint" role="status">✗ {safe(error)}</p>')
            return
        self.note.value = block(f'<p role="status">{len(self.failures)} rows written to {safe(path)}</p>')
