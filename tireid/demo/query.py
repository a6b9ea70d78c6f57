"""The query bar: what is searched for, where, and how many results are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.drawer import Controls
from tireid.demo.listeners import Photograph
from tireid.demo.page import summary
from tireid.demo.parts import bind, block, button, follow, html, joined, labelled, numbers_in, row, shortened, widgets
from tireid.demo.source import Source, notes_on
from tireid.demo.state import ALL, BY_BOTH, BY_PICTURE, BY_TEXT, CAPTIONS, GIVEN, MOST, UPLOADED, Store, View
from tireid.explain.phrases import BANK, add_phrase, label
from tireid.search.evaluation import relative_names
from tireid.search.query import unread
from tireid.show.cards import picture_html, safe

CHOICES, LABEL, NOTHING, RECENT = 200, 90, -1, 8
NO_RECENT = ("earlier ones", "")
WAYS = [
    ("pictures from text", BY_TEXT),
    ("captions from a picture", CAPTIONS),
    ("pictures from a picture", BY_PICTURE),
    ("pictures from text and a picture", BY_BOTH),
]
DETAILS = [(f"{slot.name}: {label(phrase)}", phrase) for slot in BANK for phrase in slot.phrases]


class QueryBar(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The search bar, the picture that is searched with, and one line that says what was found or why nothing was.

    `text` is the bar; `add` adds a phrase to it, `recent` goes back to an earlier description. `together` and
    `text_only` say what counts where a picture is searched with. The other controls stand in the section `filters`:
    `caption` (-1: free text), `find`, `k`, `weight`, `people`, `cameras`, `split`, `person`, `gallery` and
    `compare`; those that this gallery has no data for are not shown. `upload` takes pictures to search in,
    `photograph` one to search with (given to `take` as name and bytes), and `message` is the line as text.
    """

    def __init__(self, store: Store, source: Source, take: Callable[[str, bytes, list[str]], None]) -> None:
        self._store, self._source = store, source
        self.photograph = Photograph(take)
        self.text = labelled(widgets.Text, "Description", "auto", placeholder="a woman in a yellow top with a backpack")
        self.text.layout.flex = "1 1 320px"
        self.add = labelled(widgets.Dropdown, "Add", "9em", "initial", options=[("add a detail", ""), *DETAILS])
        self.recent = labelled(widgets.Dropdown, "Recent", "10em", "initial", options=[NO_RECENT])
        self.queried = html()
        self.queried.layout.flex = "0 1 auto"
        self.together = widgets.ToggleButton(description="With the description", layout={"width": "auto"})
        self.text_only = button("Without the picture", lambda: store.ask(find=BY_TEXT))
        self.weight = labelled(widgets.BoundedFloatText, "Text's share", "12em", min=0, max=1, step=0.1)
        self.caption = labelled(widgets.Dropdown, "Or a caption", "auto", options=self._choices(None))
        self.find = labelled(widgets.Dropdown, "Find", "22em", options=WAYS)
        self.k = labelled(widgets.BoundedIntText, "Results, k", "12em", min=1, max=MOST)
        patient: dict[str, Any] = {"continuous_update": False}
        self.people = labelled(widgets.Text, "Only people", "17em", placeholder="all; or 12, 15", **patient)
        self.cameras = labelled(widgets.Text, "Only cameras", "17em", placeholder="all; or 1, 3", **patient)
        self.person = labelled(widgets.Text, "Right person", "17em", placeholder="not known", **patient)
        self.split = labelled(widgets.Dropdown, "Only split", "15em", options=[ALL, *store.known.splits])
        self.gallery = labelled(widgets.Dropdown, "Search in", "17em", options=[("the gallery", GIVEN)])
        self.upload = widgets.FileUpload(accept="image/*", multiple=True, description="Upload pictures to search in")
        self.upload.layout.width = "auto"
        self.compare = widgets.Checkbox(description="Compare two models", indent=False)
        self.compare.layout.width = "auto"
        self.status, self.left_out = html(), html(left_out_html(source.gallery.skipped, source.gallery.root))
        self.left_out.layout.display = "" if source.gallery.skipped else "none"
        self.message = ""
        self._recent: list[str] = []
        controls = [*([self.caption] if source.captions else []), self.k, self.find]
        rows = [*controls, row(*self._of_known_data(), self.weight), row(self.gallery, self.upload)]
        self.filters = Controls("filters", "Filters", rows)
        search = row(self.text, self.photograph, self.add, self.recent)
        search.add_class("tireid-search")
        self._picture_row = row(self.queried, self.together, self.text_only)
        super().__init__([search, self._picture_row, self.status, self.left_out], layout=widgets.Layout(width="100%"))
        self._bind()

    def say(self, view: View, answer: Answer) -> None:
        """Tell in one line what was found."""
        complaint = self._store.complaint or answer.message
        self.message = complaint or summary(view, answer)
        waiting = bool(answer.message) and not self._store.complaint and not view.text.strip()
        shown = f"<b>✗ {safe(complaint)}</b>" if complaint and not waiting else safe(self.message)
        kind = ' class="complaint"' if complaint and not waiting else ""
        told = f'<p{kind}><span role="status" aria-live="polite">{shown}</span></p>'
        cut = unread(self._source.gallery.model, view.description) if view.worded else []
        notes = [*cut, *notes_on(self._source, view, answer)]
        self.status.value = block("".join([told, *(f'<p role="note" class="complaint">{safe(n)}</p>' for n in notes)]))

    def offer_uploads(self) -> None:
        """Let the uploaded pictures be searched."""
        self.gallery.options = [("the gallery", GIVEN), ("uploaded pictures", UPLOADED)]

    def _of_known_data(self) -> list[Any]:
        """The filters that this gallery has data for."""
        known = self._store.known
        data = {
            self.people: known.people,
            self.cameras: known.cameras,
            self.split: known.splits,
            self.person: known.people,
            self.compare: known.compare,
        }
        return [control for control, there in data.items() if there]

    def _bind(self) -> None:
        store = self._store
        bind(store, "text", self.text, ask=self._type)
        for key in ("find", "k", "weight", "split", "gallery", "compare"):
            bind(store, key, getattr(self, key))
        store.subscribe(("text",), lambda view: self._remember(view.text))
        store.subscribe(("find", "picture"), self._show_picture)
        self._show_picture(store.view)
        follow(self.recent, self._return)
        follow(self.add, self._add)
        follow(self.together, lambda on: store.ask(find=BY_BOTH if on else BY_PICTURE))
        for key in ("people", "cameras"):
            bind(store, key, getattr(self, key), partial(numbers_in, name=key), joined)
        bind(store, "person", self.person, _one_number, lambda person: "" if person is None else str(person))
        # Before its own binding: a caption that the list leaves out is put into it.
        store.subscribe(("caption",), lambda view: self._offer_caption(view.caption))
        self._offer_caption(store.view.caption)
        bind(store, "caption", self.caption, _number_or_none, _none_as_number)

    def _type(self, text: str) -> None:
        """A description that is typed while a picture is searched with counts beside it."""
        find = self._store.view.find
        self._store.change(text=text, find=BY_BOTH if find == BY_PICTURE and text.strip() else find)

    def _show_picture(self, view: View) -> None:
        self._picture_row.layout.display = "" if view.pictured else "none"
        self.together.value = view.find == BY_BOTH
        self.weight.layout.display = "" if self.together.value else "none"
        home = self._source.home(view.pictured)
        if home is not None:
            address = self._source.thumbnails.one(home)
            picture = picture_html(address, "the picture searched with", "cannot be read", 'style="height:64px"')
            self.queried.value = block(f'<span class="queried">{picture} like {safe(view.picture)}</span>')

    def _remember(self, text: str) -> None:
        self._recent = remembered(self._recent, text)
        options = [NO_RECENT, *((shortened(old, LABEL), old) for old in self._recent)]
        if list(self.recent.options) != options:
            self.recent.options = options

    def _return(self, text: str) -> None:
        if text:
            self._store.ask(text=text, find=BY_TEXT)
            self.recent.value = ""

    def _add(self, phrase: str) -> None:
        if phrase:
            self._store.attempt(lambda: self._type(add_phrase(self._store.view.text, phrase)))
            self.add.value = ""

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


