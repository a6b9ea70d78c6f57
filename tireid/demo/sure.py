"""How sure an answer is: a line above the results, and a panel that also tells what to ask for."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pandas as pd

from tireid.demo.answer import Answer
from tireid.demo.later import Later
from tireid.demo.parts import bind, block, breakable, button, html, labelled, row, table_html, widgets
from tireid.demo.source import Source
from tireid.demo.state import BY_TEXT, Store, View
from tireid.domain import describe
from tireid.explain.confidence import how_sure
from tireid.explain.questions import Option, PhraseBank, Suggestion, add_phrase, suggest
from tireid.explain.sureness import Sureness, claims, verdict
from tireid.show.cards import safe

QUESTIONS, AMONG = 3, 20
LEAST_SHARE = 0.005
"""Of an answer that is offered: less would be shown as 0%."""
WAITING = '<div class="tireid-wait"><p>How sure: …</p><div aria-hidden="true">{}</div></div>'
"""Over the last sentence, whose room it takes: what stands below does not move."""


class SureLine(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A line per claim and a bar for the answer that is shown, in `said`, worked out in a thread while nobody types."""

    def __init__(self, source: Source) -> None:
        self.said = html()
        super().__init__([self.said])
        self.add_class("tireid-sure")
        self._source, self._later = source, Later(wait=0.4)
        self._key: tuple[Any, ...] = ()
        self._last = ""

    def ask(self, view: View, answer: Answer) -> None:
        """Say how sure `answer` is, soon; returns at once."""
        if (key := _depends_on(view, answer)) == self._key:
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


