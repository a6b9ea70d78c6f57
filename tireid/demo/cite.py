"""The view as a text to copy, in a section of its own."""

from __future__ import annotations

from tireid.demo.answer import Answer
from tireid.demo.parts import labelled, widgets
from tireid.demo.state import View


class CitePanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """`copy` holds the citation, which the demo writes."""

    name, title = "cite", "Cite"

    def __init__(self) -> None:
        self.copy = labelled(widgets.Textarea, "Cite view", "auto", rows=6)
        super().__init__([self.copy], layout=widgets.Layout(width="100%"))

    def draw(self, view: View, answer: Answer) -> None:
        """Nothing to do: the text always is there."""

    def static(self) -> list[str]:
        """Nothing more: pages without a kernel always end with the citation."""
        return []