def left_out_html(skipped: Sequence[tuple[Path, str]], root: Path | None) -> str:
    """How many files of the folder `root` are no readable pictures, and in a fold their names and why.

    >>> left_out_html([], None)
    ''
    """
    if not skipped:
        return ""
    names = relative_names([path for path, _ in skipped[:CHOICES]], root)
    items = [f"<li>{safe(name)}: {safe(reason)}</li>" for name, (_, reason) in zip(names, skipped, strict=False)]
    more = [f"<li>and {len(skipped) - CHOICES:,} more</li>"] if len(skipped) > CHOICES else []
    number = f"{len(skipped):,} file{'' if len(skipped) == 1 else 's'} could not be read"
    return f"<details><summary>{number} and cannot be found</summary><ul>{''.join(items + more)}</ul></details>"


def remembered(recent: Sequence[str], text: str) -> list[str]:
    """The last descriptions, newest first, after `text`; while it is typed, or taken back, it counts once.

    >>> remembered(["a man in"], "a man in red"), remembered(["a man in red"], "a man")
    (['a man in red'], ['a man in red'])
    >>> remembered(["a man"], "a woman")
    ['a woman', 'a man']
    """
    text = text.strip()
    if not text or (recent and recent[0].startswith(text)):
        return list(recent)
    older = recent[1:] if recent and text.startswith(recent[0]) else recent
    return [text, *(old for old in older if old != text)][:RECENT]


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
