"""What the demo asks of a panel, its own ones and those of other people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tireid.demo.answer import Answer
from tireid.demo.source import Source
from tireid.demo.state import Store, View


class Panel(Protocol):
    """A widget below the results that says more about them.

    It is made once, with the :class:`~tireid.demo.state.Store` to ask for changes and the
    :class:`~tireid.demo.source.Source` to ask for answers, and shown while the view's `panel` is its `name`.
    """

    name: str
    """In the state; unlike those of the other panels."""
    title: str
    """On the button that opens it."""

    def draw(self, view: View, answer: Answer) -> None:
        """Show what it says about an answer; called after every change of the view while the panel is open."""

    def static(self) -> list[str]:
        """What it shows as HTML, for pages without a kernel."""


MakePanel = Callable[[Store, Source], Panel]
"""Such as the class of a panel."""
