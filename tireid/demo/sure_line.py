"""How sure the answer is, in one sentence and one bar above the results, worked out while nobody types."""

from __future__ import annotations

from tireid.demo.answer import Answer
from tireid.demo.later import Later
from tireid.demo.parts import block, html, widgets
from tireid.demo.source import Source
from tireid.demo.state import BY_TEXT, View
from tireid.demo.sure import sureness_of
from tireid.explain.sureness import Sureness, verdict
from tireid.show.cards import safe

WAITING = '<div class="tireid-wait"><p>How sure: …</p><div aria-hidden="true">{}</div></div>'
"""Over the last sentence, whose room it takes: what stands below does not move."""


class SureLine(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The sentence for the answer that is shown, in `said`; nothing while it would be about another one.

    Args:
        source: what answers come from.
        wait: seconds without a new answer before the sentence is worked out, in a thread of its own.
    """

    def __init__(self, source: Source, wait: float = 0.4) -> None:
        self.said = html()
        super().__init__([self.said])
        self.add_class("tireid-sure")
        self._source, self._later = source, Later(wait)
        self._key: object = None
        self._last = ""

    def ask(self, view: View, answer: Answer) -> None:
        """Say how sure `answer` is, soon; returns at once."""
        key = (view.text, tuple(view.off), tuple(answer.rows), view.find, view.gallery, view.level)
        if key == self._key:
            return
        self._key = key
        self._later.forget()
        asked = view.find == BY_TEXT and answer.kind == "pictures" and len(answer.rows) > 0
        self.said.value = block(WAITING.format(self._last) if asked else "")
        if asked:
            self._later.ask(lambda: self._line(view, answer), self._show)

    def finish(self) -> None:
        """Wait for the sentence."""
        self._later.finish()

    def _line(self, view: View, answer: Answer) -> str:
        try:
            return line_html(sureness_of(self._source, view, answer))
        except ValueError as error:
            return block(f"<p>How sure: {safe(error)}</p>")

    def _show(self, line: str) -> None:
        self.said.value = self._last = line


def line_html(sureness: Sureness) -> str:
    """The verdict, what the model's domain notes, and a bar of how often the first picture stands first."""
    notes = "".join(f'<p role="note">{safe(note)}</p>' for note in sureness.likeness.notes)
    said = f"<span>{safe(verdict(sureness))}</span>"
    if sureness.likeness.outside or not len(sureness.first):
        return block(f"<p>{said}</p>{notes}")
    share = float(sureness.first[0])
    words = f"The first picture stays first in {share:.0%} of other wordings."
    filled = f'<span style="left:0;width:{100 * share:.0f}%"></span>'
    bar = f'<span class="bar" role="img" aria-label="{words}">{filled}</span>'
    return block(f'<p class="sure" title="{words}">{bar} {said}</p>{notes}')
