"""A view of the demo without a kernel: as text, as HTML, as a page of its own, and as a citation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from tireid.demo.answer import Answer
from tireid.demo.parts import block, card_grid
from tireid.demo.source import Source
from tireid.demo.state import BY_BOTH, BY_PICTURE, BY_TEXT, View, plain
from tireid.show import cards
from tireid.show.cards import printable, safe


def summary(view: View, answer: Answer) -> str:
    """How many were found, and the rank of the first right one.

    >>> summary(View(), Answer("pictures"))
    '0 of 0 pictures'
    """
    parts = [f"{len(answer.rows)} of {answer.among} {answer.kind}"]
    if answer.first_right is not None:
        parts.append(f"first right one at rank {answer.first_right}")
    elif answer.judged:
        parts.append("no right one among them all")
    if view.off and view.worded:
        parts.append(f"{len(view.off)} word{'s' if len(view.off) > 1 else ''} left out")
    return ", ".join(parts)


def listing(view: View, answer: Answer) -> str:
    """The ranked list as text: the same for the same view, so that stored outputs can be compared.

    >>> print(listing(View(text="a man"), Answer("pictures", message="no picture is left")))
    pictures for "a man"
    no picture is left
    """
    title = f"{answer.kind} for {asked(view)}\n{answer.message or summary(view, answer)}"
    return cards.listing(title, answer.cards, answer.notes)


def asked(view: View) -> str:
    """The query in words.

    >>> asked(View(text="a man in blue", off=[3])), asked(View(find="image→image", picture="a.jpg"))
    ('"a man in [blue]"', 'the picture a.jpg')
    """
    if view.find == BY_BOTH:
        return f"{asked(replace(view, find=BY_TEXT))} and {asked(replace(view, find=BY_PICTURE))}"
    if not view.worded:
        return f"the picture {printable(view.picture) or '(none)'}"
    if not view.off:
        return f'"{printable(view.text)}"'
    words = " ".join(f"[{word}]" if place in view.off else word for place, word in enumerate(view.words))
    return f'"{printable(words)}"'


def citation(view: View, answer: Answer, source: Source) -> str:
    """What somebody needs to see the same again: the versions, the gallery's size, the model, and the state."""
    model = f", model {source.fingerprint}" if source.fingerprint else ""
    state = json.dumps(changed(view), ensure_ascii=True)
    return (
        f"tireid {version('tireid')}, RetrievalDemo: {answer.kind} for {asked(view)}; "
        f"{summary(view, answer)}; gallery of {len(source.searched(view))} pictures{model}.\nstate = {state}"
    )


def changed(view: View) -> dict[str, Any]:
    """The values of a view that are not those of a fresh one.

    >>> changed(View(text="a man", k=3))
    {'text': 'a man', 'k': 3}
    """
    fresh = plain(View())
    return {key: value for key, value in plain(view).items() if value != fresh[key]}


def unstyled_html(heading: str, groups: Sequence[tuple[str, list[str]]], notes: Sequence[str] = ()) -> str:
    """Cards under headings and, below them, `notes`, all HTML but the heading; needs no script and no network.

    It is to stand below :data:`tireid.demo.style.STYLE`.
    """
    parts = [f"<p><b>{safe(heading)}</b></p>"]
    parts += [title + card_grid(made) for title, made in groups]
    return block("".join([*parts, *notes]))
