"""The drawer: one button per section beside the results, and the section that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.panel import Panel
from tireid.demo.parts import follow, row, widgets
from tireid.demo.state import BY_TEXT, NO_PANEL, Store, View
from tireid.demo.why import WhyPanel


class Controls(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A section that says nothing of an answer: its controls follow the state, or are written by others."""

    def __init__(self, name: str, title: str, children: Sequence[Any]) -> None:
        self.name, self.title = name, title
        super().__init__(list(children), layout=widgets.Layout(width="100%"))

    def draw(self, view: View, answer: Answer) -> None:
        """Nothing to do."""

    def static(self) -> list[str]:
        """Nothing: controls need a kernel."""
        return []


class Drawer:
    """Sections of which at most one is open: the one that the view's `panel` names.

    Args:
        store: whose `panel` the buttons follow.
        panels: by name.

    `buttons` is the row of :attr:`sections`, a toggle per name; `content` holds the open panel.
    """

    def __init__(self, store: Store, panels: Mapping[str, Panel]) -> None:
        self._store, self.panels = store, panels
        self.sections = {name: self._section(name, panel.title) for name, panel in panels.items()}
        self.buttons = row(*self.sections.values(), grid_gap="2px 4px")
        self.buttons.add_class("tireid-sections")
        self.content = widgets.VBox()
        self.content.add_class("tireid-panel")
        store.subscribe(("panel",), lambda view: self._follow(view.panel))

    def open(self, name: str) -> None:
        """Open a section, and close the one that was open; `"none"` only closes."""
        self._store.ask(panel=name)

    def close(self) -> None:
        """Close the enlarged result, then the section."""
        self._store.attempt(lambda: self._store.change(**closed(self._store.view)))

    def draw(self, view: View, answer: Answer) -> None:
        """Let the open panel speak of an answer; the others are not drawn."""
        panel = self.panels.get(view.panel)
        children = () if panel is None else (panel,)
        if panel is not None:
            if self.content.children != children:  # what explained something else goes at once
                self.content.children = ()
            panel.draw(view, answer)
        self.content.children = children

    def static(self, view: View) -> list[str]:
        """The open panel as HTML."""
        panel = self.panels.get(view.panel)
        return [] if panel is None else panel.static()

    def _section(self, name: str, title: str) -> Any:
        toggle = widgets.ToggleButton(description=title, layout=widgets.Layout(width="auto"))
        toggle.add_class("tireid-section")
        follow(toggle, lambda on: self.open(name if on else NO_PANEL))
        return toggle

    def _follow(self, opened: str) -> None:
        for name, toggle in self.sections.items():
            toggle.value = name == opened


def closed(view: View) -> dict[str, str]:
    """What changes where the innermost open thing is closed: the enlarged result in its section, or the section.

    >>> closed(View(panel="why", picture="a.jpg")), closed(View(panel="why"))
    ({'picture': ''}, {'panel': 'none'})
    """
    if view.panel == WhyPanel.name and view.hit:
        return {"hit": ""}
    if view.panel == WhyPanel.name and view.find == BY_TEXT and view.picture:
        return {"picture": ""}
    return {"panel": NO_PANEL}
