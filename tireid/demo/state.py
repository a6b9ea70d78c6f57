"""What a view of the demo is: a few plain values, checked, and the parts that are told when one of them changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from threading import RLock
from typing import Any

from tireid.basics.hints import nearest

FIND = BY_TEXT, CAPTIONS, BY_PICTURE, BY_BOTH = ("text→image", "image→text", "image→image", "text+image→image")
NO_PANEL = "none"
PLANES = ("PCA", "UMAP")
GALLERIES = GIVEN, UPLOADED = ("given", "uploaded")
SORTS = ("first_rank", "query", "person_id", "gap")
MOST, ALL = 50, "all"
SHOWN_TEXT = 60


@dataclass(frozen=True)
class View:
    """One view; every value is plain, so that a view can be written as JSON."""

    text: str = ""
    caption: int | None = None
    """Number of the picked caption, whose text `text` is; None for free text."""
    person: int | None = None
    """Whom the query describes, where that is known: results are then right or wrong."""
    find: str = BY_TEXT
    picture: str = ""
    """Name of the picture that was clicked, or that is searched with."""
    hit: str = ""
    """Name of the result that was clicked while a picture is searched with; '' where `picture` is looked at."""
    weight: float = 0.5
    """Of the text against the picture, where both are searched with."""
    basket: list[str] = field(default_factory=list)
    """Names of the pictures that are kept."""
    gallery: str = GIVEN
    k: int = 10
    people: list[int] = field(default_factory=list)
    """Only these people; empty for all."""
    cameras: list[int] = field(default_factory=list)
    split: str = ALL
    off: list[int] = field(default_factory=list)
    """Places of the words that are left out, from 0."""
    word: int = 0
    """Whose regions are shown: 0 those of all that was searched with, then those of each word in order."""
    compare: bool = False
    panel: str = NO_PANEL
    level: float = 0.9
    """How often the intervals of the panel "sure" are meant to hold."""
    plane: str = PLANES[0]
    region: list[float] = field(default_factory=list)
    """Of the map: left, right, bottom and top, or corners x, y of a lasso, in shares of 0..1; empty for none."""
    sort: str = SORTS[0]
    ascending: bool = False
    page: int = 1

    @property
    def looked(self) -> str:
        """Name of the picture that is looked at closely; '' for none."""
        return self.hit or (self.picture if self.find in (BY_TEXT, CAPTIONS) else "")

    @property
    def pictured(self) -> str:
        """Name of the picture that is searched with; '' for none."""
        return "" if self.find == BY_TEXT else self.picture

    @property
    def worded(self) -> bool:
        """Whether the description counts in what is searched with."""
        return self.find in (BY_TEXT, BY_BOTH)

    @property
    def words(self) -> list[str]:
        """Of the text, as they can be left out: the parts between white space."""
        return self.text.split()

    @property
    def description(self) -> str:
        """The text without the words that are left out.

        >>> View(text="a man  in blue", off=[1, 2]).description
        'a blue'
        """
        if not self.off:
            return self.text
        return " ".join(word for place, word in enumerate(self.words) if place not in self.off)

    @property
    def compares(self) -> bool:
        """Whether two models answer; the user's own pictures are encoded by the first one only."""
        return self.compare and self.gallery == GIVEN


KEYS = tuple(item.name for item in fields(View))


@dataclass(frozen=True)
class Known:
    """What the values of a view may refer to."""

    captions: Sequence[str] = ()
    caption_people: Sequence[int] = ()
    names: Collection[str] = ()
    people: Collection[int] = ()
    cameras: Collection[int] = ()
    splits: Collection[str] = ()
    galleries: Collection[str] = (GIVEN,)
    compare: bool = False
    panels: Collection[str] = (NO_PANEL,)


