"""The query bar: what is searched for, where, and how many results are shown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.page import summary
from tireid.demo.panel import Panel
from tireid.demo.parts import bind, block, html, joined, labelled, numbers_in, row, shortened, slider, widgets
from tireid.demo.source import Source
from tireid.demo.state import ALL, FIND, MOST, NO_PANEL, Store, View
from tireid.show.cards import safe

CHOICES, LABEL, NOTHING = 200, 90, -1


class QueryBar(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Controls that ask, and one line that says what was found or why nothing was.

    `text`, `caption` (-1: free text), `find`, `k`, `k_slider`, `people`, `cameras`, `split`, `person`, `gallery`,
    `compare` and `panel` are the controls; those that this gallery has no data for are not shown. `upload` takes the
    user's own pictures, and `message` is the line as text.
    """

    def __init__(self, store: Store, source: Source, panels: Sequence[Panel] = ()) -> None:
        self._store, self._source = store, source
        self.text = labelled(widgets.Text, "Description", "auto", placeholder="a woman in a red coat with a backpack")
        self.caption = labelled(widgets.Dropdown, "Or a caption", "auto", options=self._choices(None))
        self.find = labelled(widgets.Dropdown, "Find", "22em", options=[(_find_name(way), way) for way in FIND])
        self.k = labelled(widgets.BoundedIntText, "Results, k", "12em", min=1, max=MOST)
        self.k_slider = slider(widgets.IntSlider, f"1 to {MOST}", min=1, max=MOST)
        patient: dict[str, Any] = {"continuous_update": False}
        self.people = labelled(widgets.Text, "Only people", "17em", placeholder="all; or 12, 15", **patient)
        self.cameras = labelled(widgets.Text, "Only cameras", "17em", placeholder="all; or 1, 3", **patient)
        self.person = labelled(widgets.Text, "Right person", "17em", placeholder="not known", **patient)
        self.split = labelled(widgets.Dropdown, "Only split", "15em", options=[ALL, *store.known.splits])
        self.gallery = labelled(widgets.Dropdown, "Search in", "17em", options=[("the gallery", "given")])
        self.upload = widgets.FileUpload(accept="image/*", multiple=True, description="Upload own pictures")
        self.upload.layout.width = "auto"
        self.compare = widgets.Checkbox(description="Compare two models", indent=False)
        self.compare.layout.width = "auto"
        names = [("None", NO_PANEL), *((panel.title, panel.name) for panel in panels)]
        self.panel = widgets.ToggleButtons(description="Panel", options=names)
        self.panel.layout.width = "auto"
        self.panel.style.button_width, self.panel.style.description_width = "auto", "6.5em"
        self.status = html()
        self.message = ""
        self._bind()
        self.upload_row = row(self.gallery, self.upload)
        filters = [control for control, wanted in self._optional() if wanted]
        children = [self.text, *([self.caption] if source.captions else []), row(self.find, self.k, self.k_slider)]
        children += [row(*filters)] if filters else []
        super().__init__([*children, self.upload_row, self.panel, self.status], layout=widgets.Layout(width="100%"))

    def say(self, view: View, answer: Answer) -> None:
        """Tell in one line what was found."""
        complaint = self._store.complaint or answer.message
        self.message = complaint or summary(view, answer)
        shown = f"<b>✗ {safe(complaint)}</b>" if complaint else safe(self.message)
        kind = ' class="complaint"' if complaint else ""
        self.status.value = block(f'<p{kind} role="status" aria-live="polite">{shown}</p>')

    def offer_uploads(self) -> None:
        """Let the uploaded pictures be searched."""
        self.gallery.options = [("the gallery", "given"), ("uploaded pictures", "uploaded")]

    def _optional(self) -> list[tuple[Any, bool]]:
        known = self._store.known
        return [
            (self.people, bool(known.people)),
            (self.cameras, bool(known.cameras)),
            (self.split, bool(known.splits)),
            (self.person, bool(known.people)),
            (self.compare, known.compare),
        ]

    def _bind(self) -> None:
        store = self._store
        for key in ("text", "find", "k", "split", "gallery", "compare", "panel"):
            bind(store, key, getattr(self, key))
        bind(store, "k", self.k_slider)
        for key in ("people", "cameras"):
            bind(store, key, getattr(self, key), partial(numbers_in, name=key), joined)
        bind(store, "person", self.person, _one_number, lambda person: "" if person is None else str(person))
        # Before its own binding: a caption that the list leaves out is put into it.
        store.subscribe(("caption",), lambda view: self._offer_caption(view.caption))
        self._offer_caption(store.view.caption)
        bind(store, "caption", self.caption, _number_or_none, _none_as_number)

    def _offer_caption(self, number: int | None) -> None:
        if number is not None and number not in [value for _, value in self.caption.options]:
            self.caption.options = self._choices(number)

    def _choices(self, wanted: int | None) -> list[tuple[str, int]]:
        """At most `CHOICES` captions, spread over all of them, and the wanted one."""
        captions, people = self._source.captions, self._source.caption_people
        step = max(1, -(-len(captions) // CHOICES))
        numbers = sorted({*range(0, len(captions), step), *([] if wanted is None else [wanted])})
        named = [
            (f"{number}, person {people[number]}: {shortened(captions[number], LABEL)}", number) for number in numbers
        ]
        return [("free text", NOTHING), *named]


def _find_name(way: str) -> str:
    source, _, target = way.partition("→")
    target = {"image": "pictures", "text": "captions"}[target]
    return f"{target} from {'text' if source == 'text' else 'a picture'}"


def _number_or_none(number: int) -> int | None:
    """A dropdown shows None as an empty line, so that nothing has a number of its own."""
    return None if number == NOTHING else number


def _none_as_number(number: int | None) -> int:
    return NOTHING if number is None else number


def _one_number(text: str) -> int | None:
    numbers = numbers_in(text, "right person")
    if len(numbers) > 1:
        raise ValueError("right person: one number, or nothing")
    return numbers[0] if numbers else None
