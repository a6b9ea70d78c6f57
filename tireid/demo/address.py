"""The view in the page's address: a reload, the back button, a bookmark and a copied link bring it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tireid.basics.extras import extra
from tireid.demo.page import changed
from tireid.demo.source import Source
from tireid.demo.state import BY_TEXT, GIVEN, KEYS, Refused, Store, View, plain

with extra("notebooks"):
    import anywidget
    import traitlets

LONGEST = 20_000
"""Characters of an address; what is longer is not read, and what would be longer is not written."""


class Address(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget has no types
    """Writes the view into the fragment of the page of `tireid demo`, and takes it from there; idle on other pages."""

    _esm = Path(__file__).with_suffix(".js")
    address = traitlets.Unicode().tag(sync=True)

    def __init__(self, store: Store, source: Source) -> None:
        super().__init__()
        self._store, self._source = store, source
        store.subscribe(KEYS, self._write)
        self.on_msg(lambda _, told, __: self._go(str(told["went"]), bool(told["loaded"])))

    def _write(self, view: View) -> None:
        """What the user gave to this page is not there after a reload, and stays out."""
        given = self._source.row_of
        own: dict[str, Any] = {"gallery": GIVEN, "basket": [name for name in view.basket if name in given]}
        own |= {"picture": "", "find": BY_TEXT} if view.picture and view.picture not in given else {}
        own |= {"hit": ""} if view.hit not in given else {}
        self.address = written(changed(replace(view, **own)))

    def _go(self, address: str, loaded: bool) -> None:
        """Show the view of an address; going back leaves the basket as it is."""
        kept = {} if loaded else {"basket": self._store.view.basket}
        self._store.attempt(lambda: self._show(address, kept))
        self._write(self._store.view)
        self.send({"arrived": True})

    def _show(self, address: str, kept: Mapping[str, Any]) -> None:
        asked = read(address)
        fresh = plain(View())
        values = {**fresh, **{key: value for key, value in asked.items() if key in KEYS}, **kept}
        refused = {key: f"unknown {key[:60]!r}" for key in asked if key not in KEYS}
        while True:
            try:
                self._store.change(**values)
                break
            except Refused as error:
                refused.setdefault(error.key, str(error))
                if values.pop(error.key) != fresh[error.key]:  # else it follows from another value
                    values[error.key] = fresh[error.key]
        if refused:
            raise ValueError(f"left out of the page's address: {'; '.join(refused.values())}")


def written(values: Mapping[str, Any]) -> str:
    """Values of a view as the fragment of an address, texts as they are, the others as JSON; '' where it is too long.

    >>> written({"text": "a man & a dog", "k": 3, "off": [1]})
    'text=a+man+%26+a+dog&k=3&off=%5B1%5D'
    """
    told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    address = urlencode(told, errors="replace")
    return address if len(address) <= LONGEST else ""


def read(address: str) -> dict[str, Any]:
    """The values of a fragment, not checked yet; ValueError where it is no view.

    >>> read("text=a+man+%26+a+dog&k=3&off=%5B1%5D")
    {'text': 'a man & a dog', 'k': 3, 'off': [1]}
    """
    if len(address) > LONGEST:
        raise ValueError(f"the page's address has {len(address):,} characters; it holds a view in at most {LONGEST:,}")
    fresh = plain(View())
    return {
        key: value if isinstance(fresh.get(key, ""), str) else _number(key, value)
        for key, value in parse_qsl(address, keep_blank_values=True)
    }


def _number(key: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"the page's address: {key} must be a JSON value, got {value[:60]!r}") from None