class Store:
    """Holds the present :class:`View` and tells the parts that subscribed to a key when its value changed.

    `known` is what values may refer to; :meth:`learn` replaces it.

    >>> store = Store(Known(captions=["a man"], caption_people=[7], people=[7]))
    >>> store.subscribe(("text",), lambda view: print(view.text, view.person))
    >>> store.change(caption=0)
    a man 7
    >>> store.change(text="a man in red")
    a man in red None
    """

    def __init__(self, known: Known) -> None:
        self.known = known
        self.view = View()
        self.complaint = ""
        """Why the last change that a control asked for was refused; '' where it was not."""
        self._subscribers: list[tuple[frozenset[str], Callable[[View], None]]] = []
        self._pending: set[str] | None = None
        self._lock = RLock()  # JupyterLab can let widgets speak to threads of their own, beside the cells'

    def subscribe(self, keys: Iterable[str], update: Callable[[View], None]) -> None:
        """Call `update` with the view after one of `keys` changed, in the order of subscription."""
        self._subscribers.append((frozenset(keys), update))

    def learn(self, **known: Any) -> None:
        """Replace some of what values may refer to."""
        self.known = replace(self.known, **known)

    def change(self, **values: Any) -> None:
        """Set some values, all or none, and tell who subscribed.

        A picked `caption` brings its text and person; another `text` forgets them, and every word counts again, unless
        the call itself says otherwise. Raises ValueError naming the key, what was expected, and the nearest known one.
        """
        with self._lock:
            before = self.view
            self.view = check(replace(before, **_completed(before, _known_keys(values), self.known)), self.known)
            self._tell({key for key in KEYS if getattr(before, key) != getattr(self.view, key)})

    def look(self, name: str, **values: Any) -> None:
        """Look closely at a picture, and go on searching with the one that is searched with."""
        key = "picture" if self.view.find == BY_TEXT else "hit"
        self.ask(**values, **{key: name})

    def ask(self, **values: Any) -> None:
        """:meth:`change` for a control: see :meth:`attempt`."""
        self.attempt(lambda: self.change(**values))

    def attempt(self, action: Callable[[], None]) -> None:
        """Run what a control asks for; a ValueError becomes the `complaint`, told to who subscribed to that key.

        Nothing is run while subscribers are told: a control that moves then follows the state, nobody asks for it.
        """
        with self._lock:
            if self._pending is not None:
                return
            before, self.complaint = self.complaint, ""
            try:
                action()
            except ValueError as error:
                self.complaint = str(error)
            if self.complaint != before:
                self._tell({"complaint"})

    def refresh(self) -> None:
        """Tell everybody the present view."""
        self._tell(set(KEYS))

    def _tell(self, changed: set[str]) -> None:
        """Everybody sees whole views: a change made by a subscriber is told after the one that caused it."""
        if self._pending is not None:
            self._pending |= changed
            return
        try:
            while changed:
                self._pending = set()
                for keys, update in self._subscribers:
                    if keys & changed:
                        update(self.view)
                changed = self._pending
        finally:
            self._pending = None


def plain(view: View) -> dict[str, Any]:
    """The view as a dict of plain values, which is a copy."""
    return asdict(view)


def _known_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    for key in values:
        if key not in KEYS:
            raise ValueError(f"unknown key {key!r} in state; {nearest(key, KEYS)}")
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _completed(before: View, values: dict[str, Any], known: Known) -> dict[str, Any]:
    """`values`, and what follows from them."""
    caption = values.get("caption")
    if caption is not None and _is_int(caption) and 0 <= caption < len(known.captions):
        own = {"text": known.captions[caption], "person": int(known.caption_people[caption])}
        values = own | values
    if "text" in values and values["text"] != before.text:
        values = {"caption": None, "person": None, "off": [], "word": 0} | values
    if {"picture", "find"} & values.keys():
        values = {"hit": ""} | values
    return values


