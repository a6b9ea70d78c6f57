"""The state: what it refuses, what follows from what, and who is told."""

from __future__ import annotations

import json
import time
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tireid.demo.state import KEYS, Known, Store, View, plain

KNOWN = Known(
    captions=["a man in red", "a woman"],
    caption_people=[7, 8],
    names=frozenset(["a.jpg"]),
    people=frozenset([7, 8]),
    cameras=frozenset([1]),
    splits=("val", "test"),
)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"txet": "a"}, r"unknown key 'txet' in state; did you mean 'text'\?"),
        ({"query vector": 1}, "known: text, caption"),
        ({"text": 3}, r"state\['text'\] must be text, got 3"),
        ({"caption": 2}, "a caption's number below 2, got 2"),
        ({"caption": True}, "got True"),
        ({"caption": 0, "text": "another"}, "must be that of caption 0"),
        ({"person": "7"}, "must be None or a person's number"),
        ({"picture": "b.jpg"}, "must be the name of a picture"),
        ({"hit": ["a.jpg"]}, "must be the name of a picture"),
        ({"k": 0}, r"must be an integer in 1..50, got 0"),
        ({"k": 2.0}, "got 2.0"),
        ({"people": [9]}, "must be a list of numbers out of 7, 8, got"),
        ({"people": 7}, "must be a list"),
        ({"cameras": [1, "1"]}, "must be a list"),
        ({"split": "train"}, "must be one of all, val, test"),
        ({"find": "sound→image"}, "must be one of text→image"),
        ({"gallery": "uploaded"}, "must be one of given"),
        ({"panel": []}, "must be one of none"),
        ({"compare": True}, "there is no second model"),
        ({"level": 1.0}, "must be a number in 0.5..0.95"),
        ({"level": float("nan")}, "got nan"),
        ({"region": [0.5, 0.4, 0, 1]}, "left before right"),
        ({"region": [0.1, 0.2]}, "left, right"),
        ({"off": [-1, 0.5]}, "places of words"),
        ({"ascending": 1}, "True or False"),
        ({"page": 0}, "an integer from 1"),
        ({"text": "<script>" * 50, "k": "many"}, "got 'many'"),
    ],
)
def test_a_bad_value_is_named_and_changes_nothing(values: dict[str, Any], message: str) -> None:
    store = Store(KNOWN)
    told: list[View] = []
    store.subscribe(KEYS, told.append)
    before = store.view
    with pytest.raises(ValueError, match=message):
        store.change(**({"k": 3} | values))
    assert store.view == before
    assert not told


def test_a_caption_brings_its_text_and_person_and_other_text_forgets_them() -> None:
    store = Store(KNOWN)
    store.change(caption=1)
    assert (store.view.text, store.view.person) == ("a woman", 8)
    store.change(off=[0])
    assert (store.view.caption, store.view.off) == (1, [0])
    store.change(text="a woman with a bag")
    assert (store.view.caption, store.view.person, store.view.off) == (None, None, [])
    store.change(text="a woman, tall", person=8)
    assert store.view.person == 8


def test_everybody_is_told_once_and_only_of_what_concerns_them() -> None:
    store, told = Store(KNOWN), []
    store.subscribe(("k", "text"), lambda view: told.append(("both", view.k, view.text)))
    store.subscribe(("page",), lambda view: told.append(("page", view.page)))
    store.change(k=4, text="red")
    store.change(k=4)
    assert told == [("both", 4, "red")]


def test_a_change_by_a_subscriber_is_told_after_the_one_that_caused_it() -> None:
    store, seen = Store(KNOWN), []
    store.subscribe(("k",), lambda view: store.change(page=2))
    store.subscribe(("k", "page"), lambda view: seen.append((view.k, view.page)))
    store.change(k=3)
    assert seen == [(3, 2), (3, 2)]


def test_a_control_that_follows_the_state_asks_for_nothing() -> None:
    store = Store(KNOWN)
    store.subscribe(("k",), lambda view: store.ask(page=9))
    store.change(k=3)
    assert store.view.page == 1
    store.ask(page=9)
    assert store.view.page == 9


def test_a_refused_attempt_is_a_complaint_until_the_next_one() -> None:
    store, complaints = Store(KNOWN), []
    store.subscribe(("complaint",), lambda view: complaints.append(store.complaint))
    store.ask(k=0)
    store.ask(k=1)
    assert "1..50" in complaints[0]
    assert complaints[1:] == [""]


@given(
    k=st.integers(1, 50),
    off=st.lists(st.integers(0, 9), max_size=4),
    level=st.floats(0.5, 0.95),
    caption=st.sampled_from([None, 0, 1]),
    people=st.lists(st.sampled_from([7, 8]), unique=True),
)
def test_a_state_survives_json(k: int, off: list[int], level: float, caption: int | None, people: list[int]) -> None:
    first, second = Store(KNOWN), Store(KNOWN)
    first.change(caption=caption, k=k, off=off, level=level, people=people, split="val")
    second.change(**json.loads(json.dumps(plain(first.view))))
    assert second.view == first.view


def test_two_threads_lose_no_change() -> None:
    """JupyterLab can give every widget's connection a thread of its own."""
    store = Store(KNOWN)
    slow = Barrier(2)
    told: list[str] = []

    def tell(view: View) -> None:
        told.append(view.text)
        if len(told) == 1:
            slow.wait(5)  # the other one asks now
            time.sleep(0.1)

    store.subscribe(("text", "k"), tell)

    def second() -> None:
        slow.wait(5)
        store.ask(k=3)

    thread = Thread(target=second)
    thread.start()
    store.ask(text="a man")
    thread.join()
    assert (store.view.text, store.view.k, len(told)) == ("a man", 3, 2)
