"""The Escape key: it closes what was opened last."""

from __future__ import annotations

from pathlib import Path

from tireid.basics.extras import extra
from tireid.demo.state import BY_TEXT, NO_PANEL, Store, View
from tireid.demo.why import WhyPanel

with extra("notebooks"):
    import anywidget


class Escape(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Closes the enlarged result, then the open section; the browser gives the focus back to what opened it."""

    _esm = Path(__file__).with_suffix(".js")

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.on_msg(lambda *_: store.attempt(lambda: store.change(**closed(store.view))))


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
