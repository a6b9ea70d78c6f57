"""The search bar, the cards' buttons, the basket and the drawer, without a kernel."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.demo.conftest import PEOPLE, names
from tireid.demo.query import RECENT, remembered
from tireid.demo.sure import line_html
from tireid.explain.sureness import Sureness, claims
from tireid.interactive import RetrievalDemo
from tireid.search import Gallery
from tireid.search.likeness import Likeness


def like(demo: RetrievalDemo, place: int) -> None:
    demo.grid.box.children[place].children[2].children[0].click()


def keeps(demo: RetrievalDemo) -> list[bool]:
    return [card.children[2].children[1].value for card in demo.grid.box.children]


def test_pictures_stand_before_everything_that_explains(demo: RetrievalDemo) -> None:
    """Closed, the drawer holds nothing: a style, the bar, how sure, one row of buttons, and the pictures."""
    demo.bar.text.value = "a man in red"
    _, bar, sure, buttons, body, _ = demo.children
    assert (bar, sure, buttons) == (demo.bar, demo.sure_line, demo.drawer.buttons)
    assert demo.drawer.content.children == ()
    assert demo.grid in body.children[0].children
    first = names(demo)[0]
    card = demo.grid.complete()[0]
    assert card.replace("<wbr>", "").index(f">{first}</span>") < card.index("1</b> ·")


def test_a_section_opens_and_closes_by_one_button(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    why, sure = (demo.drawer.sections[name] for name in ("why", "sure"))
    why.value = True
    assert demo.drawer.content.children == (demo.why,)
    sure.value = True
    assert (why.value, demo.state["panel"]) == (False, "sure")
    sure.value = False
    assert (demo.state["panel"], demo.drawer.content.children) == ("none", ())


def test_more_like_a_card_searches_with_its_picture(demo: RetrievalDemo, gallery: Gallery) -> None:
    demo.bar.text.value = "a man in green"
    first = names(demo)[0]
    like(demo, 0)
    assert (demo.state["find"], demo.state["picture"]) == ("image→image", first)
    path = gallery.paths[gallery.names.index(first)]
    assert names(demo) == [hit.name for hit in gallery.search(path, k=10, exclude=[first])]
    assert first in demo.bar.queried.value
    demo.bar.text_only.click()
    assert names(demo)[0] == first


def test_typing_beside_a_picture_counts_both(demo: RetrievalDemo, gallery: Gallery) -> None:
    demo.bar.text.value = "a man in green"
    like(demo, 0)
    demo.bar.text.value = "a man in blue"
    assert demo.state["find"] == "text+image→image"
    assert demo.bar.together.value
    for weight in (0.5, 0.8):
        demo.bar.weight.value = weight
        path = gallery.paths[gallery.names.index(demo.state["picture"])]
        hits = gallery.search(text="a man in blue", image=path, text_weight=weight, k=10, exclude=[path])
        assert names(demo) == [hit.name for hit in hits]
        np.testing.assert_allclose(demo.results["score"], [hit.score for hit in hits], atol=1e-5)
    assert 'for "a man in blue" and the picture' in demo.summary
    other = RetrievalDemo(gallery, state=demo.state)
    assert names(other) == names(demo)
    demo.bar.together.value = False
    assert demo.state["find"] == "image→image"


def test_recent_descriptions_come_back(demo: RetrievalDemo) -> None:
    for text in ("a", "a man", "a man in red", "a man in", "a woman in blue"):
        demo.bar.text.value = text
    offered = [text for _, text in demo.bar.recent.options]
    assert offered == ["", "a woman in blue", "a man in red"]
    demo.bar.recent.value = "a man in red"
    assert (demo.state["text"], demo.bar.recent.value) == ("a man in red", "")
    kept: list[str] = []
    for number in range(20):
        kept = remembered(kept, f"{number} men")
    assert kept == [f"{number} men" for number in range(19, 19 - RECENT, -1)]


def test_a_detail_is_added_to_the_description(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a woman in red"
    demo.bar.add.value = "carrying a backpack"
    assert demo.state["text"] == "a woman in red. She is carrying a backpack."
    assert demo.bar.add.value == ""


def test_a_basket_follows_its_pictures_and_is_written(demo: RetrievalDemo, tmp_path: Path) -> None:
    demo.bar.text.value = "a man in red"
    kept = names(demo)[1]
    demo.grid.box.children[1].children[2].children[1].value = True
    assert demo.state["basket"] == [kept]
    assert demo.drawer.sections["basket"].description == "Basket (1)"
    demo.bar.text.value = "a man in blue"
    assert keeps(demo) == [name == kept for name in names(demo)]
    demo.drawer.open("basket")
    assert kept in demo.basket.list.value
    demo.basket.file.value = str(tmp_path / "mine.v1")
    demo.basket.export.click()
    rows = list(csv.DictReader((tmp_path / "mine.v1.csv").open(encoding="utf-8")))
    assert [row["name"] for row in rows] == [kept]
    assert rows[0]["person_id"] == str(PEOPLE["red"])
    assert json.loads(rows[0]["state"])["basket"] == [kept]
    page = (tmp_path / "mine.v1.html").read_text(encoding="utf-8")
    assert kept in page
    assert "data:image/jpeg;base64," in page
    assert "state = {" in page
    assert "http" not in page
    demo.basket.clear.click()
    assert demo.state["basket"] == []
    with pytest.raises(ValueError, match="the basket is empty"):
        demo.basket.save(tmp_path / "none")
    with pytest.raises(ValueError, match=r"state\['basket'\] must be a list of names of pictures"):
        demo.state = {"basket": ["nobody.png"]}


def test_captions_have_no_buttons_for_pictures(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.grid.buttons[0].click()
    demo.bar.find.value = "image→text"
    assert {card.children[2].layout.display for card in demo.grid.box.children} == {"none"}


def test_how_sure_follows_when_nobody_types(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in blue"
    demo.bar.text.value = "a man in red"
    demo.sure_line.finish()
    demo.drawer.open("sure")
    assert demo.sure.sureness is not None
    for claim in claims(demo.sure.sureness):
        assert f"<p>{claim}</p>" in demo.sure_line.said.value
    assert " ".join(claims(demo.sure.sureness)) == demo.sure.verdict
    assert "rank " not in demo.sure_line.said.value
    demo.bar.text.value = ""
    assert "How sure" not in demo.sure_line.said.value


def test_the_line_says_what_the_domain_notes_and_draws_no_bar_outside_it() -> None:
    one = np.array([1])
    told = Sureness(one, one, np.array([0.62]), 1, False, 0.9, 200, True, Likeness(("<b>odd</b>",)))
    assert "width:62%" in line_html(told)
    assert "Same first picture in 62% of simulated wordings." in line_html(told)
    assert "&lt;b&gt;odd" in line_html(told)
    outside = Sureness(one, one, np.array([0.62]), 1, False, 0.9, 200, False, Likeness(("n",), outside=True))
    assert "%" not in line_html(outside)


def test_an_empty_bar_is_no_fault(gallery: Gallery) -> None:
    demo = RetrievalDemo(gallery)
    assert "✗" not in demo.bar.status.value
    assert "type a description" in demo.bar.status.value


def press(demo: RetrievalDemo, place: int, name: str, button: int) -> None:
    """As the browser tells it: what the card showed when it was pressed."""
    demo.grid.children[2]._handle_custom_msg({"place": place, "name": name, "act": button}, [])


def test_a_click_means_the_picture_that_was_shown(demo: RetrievalDemo) -> None:
    """Another answer may have come between the click and the kernel."""
    demo.bar.text.value = "a man in red"
    first, second, third = names(demo)[:3]
    demo.bar.text.value = "a man in blue"
    assert not {first, second, third} & set(names(demo)[:3])
    press(demo, 0, first, 0)
    assert (demo.state["picture"], demo.state["panel"]) == (first, "why")
    press(demo, 1, second, 2)
    press(demo, 2, third, 2)
    assert demo.state["basket"] == [second, third]
    press(demo, 1, second, 2)
    assert demo.state["basket"] == [third]
    press(demo, 2, third, 1)
    assert (demo.state["find"], demo.state["picture"]) == ("image→image", third)
    before = demo.state
    press(demo, 0, "never shown.jpg", 0)
    press(demo, 999, third, 0)
    assert demo.state == before


def test_a_caption_that_was_replaced_is_still_the_one_that_was_clicked(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.grid.buttons[0].click()
    demo.bar.find.value = "image→text"
    caption = demo.results["caption"][0]
    demo.state = {"find": "text→image", "text": "a man in blue"}
    press(demo, 0, caption, 0)
    assert demo.state["text"] == caption
