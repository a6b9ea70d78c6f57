"""The retrieval demo: type a description, see the people, see why."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from tireid.basics.files import write_atomically
from tireid.demo import page
from tireid.demo.address import Address
from tireid.demo.answer import Answer
from tireid.demo.basket import Basket
from tireid.demo.drawer import Controls, Drawer
from tireid.demo.failures import FailureBrowser
from tireid.demo.grid import Actions, ResultGrid
from tireid.demo.listeners import Alive, Escape
from tireid.demo.map import MapPanel
from tireid.demo.panel import MakePanel, Panel
from tireid.demo.parts import HINT, follow, labelled, row, widgets
from tireid.demo.query import QueryBar
from tireid.demo.source import Source, notes_on
from tireid.demo.state import BY_BOTH, BY_PICTURE, BY_TEXT, GALLERIES, KEYS, NO_PANEL, UPLOADED, Store, View, plain
from tireid.demo.style import STYLE
from tireid.demo.sure import SureLine, SurePanel
from tireid.demo.uploads import received
from tireid.demo.why import WhyPanel
from tireid.search.encoder import Encoder, fingerprint
from tireid.search.gallery import Gallery
from tireid.show.cards import html_page, safe

ASKED = ("text", "off", "find", "weight", "gallery", "k", "people", "cameras", "split", "person", "compare")
"""What a ranked list depends on; with `picture`, where a picture is what is searched with."""

LISTED = 200
"""Characters of the names of files that are not used."""


class RetrievalDemo(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Search a gallery by description or by picture, and see why, how sure, where, and what fails.

    Args:
        gallery: the pictures that are searched.
        model: what encodes descriptions; the gallery's own model, unless given. Another one is refused.
        panels: more panels, each made by a call with (store, source): see :class:`~tireid.demo.panel.Panel`.
        state: values to start from.
        known: `split`, `compare`, `names`, `spread` and `attributes`, see :class:`~tireid.demo.source.Source`.

    The parts are :attr:`bar`, :attr:`sure_line`, :attr:`grid`, :attr:`second` and the :attr:`drawer` with the
    :attr:`panels` by name, of which `filters`, :attr:`why`, :attr:`sure`, :attr:`map`, :attr:`failures`,
    :attr:`basket` and `cite` are always there; their controls are attributes. :attr:`state` is a
    plain dict that restores a view, :attr:`results` the ranked list as a table, :attr:`citation` a text to copy. What
    cannot be searched for gives a message in the widget. Where widgets cannot be shown (an export, GitHub) the ranked
    list is shown as HTML or text.

    Raises ValueError for a model that is not the gallery's, a `compare` with other pictures, two panels of one name,
    or a wrong `state`.

    >>> demo = RetrievalDemo(gallery, split=data.test)  # doctest: +SKIP
    >>> demo.bar.text.value = "a woman in a red coat"   # doctest: +SKIP
    >>> demo.results.head()                             # doctest: +SKIP

    >>> import numpy as np
    >>> gallery = Gallery(object(), np.eye(3), ["a.jpg", "b.jpg", "c.jpg"])
    >>> demo = RetrievalDemo(gallery, state={"find": "image→image", "picture": "a.jpg"})
    >>> print(demo.results[["rank", "name"]].values.tolist())
    [[1, 'b.jpg'], [2, 'c.jpg']]
    """

    def __init__(
        self,
        gallery: Gallery,
        model: Encoder | None = None,
        *,
        panels: Sequence[MakePanel] = (),
        state: Mapping[str, Any] | None = None,
        **known: Any,
    ) -> None:
        _check_model(gallery, model)
        self._source = Source(gallery, **known)
        self._store = Store(self._source.known)
        self._asked: tuple[Any, ...] | None = None
        self._answers = (Answer("pictures"), Answer("pictures"))
        self.bar = QueryBar(self._store, self._source, self._photograph)
        self.copy = labelled(widgets.Textarea, "Cite view", "auto", rows=6)
        parts = (self._store, self._source)
        self.why, self.sure, self.map = WhyPanel(*parts), SurePanel(*parts), MapPanel(*parts)
        self.failures, self.basket = FailureBrowser(*parts), Basket(*parts)
        looks: list[Panel] = [self.bar.filters, self.why, self.sure, self.map, self.failures]
        more: list[Panel] = [*(make(*parts) for make in panels), self.basket, Controls("cite", "Cite", [self.copy])]
        self.panels = _by_name([*looks, *more])
        self._store.learn(panels=(NO_PANEL, *self.panels))
        self.drawer = Drawer(self._store, self.panels)
        self.sure_line = SureLine(self._source)
        actions = Actions(self._like, self._keep, lambda: self._store.view.basket)
        self.grid = ResultGrid(self._open, self._source.thumbnails, actions=actions)
        self.second = ResultGrid(self._open, self._source.thumbnails, f" of {self._source.names[1]}")
        above = [widgets.HTML(STYLE), self.bar, self.sure_line, self.drawer.buttons]
        keys = widgets.Box([Alive(), Escape(self.drawer.close), Address(*parts)])
        super().__init__([*above, _beside(row(self.grid, self.second), self.drawer.content), keys])
        self.add_class("tireid-root")
        self.layout.width = "100%"
        follow(self.bar.upload, self._take)
        self._store.subscribe(("complaint",), lambda view: self.bar.say(view, self._answers[0]))
        self._store.subscribe(KEYS, self._update)
        self._store.refresh()
        if state:
            self.state = dict(state)

    @cached_property
    def _uploads(self) -> tempfile.TemporaryDirectory[str]:
        """For pictures of the user's own, as long as the demo lives."""
        return tempfile.TemporaryDirectory(prefix="tireid-uploads-")

    @property
    def state(self) -> dict[str, Any]:
        """The view as plain values. Setting a dict with some or all of them restores that view.

        Raises ValueError, and changes nothing, for an unknown key or a value of a wrong kind or range.
        """
        return plain(self._store.view)

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        self._store.change(**values)
        self._store.attempt(lambda: None)  # whatever a control complained about is over

    @property
    def results(self) -> pd.DataFrame:
        """The ranked list: rank, name, score, person_id, camera, split, correct, moved (see
        :class:`~tireid.demo.answer.Answer`).

        With `compare` also change (places won by the second model), and rank_second and score_second of the same
        picture where the second model shows it.
        """
        first, second = (answer.table for answer in self._answers)
        if "change" not in first:
            return first
        other = second[["name", "rank", "score"]].drop_duplicates("name")
        return first.merge(other, on="name", how="left", suffixes=("", "_second"))

    @property
    def citation(self) -> str:
        """The view in words and as a state, to be copied."""
        return page.citation(self._store.view, self._answers[0], self._source)

    @property
    def summary(self) -> str:
        """The ranked list as text."""
        return page.listing(self._store.view, self._answers[0])

    def save_html(self, path: str | Path) -> Path:
        """Write the view, with its pictures and the open panel, to one file that opens without a network."""
        write_atomically(path, html_page(self.summary.partition("\n")[0], self._static()))
        return Path(path)

    def preview(self) -> str:
        """The ranked pictures as HTML that needs no script and no network, to stand below the style sheet."""
        return page.unstyled_html(self.summary.partition("\n")[0], [("", self.grid.complete())])

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle = super()._repr_mimebundle_(**kwargs) or {}
        return bundle | {"text/plain": self.summary, "text/html": self._static(HINT.format("search"))}

    def _update(self, view: View) -> None:
        """The list first, then the panel: a ranking is never held up by its explanation."""
        self._search(view)
        self.bar.say(view, self._answers[0])
        self._draw(view)
        self.drawer.draw(view, self._answers[0])
        kept = f"{self.basket.title} ({len(view.basket)})" if view.basket else self.basket.title
        self.drawer.sections[self.basket.name].description = kept
        self.copy.value = self.citation
        self.sure_line.ask(view, self._answers[0])

    def _search(self, view: View) -> None:
        values = plain(view)
        wanted = (*(values[key] for key in ASKED), view.pictured)
        if wanted != self._asked:
            self._asked = wanted
            source = self._source
            self._answers = source.both(view) if view.compares else (source.answer(view), Answer("pictures"))

    def _draw(self, view: View) -> None:
        titles = [f"<b>{safe(name)}</b>" for name in self._source.names] if view.compares else ["", ""]
        self.second.layout.display = "" if view.compares else "none"
        for grid, answer, title in zip((self.grid, self.second), self._answers, titles, strict=True):
            grid.draw(answer, view.looked, title)

    def _open(self, answer: Answer, place: int) -> None:
        """A picture is looked at; a caption becomes the description."""
        if answer.kind == "captions":
            self._store.ask(caption=int(answer.rows[place]), find=BY_TEXT)
            return
        panel = self.why.name if self._store.view.panel == NO_PANEL else self._store.view.panel
        self._store.look(answer.names[place], panel=panel)

    @property
    def _by_picture(self) -> str:
        """The way to search with a picture; beside the description, where that counts already."""
        return BY_BOTH if self._store.view.find == BY_BOTH else BY_PICTURE

    def _like(self, name: str) -> None:
        self._store.ask(picture=name, find=self._by_picture)

    def _keep(self, name: str) -> None:
        kept = self._store.view.basket
        self._store.ask(basket=[other for other in kept if other != name] if name in kept else [*kept, name])

    def _take(self, files: Sequence[Mapping[str, Any]]) -> None:
        if files:
            self._store.attempt(lambda: self._receive(files))

    def _photograph(self, name: str, content: bytes, others: Sequence[str]) -> None:
        """Search with a picture of the user's own."""

        def ask() -> None:
            folder = self._folder(f"photograph{len(self._source.photographs)}")
            received([{"name": name, "content": content}], folder)
            known = self._source.photograph(next(folder.iterdir()))
            self._store.learn(names=self._source.named)
            self._store.change(picture=known, find=self._by_picture)
            if others:
                raise ValueError(f"one picture at a time is searched with: {name}, not {', '.join(others)[:LISTED]}")

        self._store.attempt(ask)

    def _folder(self, name: str) -> Path:
        folder = Path(self._uploads.name, name)
        folder.mkdir(exist_ok=True)
        return folder

    def _receive(self, files: Sequence[Mapping[str, Any]]) -> None:
        folder = self._folder("gallery")
        refused = received(files, folder)
        self._source.receive(folder)
        self._store.learn(galleries=GALLERIES, names=self._source.named)
        self.bar.offer_uploads()
        self._asked = None
        self._store.change(gallery=UPLOADED)
        self._store.refresh()
        if refused:
            raise ValueError("not readable as pictures and left out: " + ", ".join(refused))

    def _static(self, hint: str = "") -> str:
        view = self._store.view
        lines = self.summary.splitlines()
        groups = [(self.grid.heading.value, self.grid.complete())]
        if view.compares:
            groups.append((self.second.heading.value, self.second.complete()))
        told = (f'<p role="note">{safe(note)}</p>' for note in notes_on(self._source, view, self._answers[0]))
        notes = [f"<p>{safe(lines[1])}.{hint}</p>", *told, *self.drawer.static(view)]
        return STYLE + page.unstyled_html(lines[0], groups, [*notes, f"<pre>{safe(self.citation)}</pre>"])


def _beside(grids: Any, content: Any) -> Any:
    """The results, and the open section to their right; above them on a narrow page."""
    grids.layout = widgets.Layout(
        flex_flow="row wrap", align_items="flex-start", overflow="visible", grid_gap="4px 16px"
    )
    body = widgets.Box([grids, content])
    grids.add_class("tireid-grids")
    body.add_class("tireid-body")
    return body


def _by_name(panels: Sequence[Panel]) -> dict[str, Panel]:
    named = {panel.name: panel for panel in panels}
    if len(named) < len(panels) or NO_PANEL in named:
        names = ", ".join(panel.name for panel in panels)
        raise ValueError(f"panels must have names of their own, other than {NO_PANEL!r}, got {names}")
    return named


def _check_model(gallery: Gallery, model: Encoder | None) -> None:
    if model is not None and model is not gallery.model and fingerprint(model) != fingerprint(gallery.model):
        raise ValueError(
            "the gallery was encoded by another model, whose features cannot be compared with this one's; leave model "
            "out, or make the gallery with it: Gallery.from_split(model, split)"
        )