def check(view: View, known: Known) -> View:
    """The view itself; ValueError naming the key where a value is of a wrong kind or refers to nothing known."""
    _expect("text", view.text, isinstance(view.text, str), "text")
    captions = known.captions
    whose = f"None or a caption's number below {len(captions)}"
    _expect("caption", view.caption, view.caption is None or _within(view.caption, 0, len(captions) - 1), whose)
    if view.caption is not None:
        _expect("text", view.text, view.text == captions[view.caption], f"that of caption {view.caption}")
    _expect("person", view.person, view.person is None or _is_int(view.person), "None or a person's number")
    for key in ("picture", "hit"):
        name = getattr(view, key)
        _expect(key, name, name == "" or _is_name(name, known), "the name of a picture, or ''")
    kept = isinstance(view.basket, list) and all(_is_name(name, known) for name in view.basket)
    _expect("basket", view.basket, kept, "a list of names of pictures")
    _expect("weight", view.weight, _within_float(view.weight, 0, 1), "a number in 0..1")
    _expect("k", view.k, _within(view.k, 1, MOST), f"an integer in 1..{MOST}")
    _expect("word", view.word, _within(view.word, 0, math.inf), "an integer from 0")
    _expect("page", view.page, _within(view.page, 1, math.inf), "an integer from 1")
    _expect("off", view.off, _ints(view.off), "a list of places of words, from 0")
    for key, allowed in (("people", known.people), ("cameras", known.cameras)):
        value = getattr(view, key)
        _expect(key, value, _ints(value) and set(value) <= set(allowed), f"a list of numbers out of {_some(allowed)}")
    choices = {"find": FIND, "panel": known.panels, "plane": PLANES, "sort": SORTS, "gallery": known.galleries}
    for key, options in (choices | {"split": (ALL, *known.splits)}).items():
        value = getattr(view, key)
        _expect(key, value, isinstance(value, str) and value in options, f"one of {', '.join(options)}")
    _expect("ascending", view.ascending, isinstance(view.ascending, bool), "True or False")
    needs = "True or False" if known.compare else "False: there is no second model"
    _expect("compare", view.compare, isinstance(view.compare, bool) and known.compare >= view.compare, needs)
    _expect("level", view.level, _within_float(view.level, 0.5, 0.95), "a number in 0.5..0.95")
    sides = "left, right, bottom, top (left before right, bottom before top) or corners x, y, all in 0..1"
    _expect("region", view.region, _is_region(view.region), sides)
    return view


class Refused(ValueError):
    """A value that the state does not take; `expected` says what `key` takes, to who knows none."""

    def __init__(self, key: str, value: Any, expected: str) -> None:
        self.key, self.expected = key, expected
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN_TEXT else shown[:SHOWN_TEXT] + "…"
        super().__init__(f"state[{key!r}] must be {expected}, got {shown}")


def _expect(key: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise Refused(key, value, expected)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_name(value: Any, known: Known) -> bool:
    return isinstance(value, str) and value in known.names


def _within(value: Any, low: float, high: float) -> bool:
    return _is_int(value) and low <= value <= high


def _within_float(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _ints(value: Any) -> bool:
    return isinstance(value, list) and all(_within(item, -math.inf, math.inf) for item in value)


def _is_region(value: Any) -> bool:
    if not isinstance(value, list) or not all(_within_float(item, 0, 1) for item in value):
        return False
    if len(value) == 4:
        return bool(value[0] <= value[1] and value[2] <= value[3])
    return not value or (len(value) >= 6 and len(value) % 2 == 0)


def _some(values: Collection[int]) -> str:
    """The first few of the allowed values.

    >>> _some([3, 1, 2, 9, 8, 7]), _some([])
    ('1, 2, 3, ..., 9', 'none: this gallery knows none')
    """
    if not values:
        return "none: this gallery knows none"
    ordered = [str(value) for value in sorted(values)]
    return ", ".join(ordered if len(ordered) <= 5 else [*ordered[:3], "...", ordered[-1]])
