"""The view in the page's address, and what the Escape key closes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.fakes import Crops
from tireid.demo.address import LONGEST, Address, read, written
from tireid.demo.listeners import Escape
from tireid.interactive import RetrievalDemo
from tireid.search import Gallery


def part(demo: RetrievalDemo, kind: type) -> Any:
    return next(child for child in demo.children[-1].children if isinstance(child, kind))


def go(demo: RetrievalDemo, address: str, loaded: bool = True) -> str:
    """Open an address; the one that the page has afterwards."""
    part(demo, Address)._handle_custom_msg({"went": address, "loaded": loaded}, [])
    return str(part(demo, Address).address)


def escape(demo: RetrievalDemo) -> None:
    part(demo, Escape)._handle_custom_msg({}, [])


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
plain_values = st.dictionaries(st.sampled_from(["k", "off", "compare"]), st.lists(st.integers()) | st.booleans())


@given(texts, plain_values)
def test_an_address_is_read_as_it_was_written(text: str, others: dict[str, Any]) -> None:
    values = {"text": text, **others}
    assert read(written(values)) == values


def test_a_view_comes_back_from_its_address(demo: RetrievalDemo, gallery: Gallery) -> None:
    wanted = {"text": "red & <b>", "k": 3, "off": [1], "panel": "why", "hit": "", "basket": list(gallery.names[:2])}
    demo.state = wanted
    address, view = part(demo, Address).address, demo.state
    demo.state = {"text": "blue", "k": 5, "panel": "none", "basket": []}
    assert go(demo, address) == address
    assert demo.state == view


def test_going_back_leaves_the_basket(demo: RetrievalDemo, gallery: Gallery) -> None:
    demo.state = {"text": "red", "basket": [gallery.names[0]]}
    assert go(demo, "text=blue", loaded=False).startswith("text=blue&basket=")
    assert demo.state["basket"] == [gallery.names[0]]
    go(demo, "text=blue")
    assert demo.state["basket"] == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("text=blue&k=9999", "state['k'] must be an integer in 1..50, got 9999"),
        ("text=blue&hit=..%2F..%2Fetc", "state['hit'] must be the name of a picture"),
        ("text=blue&level=NaN", "state['level'] must be"),
        ("text=blue&weight=1e999", "state['weight'] must be"),
        ("text=blue&red", "unknown 'red'"),
        ("text=blue&__class__=1", "unknown '__class__'"),
    ],
)
def test_what_an_address_may_not_say_is_left_out(demo: RetrievalDemo, address: str, said: str) -> None:
    go(demo, address)
    assert said in demo.bar.message
    assert demo.state["text"] == "blue"


@pytest.mark.parametrize("address", ["text=" + LONGEST * "x", "k=nope", "people=" + 5_000 * "[", f"k={5_000 * '9'}"])
def test_what_is_no_address_changes_nothing(demo: RetrievalDemo, address: str) -> None:
    before = demo.state
    go(demo, address)
    assert "page's address" in demo.bar.message
    assert len(demo.bar.message) < 200
    assert demo.state == before


def test_what_is_left_out_is_as_on_a_fresh_page(demo: RetrievalDemo, gallery: Gallery) -> None:
    demo.state = {"text": "red", "picture": gallery.names[0], "panel": "why", "k": 3}
    assert go(demo, "text=blue&picture=elsewhere.jpg&k=0") == "text=blue"


def test_markup_in_an_address_stays_text(demo: RetrievalDemo) -> None:
    go(demo, "text=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E&panel=%3Cscript%3E&%3Cscript%3E=1&panel=why")
    assert demo.bar.text.value == "<img src=x onerror=alert(1)>"
    shown = [demo.bar.status.value, demo.why.closer.pictures.value, demo._static()]
    assert not any(tag in html for html in shown for tag in ("<script", "<img src=x"))


def test_a_text_too_long_for_an_address_is_searched_but_not_written(demo: RetrievalDemo) -> None:
    demo.state = {"text": "red " * LONGEST}
    assert part(demo, Address).address == ""
    assert len(demo.results)


def test_what_the_user_gave_to_the_page_is_not_in_its_address(demo: RetrievalDemo, crops: Crops) -> None:
    """A reload starts another kernel, which does not have it."""
    demo.state = {"text": "blue"}
    told, content = {"name": "own.png", "others": ["b.png"]}, crops.split.image_paths[0].read_bytes()
    demo.bar.photograph._handle_custom_msg(told, [content])
    assert demo.state["picture"] == "own.png"
    assert demo.bar.message == "one picture at a time is searched with: own.png, not b.png"
    assert "own" not in part(demo, Address).address


def test_escape_closes_the_picture_and_then_the_section(demo: RetrievalDemo, gallery: Gallery) -> None:
    demo.state = {"text": "red"}
    demo.grid.buttons[1].click()
    assert (demo.state["panel"], demo.state["picture"]) == ("why", demo.results["name"][1])
    escape(demo)
    assert (demo.state["panel"], demo.state["picture"]) == ("why", "")
    escape(demo)
    assert demo.state["panel"] == "none"


def test_escape_goes_on_searching_with_a_picture(demo: RetrievalDemo, gallery: Gallery) -> None:
    name = gallery.names[0]
    demo.state = {"find": "image→image", "picture": name, "panel": "why", "hit": gallery.names[1]}
    escape(demo)
    assert (demo.state["hit"], demo.state["picture"], demo.state["panel"]) == ("", name, "why")
    escape(demo)
    assert (demo.state["picture"], demo.state["panel"]) == (name, "none")