class SurePanel(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Intervals of the ranks, how often each result stands first, and phrases whose mention would split the results.

    `level` says how often the intervals are meant to hold. `suggestions` are the buttons that add their words to the
    description; `sureness` and `verdict` are what is shown, as numbers and as a sentence.
    """

    name, title = "sure", "How sure"

    def __init__(self, store: Store, source: Source) -> None:
        self._store, self._source = store, source
        self._key: tuple[Any, ...] = ()
        self.sureness: Sureness | None = None
        self.verdict = ""
        options: dict[str, Any] = {"min": 0.5, "max": 0.95, "step": 0.05}
        self.level = labelled(widgets.BoundedFloatText, "Share of cases", "14em", "7.5em", **options)
        self.words, self.table = html(), html()
        self.questions = widgets.VBox(layout=widgets.Layout(flex="1 1 300px"))
        self.table.layout.flex = "0 1 auto"
        lower = row(self.table, self.questions, align_items="flex-start")
        super().__init__([self.level, self.words, lower], layout=widgets.Layout(width="100%"))
        bind(store, "level", self.level, lambda level: round(level, 2))

    @property
    def suggestions(self) -> list[Any]:
        """The buttons that add words, best question first."""
        return [button for question in self.questions.children for button in question.children[1].children]

    def draw(self, view: View, answer: Answer) -> None:
        """Show how sure the answer is."""
        if (key := _depends_on(view, answer)) == self._key:
            return
        self._key = key
        if view.find != BY_TEXT or not len(answer.rows):
            self._refuse("Search with a description to see how sure its answer is." if len(answer.rows) else "")
            return
        gallery = self._source.searched(view)
        try:
            self.sureness = sureness_of(self._source, view, answer)
            asked = suggest(gallery, view.description, answer.rows[:AMONG], QUESTIONS, bank=self._bank)
        except ValueError as error:
            self._refuse(str(error))
            return
        self.verdict = verdict(self.sureness)
        outside = self.sureness.likeness.outside
        self.words.value = told_html(self.sureness, describe(gallery.model))
        self.table.value = "" if outside else block(intervals_html(answer, self.sureness))
        self._ask([] if outside else asked)

    def static(self) -> list[str]:
        """The verdict and the intervals."""
        return [self.words.value, self.table.value]

    @cached_property
    def _bank(self) -> PhraseBank:
        return PhraseBank.encode(self._source.gallery.model)

    def _refuse(self, message: str) -> None:
        self.verdict = message
        self.sureness, self.table.value, self.questions.children = None, "", ()
        self.words.value = block(f"<p>{safe(message)}</p>")

    def _ask(self, asked: list[Suggestion]) -> None:
        self.questions.children = [
            widgets.VBox(
                [
                    html(f"<p><b>{safe(item.question)}</b> Among these pictures:</p>"),
                    row(*(self._button(option) for option in item.options if option.share >= LEAST_SHARE)),
                ]
            )
            for item in asked
        ]

    def _button(self, option: Option) -> Any:
        told = f"+ {option.label} ({option.share:.0%})"
        return button(told, lambda: self._add(option.phrase), tooltip=f"add: {option.phrase}")

    def _add(self, phrase: str) -> None:
        """The person stays: the description became longer, it does not describe somebody else."""
        view = self._store.view
        self._store.ask(text=add_phrase(view.description, phrase), person=view.person, find=BY_TEXT)


def sureness_of(source: Source, view: View, answer: Answer) -> Sureness:
    """How sure the answer to a description is; ValueError where that cannot be told."""
    gallery = source.searched(view)
    allowed = source.allowed(view, gallery)
    return how_sure(gallery, view.description, answer.rows, source.spread, view.level, allowed=allowed)


def _depends_on(view: View, answer: Answer) -> tuple[Any, ...]:
    return (view.level, view.text, tuple(view.off), tuple(answer.rows), view.find, view.gallery)


def line_html(sureness: Sureness) -> str:
    """The claims, how often the very first picture stands first, as a bar too, and what the model's domain notes."""
    said = "".join(f"<p>{safe(claim)}</p>" for claim in claims(sureness))
    if not sureness.likeness.outside and len(sureness.first):
        share = float(sureness.first[0])
        filled = f'<span style="left:0;width:{100 * share:.0f}%"></span>'
        bar = f'<span class="bar" aria-hidden="true">{filled}</span>'
        said += f'<p class="sure">{bar} Same first picture in {share:.0%} of simulated wordings.</p>'
    return block(said + _notes_html(sureness))


def told_html(sureness: Sureness, domain: str) -> str:
    """The verdict, what the model's domain says of the query, what the shares mean, and what the model knows."""
    known = f"<details><summary>What the model knows</summary><p>{safe(domain)}</p></details>"
    return block(
        f"<p><b>{safe(verdict(sureness))}</b></p>{_notes_html(sureness)}<p>{safe(sureness.meaning)}</p>{known}"
    )


def _notes_html(sureness: Sureness) -> str:
    return "".join(f'<p role="note">{safe(note)}</p>' for note in sureness.likeness.notes)


def intervals_html(answer: Answer, sureness: Sureness) -> str:
    """A line per result: its rank, the interval of its rank as numbers and as a bar, how often it is first."""
    last = max(int(sureness.high.max()), 2)
    table = pd.DataFrame(
        {
            "rank": [card.rank for card in answer.cards],
            "picture": answer.names,
            "ranks": [f"{low} to {high}" for low, high in zip(sureness.low, sureness.high, strict=True)],
            f"1 … {last}": [_bar(*ends, last) for ends in zip(sureness.low, sureness.high, strict=True)],
            "first": [f"{share:.0%}" for share in sureness.first],
        }
    )
    title = "The ranks that simulated wordings give each picture, and how often it is first"
    return table_html(table, title, {"picture": lambda name: breakable(name, "/_"), f"1 … {last}": str})


def _bar(low: int, high: int, last: int) -> str:
    left, width = 100 * (low - 1) / last, 100 * (high - low + 1) / last
    return f'<div class="bar" aria-hidden="true"><span style="left:{left:.1f}%;width:{width:.1f}%"></span></div>'
