"""Every control of the demo without a kernel: by `.value` and `.click()`."""

from __future__ import annotations

import io
import json
import re
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import numpy as np
import pytest
import torch
from PIL import Image

import tireid.demo
from tests.demo.conftest import PEOPLE, names
from tests.search.fakes import ColourModel, Crops, picture
from tireid.data.dataset import Split
from tireid.demo.answer import Answer
from tireid.demo.source import Source
from tireid.demo.state import FIND, Store, View
from tireid.demo.sure import told_html
from tireid.explain.confidence import QuerySpread, Sureness
from tireid.explain.questions import Option, Suggestion, suggest
from tireid.interactive import RetrievalDemo
from tireid.model import TIReID
from tireid.search import Gallery
from tireid.search.likeness import Likeness

COLOUR_OF = {person: colour for colour, person in PEOPLE.items()}


def said(demo: RetrievalDemo) -> str:
    return str(demo.bar.status.value)


def upload(name: str, content: bytes) -> dict[str, Any]:
    return {
        "name": name,
        "type": "image/png",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": datetime.now(UTC),
    }


def png(colour: str) -> bytes:
    buffer = io.BytesIO()
    picture(colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_typing_searches(demo: RetrievalDemo) -> None:
    for colour, person in PEOPLE.items():
        demo.bar.text.value = f"a man in {colour}"
        assert demo.results["person_id"].tolist()[:3] == [person] * 3
        first = demo.grid.complete()[0]
        assert first.count("<img") == 1
        assert f"rank 1, score {demo.results['score'][0]:.3f}, person {person}" in first


def test_a_picked_caption_knows_who_is_right(demo: RetrievalDemo, crops: Crops) -> None:
    number = crops.split.captions.index("a man in green")
    demo.bar.caption.value = number
    assert demo.bar.text.value == "a man in green"
    assert demo.results["correct"].tolist() == [person == 11 for person in demo.results["person_id"]]
    assert "first right one at rank 1" in said(demo)
    right, wrong = demo.grid.pictures[0], demo.grid.pictures[3]
    assert "✓ right" in right
    assert 'class="right"' in right
    assert "✗ wrong" in wrong
    assert ", wrong, person" in wrong
    demo.bar.text.value = "a man in green and blue"
    assert demo.state["caption"] is None
    assert demo.bar.caption.value == -1
    assert demo.results["correct"].isna().all()


def test_the_right_person_can_be_told(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.bar.person.value = "13"
    ranks = [rank for rank, person in zip(demo.results["rank"], demo.results["person_id"], strict=True) if person == 13]
    assert f"first right one at rank {ranks[0]}" in said(demo)
    demo.bar.person.value = "99"
    assert "no right one among them all" in said(demo)
    demo.bar.person.value = "9, 10"
    assert "one number, or nothing" in said(demo)


def test_k_and_filters(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.bar.k.value = 4
    assert len(demo.results) == len(demo.grid.pictures) == len(demo.grid.buttons) == 4
    demo.bar.k.value = 12
    assert demo.bar.k.value == 12
    demo.bar.people.value = "11, 12"
    assert set(demo.results["person_id"]) == {11, 12}
    demo.bar.cameras.value = "2"
    assert demo.results["camera"].tolist() == [2, 2]
    assert "2 of 2 pictures" in said(demo)
    demo.bar.people.value = demo.bar.cameras.value = ""
    assert len(demo.results) == 12


def test_a_click_looks_closer_and_pictures_can_be_searched_with(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in blue"
    first = names(demo)[0]
    demo.grid.buttons[0].click()
    assert (demo.state["picture"], demo.state["panel"]) == (first, "why")
    assert "picked" in demo.grid.pictures[0]
    assert f"Captions nearest to {first}" in demo.why.captions.value
    demo.why.to_captions.click()
    assert demo.results["caption"][0] == "a man in blue"
    assert demo.results["correct"][0]
    demo.bar.find.value = "image→image"
    assert first not in names(demo)
    assert demo.results["person_id"].tolist()[:2] == [12, 12]
    sixth = names(demo)[5]
    demo.grid.buttons[5].click()
    assert (demo.state["picture"], demo.state["hit"]) == (first, sixth), "what is searched with stays"
    assert "picked" in demo.grid.pictures[5]
    assert f"searched with {first}" in demo.why.closer.pictures.value
    assert f"Captions nearest to {sixth}" in demo.why.captions.value
    demo.bar.text_only.click()
    assert (names(demo)[0], demo.state["hit"]) == (first, "")
    demo.bar.find.value = "image→text"
    caption = demo.results["caption"][1]
    demo.grid.buttons[1].click()
    assert (demo.bar.text.value, demo.state["find"]) == (caption, "text→image")


def test_words_are_switched_off_one_by_one(demo: RetrievalDemo) -> None:
    demo.drawer.open("why")
    demo.bar.text.value = "red and blue"
    before = names(demo)
    red, _, blue = demo.why.words.children
    assert [toggle.description for toggle in demo.why.words.children] == ["red", "and", "blue"]
    red.value = False
    assert demo.results["person_id"].tolist()[:3] == [12] * 3
    moved = [before.index(name) + 1 - rank for rank, name in enumerate(names(demo), start=1) if name in before]
    assert demo.results["moved"].tolist()[: len(moved)] == moved
    assert "[red] and blue" in demo.summary
    assert any(sign in demo.grid.pictures[0] for sign in "▲▼=")
    blue.value = False
    assert demo.state["off"] == [0, 2]
    red.value = blue.value = True
    assert names(demo) == before
    assert demo.results["moved"].isna().all()
    assert "<td>blue</td>" in demo.why.influence.value


def test_every_word_off_is_a_message(demo: RetrievalDemo) -> None:
    demo.drawer.open("why")
    demo.bar.text.value = "red"
    demo.why.words.children[0].value = False
    assert "every word is switched off" in said(demo)
    demo.why.words.children[0].value = True
    assert len(demo.results)


def test_two_models_side_by_side(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    assert demo.second.layout.display == "none"
    demo.bar.compare.value = True
    assert demo.second.layout.display != "none"
    results = demo.results
    for _, line in results.dropna(subset="rank_second").iterrows():
        assert line["change"] == line["rank"] - line["rank_second"]
    assert results["change"].abs().max() > 0
    assert "▼" in "".join(demo.grid.pictures)
    assert demo.second.buttons[0].description == "Open result 1 of the second model"
    demo.bar.compare.value = False
    assert "change" not in demo.results


def test_answers_that_hardly_fit_anybody_are_not_offered(demo: RetrievalDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (Option("wearing a blue top", "a blue top", 0.97), Option("wearing a teal top", "a teal top", 0.004))
    asked = [Suggestion("top colour", "Which colour on top?", options, 0.5)]
    monkeypatch.setattr("tireid.demo.sure.suggest", lambda *_, **__: asked)
    demo.bar.text.value = "a man"
    demo.drawer.open("sure")
    assert [button.description for button in demo.sure.suggestions] == ["+ a blue top (97%)"]
    assert "Which colour on top?</b> Among these pictures:" in demo.sure.questions.children[0].children[0].value


def test_how_sure_and_its_suggestions(demo: RetrievalDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tireid.demo.sure.suggest", partial(suggest, least=0.0))
    demo.bar.caption.value = 0
    person = demo.state["person"]
    demo.drawer.open("sure")
    sureness = demo.sure.sureness
    assert len(sureness.low) == len(demo.results)
    assert f"{sureness.low[0]} to {sureness.high[0]}" in demo.sure.table.value
    assert sureness.meaning.split()[0] in demo.sure.words.value
    wide = (sureness.high - sureness.low).sum()
    demo.sure.level.value = 0.5
    assert demo.sure.level.value == 0.5
    assert (demo.sure.sureness.high - demo.sure.sureness.low).sum() < wide
    before = demo.bar.text.value
    button = demo.sure.suggestions[0]
    button.click()
    added = button.tooltip.removeprefix("add: ").split()[-1]
    assert demo.bar.text.value.startswith(before.rstrip("."))
    assert added in demo.bar.text.value
    assert demo.state["person"] == person
    demo.bar.find.value = "image→image"
    assert demo.sure.suggestions == []


def test_the_map_follows_the_query_and_a_region_shows_its_pictures(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.drawer.open("map")
    at_red = demo.map.plot.marks
    demo.bar.text.value = "a man in blue"
    assert demo.map.plot.marks != at_red
    assert demo.map.plot.marks in demo.map.static()[1]
    places = demo.map._maps[next(iter(demo.map._maps))]
    points = np.frombuffer(demo.map.plot.pictures, "<f4").reshape(-1, 2)
    np.testing.assert_allclose(points, places.pictures, atol=1e-6)
    demo.map.region.value = "0.5, 1, 0, 0.5"
    inside = [demo._source.gallery.names[row] for row, (x, y) in enumerate(places.pictures) if x >= 0.5 and y <= 0.5]
    shown = [re.search(r'title="([^"]+)"', card)[1] for card in demo.map.grid.pictures]
    assert sorted(shown) == sorted(inside)[:12]
    demo.map.grid.buttons[0].click()
    assert demo.state["picture"] == shown[0]
    assert demo.state["panel"] == "map"
    demo.map.region.value = "0.5 1, 0, 0.25"
    demo.map.region.value = "left"
    assert "is not left, right, bottom, top" in said(demo)
    assert demo.state["region"] == [0.5, 1.0, 0.0, 0.25]
    demo.map.everything.click()
    assert demo.state["region"] == []
    assert not demo.map.grid.buttons


def test_the_map_is_touched(demo: RetrievalDemo, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the browser sends for a pointer over a picture, a click on it, and a lasso around three corners."""
    demo.state = {"text": "a man in red", "panel": "map"}
    plot, gallery, sent = demo.map.plot, demo._source.gallery, []
    monkeypatch.setattr(plot, "send", sent.append)
    plot._handle_custom_msg({"hover": 5}, [])
    assert (sent[0]["row"], sent[0]["name"]) == (5, gallery.names[5])
    assert sent[0]["src"].startswith("data:image/jpeg;base64,")
    plot._handle_custom_msg({"pick": 7}, [])
    assert (demo.state["picture"], demo.state["panel"]) == (gallery.names[7], "map")
    corners = [-0.2, 0, 1.0004, 0, 0, 1]
    plot._handle_custom_msg({"surround": corners}, [])
    assert demo.state["region"] == [0, 0, 1, 0, 0, 1]
    places = demo.map._maps[next(iter(demo.map._maps))].pictures
    inside = [name for name, (x, y) in zip(gallery.names, places, strict=True) if x + y < 1]
    shown = [re.search(r'title="([^"]+)"', card)[1] for card in demo.map.grid.pictures]
    assert sorted(shown) == sorted(inside)
    assert 0 < len(inside) < len(gallery)
    assert "<polygon" in plot.marks
    for wrong in ([0.1, 0.2, 0.3], [0.5, 0.5, 0.5, 0.5, 2, 2], [0.1] * 7):
        with pytest.raises(ValueError, match="corners x, y"):
            demo.state = {"region": wrong}


def test_failures_can_be_sorted_opened_and_exported(crops: Crops, tmp_path: Path) -> None:
    """Everybody has somebody else's captions, so that every query fails."""
    records = crops.split.records
    swapped = [
        replace(own, captions=other.captions) for own, other in zip(records, records[3:] + records[:3], strict=True)
    ]
    split = Split("test", tuple(swapped))
    demo = RetrievalDemo(Gallery.from_split(ColourModel(), split), split=split, state={"panel": "failures"})
    table = demo.failures.failures
    assert sorted(table["query"]) == list(range(len(split.captions)))
    assert table["first_rank"].is_monotonic_decreasing
    for _, line in table.iterrows():
        ranked = demo._source.gallery.search(line["text"], k=12).table
        own = ranked[ranked["person_id"] == line["person_id"]].iloc[0]
        assert (line["first_rank"], line["right"], line["above"]) == (own["rank"], own["name"], ranked["name"][0])
        assert line["gap"] == pytest.approx(ranked["score"][0] - own["score"], abs=1e-6)

    def shown() -> list[str]:
        return [
            drawn.children[1].description.removeprefix("Search with caption ") for drawn in demo.failures.list.children
        ]

    assert shown() == [str(number) for number in table["query"][:8]]
    for page, line in zip(demo.failures.static()[1:], table.itertuples(), strict=False):
        assert page.count("<img") == 2
        assert page.index(f"{line.above}") < page.index(
            f"rank {line.first_rank}, person {line.person_id}, {line.right}"
        )
        assert line.text in page
        assert f"Caption of the picture that came first: {line.differs}" in page
    demo.failures.sort.value = "query"
    demo.failures.ascending.value = True
    assert shown()[:3] == ["0", "1", "2"]
    demo.failures.page.value = 2
    assert shown()[:2] == ["8", "9"]
    demo.failures.list.children[1].children[1].click()
    assert demo.bar.text.value == split.captions[9]
    assert demo.state["page"] == 2
    demo.failures.file.value = str(tmp_path / "worst.csv")
    demo.failures.export.click()
    assert len((tmp_path / "worst.csv").read_text().splitlines()) == len(split.captions) + 1
    demo.failures.file.value = str(tmp_path)
    demo.failures.export.click()
    assert "complaint" in demo.failures.note.value


@pytest.mark.parametrize("text", ["🙂", "word " * 10_000, "\ud800", "<|endoftext|>", "ß" * 300, "\x00"])
def test_odd_text_is_searched_for(demo: RetrievalDemo, text: str) -> None:
    demo.drawer.open("why")
    demo.bar.text.value = text
    assert len(demo.results) == 10
    assert len(demo.why.words.children) <= 40
    demo.bar.text.value = "a man in red"
    assert demo.results["person_id"][0] == 10


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_empty_text_is_a_message(demo: RetrievalDemo, text: str) -> None:
    demo.bar.text.value = "red"
    demo.bar.text.value = text
    assert "type a description" in said(demo)
    assert demo.grid.pictures == []
    assert demo.results.empty
    demo.bar.text.value = "red"
    assert len(demo.results) == 10


def test_controls_complain_and_the_state_stays(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "red"
    before = demo.state
    for control, value, message in (
        (demo.bar.people, "ten", "is not a number"),
        (demo.bar.people, "99", "Only people: it takes a list of numbers out of 10, 11, 12, 13, not 99"),
        (demo.map.region, "0.5, 0.4, 0, 1", "Region: it takes left, right, bottom, top (left before right"),
        (demo.bar.cameras, "1 x", "is not a number"),
    ):
        control.value = value
        assert message in said(demo).replace("&#x27;", "'")
        assert demo.state == before
    demo.bar.people.value = "10"
    assert "complaint" not in said(demo)


def test_data_never_becomes_markup(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    folder = tmp_path / "a<b>&c"
    folder.mkdir()
    paths = [folder / '"><img src=x onerror=alert(1)>.png', folder / "b.png", folder / "c.png"]
    for path in paths:
        picture("red").save(path, "PNG")
    demo = RetrievalDemo(Gallery(ColourModel(), np.eye(4)[:3], paths, root=tmp_path))
    for panel in ("why", "map", "failures", "sure"):
        demo.drawer.open(panel)
        demo.bar.text.value = f"red {evil}"
        demo.grid.buttons[0].click()
        demo.bar.people.value = evil
    shown = "".join(widget.value for widget in widgets_of(demo) if type(widget).__name__ == "HTML")
    shown += demo._repr_mimebundle_()["text/html"] + demo.save_html(tmp_path / "view.html").read_text()
    assert "<script" not in shown
    assert "onerror=alert(1)>.png" in shown.replace("&gt;", ">")
    assert "<img src=x" not in shown


def widgets_of(widget: Any) -> list[Any]:
    return [widget, *(deeper for child in getattr(widget, "children", ()) for deeper in widgets_of(child))]


def test_a_gallery_of_one_without_identities(tmp_path: Path) -> None:
    path = tmp_path / "gone.png"
    demo = RetrievalDemo(Gallery(ColourModel(), np.eye(4)[:1], [path]), spread=QuerySpread(np.eye(4, dtype=np.float32)))
    demo.bar.text.value = "red"
    assert names(demo) == ["gone.png"]
    assert "picture cannot be read: gone.png" in demo.grid.complete()[0]
    for panel in ("why", "sure", "map", "failures"):
        demo.drawer.open(panel)
    assert "a map needs three" in demo.map.static()[0]
    assert "These pictures have no captions" in demo.failures.static()[0]
    demo.drawer.open("why")
    demo.grid.buttons[0].click()
    demo.why.closer.finish()
    assert demo.why.closer.pictures.value.count("picture cannot be read: gone.png") == 2
    assert demo.why.to_captions.layout.display == "none"
    demo.bar.find.value = "image→image"
    assert "no picture is left" in said(demo)
    demo.bar.text_only.click()
    assert names(demo) == ["gone.png"]


def test_only_a_model_with_patches_has_regions(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in red"
    demo.grid.buttons[0].click()
    demo.why.closer.finish()
    assert "No regions: ColourModel has no patches" in demo.why.closer.pictures.value
    assert "<img" in demo.why.closer.pictures.value
    assert "<blockquote>a man in red</blockquote>" in demo.why.closer.pictures.value
    assert [word for word, _ in demo.why.closer.word.options][1:] == ["a", "man", "in", "red"]
    demo.why.closer.word.value = 4
    assert demo.state["word"] == 4


class Painted(TIReID):
    """Sees how red a picture is, and nothing else."""

    device = torch.device("cpu")  # type: ignore[assignment]

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.backbone = SimpleNamespace(grid=(6, 2), image_size=(96, 32), encode_image=self._encode)

    def _encode(self, pixels: torch.Tensor) -> SimpleNamespace:
        shares = torch.relu(pixels[:, 0]).mean(dim=(1, 2))
        return SimpleNamespace(pooled=torch.stack([shares, torch.ones_like(shares)], dim=1))

    def encode_texts(self, texts: list[str], *, batch_size: int = 64) -> torch.Tensor:
        return torch.tensor([[1.0, 0.0] if "red" in text else [0.0, 1.0] for text in texts])


@pytest.mark.parametrize("word", [0, 1], ids=["of the description", "of a word"])
@pytest.mark.parametrize("turned", [False, True], ids=["upright", "on its side"])
def test_the_regions_that_decided_are_those_whose_hiding_costs_most(tmp_path: Path, turned: bool, word: int) -> None:
    """Red lies in the lower right corner: only squares around the last two rows of patches hide it.

    Also of a photograph that is stored on its side, with the EXIF orientation that turns it.
    """
    path, exif = tmp_path / "man.png", Image.Exif()
    pixels = np.zeros((96, 32, 3), np.uint8)
    pixels[80:, 16:] = 255, 0, 0
    exif[0x0112] = 6 if turned else 1
    Image.fromarray(np.rot90(pixels).copy() if turned else pixels).save(path, exif=exif)
    gallery = Gallery(Painted(), np.eye(2, dtype=np.float32)[:1], [path], upright=True)
    demo = RetrievalDemo(gallery, state={"text": "red"})
    demo.grid.buttons[0].click()
    demo.why.closer.word.value = word
    demo.why.closer.finish()
    told = re.search(r"to row (\d) of 6 from above, column \d of 2", demo.why.closer.pictures.value)
    assert told
    assert int(told[1]) >= 5


def test_uploaded_pictures_are_searched(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in yellow"
    demo.bar.upload.value = (upload("../one.png", png("yellow")), upload("two.png", png("black")))
    assert demo.state["gallery"] == "uploaded"
    assert names(demo) == ["one.png", "two.png"]
    demo.grid.buttons[0].click()
    assert demo.state["picture"] == "one.png"
    demo.bar.gallery.value = "given"
    demo.bar.find.value = "image→image"
    assert demo.results["person_id"].tolist()[:3] == [13] * 3


def photograph(demo: RetrievalDemo, name: str, content: bytes) -> None:
    """What the browser sends when a picture is dropped on the bar."""
    demo.bar.photograph._handle_custom_msg({"name": name, "others": []}, [memoryview(content)])


def test_a_photograph_is_searched_with(demo: RetrievalDemo, gallery: Gallery, tmp_path: Path) -> None:
    """Alone, then with the description; its name may be that of a picture of the gallery, which is another one."""
    taken = gallery.names[0].rpartition("/")[2]
    for name in (f"../{taken}", taken):
        photograph(demo, name, png("blue"))
    assert (demo.state["find"], demo.state["gallery"]) == ("image→image", "given")
    path = tmp_path / "own.png"
    path.write_bytes(png("blue"))
    assert names(demo) == [hit.name for hit in gallery.search(path, k=10)]
    assert f"like _{taken}" in demo.bar.queried.value
    demo.bar.text.value = "a man in red"
    assert demo.state["find"] == "text+image→image"
    both = gallery.search(text="a man in red", image=path, text_weight=0.5, k=10)
    assert names(demo) == [hit.name for hit in both]
    demo.bar.upload.value = (upload("one.png", png("yellow")),)
    demo.bar.gallery.value = "given"
    assert names(demo) == [hit.name for hit in both], "pictures to search in do not replace it"
    photograph(demo, "notes<b>.txt", b"no picture")
    assert "notes&lt;b&gt;.txt" in said(demo)
    assert names(demo) == [hit.name for hit in both]


def test_a_photograph_of_another_kind_is_marked(demo: RetrievalDemo) -> None:
    photograph(demo, "mine.png", png("blue"))
    assert 'role="note"' not in said(demo)
    demo._source.photographs["mine.png"].likeness = np.array([0.001], np.float32)
    told = "unlike those that the model was trained on (p = 0.001"
    for way in FIND[1:]:  # as text and picture too, and when captions are found
        demo.state = {"find": way, "text": "a man in red"}
        demo._store.refresh()
        assert said(demo).count(told) == 1, way
        assert told in demo._static(), way
    demo.state = {"find": FIND[0]}
    assert told not in said(demo) + demo._static()


def test_a_picture_of_the_gallery_is_marked_too(demo: RetrievalDemo, gallery: Gallery) -> None:
    gallery.likeness = np.full(len(gallery), 0.5, np.float32)
    gallery.likeness[0] = 0.002
    try:
        demo.state = {"find": FIND[2], "picture": gallery.names[0]}
        assert "The picture is unlike those that the model was trained on (p = 0.002;" in said(demo)
        demo.state = {"picture": gallery.names[1], "k": 1}
        assert "The picture is unlike" not in said(demo)
    finally:
        gallery.likeness = None


def test_an_unreadable_upload_is_a_message(demo: RetrievalDemo) -> None:
    demo.bar.text.value = "a man in pink"
    demo.bar.upload.value = (upload("notes<b>.txt", b"no picture"),)
    assert "none of the uploaded files is a readable picture: notes&lt;b&gt;.txt" in said(demo)
    assert demo.state["gallery"] == "given"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the gallery never sees it
        demo.bar.upload.value = (upload("half.png", png("pink")[:40]), upload("whole.png", png("pink")))
    assert "left out: half.png" in said(demo)
    assert names(demo) == ["whole.png"]


def test_a_state_restores_the_view(demo: RetrievalDemo, crops: Crops, gallery: Gallery, second: Gallery) -> None:
    demo.bar.caption.value = 4
    demo.bar.k.value = 5
    demo.bar.people.value = "12, 13"
    demo.grid.buttons[1].click()
    demo.why.words.children[0].value = False
    demo.bar.compare.value = True
    demo.drawer.open("map")
    demo.map.region.value = "0.1, 0.8, 0, 1"
    kept = json.loads(json.dumps(demo.state))
    other = RetrievalDemo(gallery, split=crops.split, compare=second, state=kept)
    assert other.state == kept
    assert other.results.equals(demo.results)
    assert other.bar.people.value == "12, 13"
    assert other.map.region.value == "0.1, 0.8, 0, 1"
    assert other.citation == demo.citation
    assert other._repr_mimebundle_()["text/html"] == demo._repr_mimebundle_()["text/html"]


def test_a_wrong_state_is_named_and_changes_nothing(demo: RetrievalDemo) -> None:
    before = demo.state
    with pytest.raises(ValueError, match="did you mean 'cameras'"):
        demo.state = {"k": 3, "camera": [1]}
    assert demo.state == before


def test_a_citation_holds_the_state(demo: RetrievalDemo) -> None:
    demo.bar.text.value = 'a "man" in rød'
    demo.bar.k.value = 3
    state = json.loads(demo.citation.partition("state = ")[2])
    assert state == {"text": 'a "man" in rød', "k": 3}
    assert demo.copy.value == demo.citation
    assert "gallery of 12 pictures, model " in demo.citation


def test_the_static_form_lists_the_results(demo: RetrievalDemo) -> None:
    demo.bar.caption.value = 0
    bundle = demo._repr_mimebundle_()
    lines = bundle["text/plain"].splitlines()
    assert lines[:2] == ['pictures for "a man in red"', "10 of 12 pictures, first right one at rank 1"]
    assert [line.split()[3] for line in lines[2:]] == names(demo)
    assert len(re.findall(r'<img alt="rank \d+, score', bundle["text/html"])) == 10
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_saved_page_needs_no_network(demo: RetrievalDemo, tmp_path: Path) -> None:
    demo.bar.text.value = "a man in red"
    demo.drawer.open("map")
    text = demo.save_html(tmp_path / "out/view.html").read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "url(" not in text
    assert text.count("data:image/jpeg;base64,") == 10
    assert "data:image/png;base64," in text


def test_every_control_has_a_label(demo: RetrievalDemo) -> None:
    for panel in ("why", "sure", "map", "failures"):
        demo.bar.text.value = "a man in red"
        demo.drawer.open(panel)
        for widget in widgets_of(demo):
            if hasattr(widget, "value") and type(widget).__name__ not in ("HTML", "Image"):
                assert widget.description.strip(), widget
            if type(widget).__name__ == "Button":
                assert widget.description.strip()


def test_another_model_is_refused(gallery: Gallery) -> None:
    assert RetrievalDemo(gallery, ColourModel()).state["k"] == 10
    with pytest.raises(ValueError, match="encoded by another model"):
        RetrievalDemo(gallery, ColourModel(turn=2.0))


def test_large_pictures_do_not_hold_up_the_ranking(tmp_path: Path) -> None:
    """The list is there with boxes for what is not decoded yet; the pictures follow."""
    import threading

    from tireid.show import cards

    release = threading.Event()
    slow = cards.thumbnail
    gallery = Gallery(ColourModel(), np.eye(4)[:2], [tmp_path / "a.png", tmp_path / "b.png"])
    for path in gallery.paths:
        Image.new("RGB", (10, 30)).save(path)
    demo = RetrievalDemo(gallery)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(cards, "thumbnail", lambda path, **how: release.wait(20) and slow(path, **how))
        demo.bar.text.value = "red"
        assert len(demo.results) == 2
        assert "<img" not in "".join(demo.grid.pictures)
        assert "rank 1, score" in demo.grid.pictures[0]
        release.set()
        demo._source.thumbnails.finish()
        assert all("<img" in card for card in demo.grid.pictures)


class Colours(widgets.HTML):
    """A panel of one's own: how many results are of each person, and a button that asks for more."""

    name, title = "colours", "Colours"

    def __init__(self, store: Store, source: Source) -> None:
        super().__init__()
        self.store, self.source = store, source

    def draw(self, view: View, answer: Answer) -> None:
        people = [card.person_id for card in answer.cards]
        self.value = f"<p>{view.text}: {people.count(10)} of {len(self.source.gallery)} red</p>"

    def static(self) -> list[str]:
        return [self.value]

    def more(self) -> None:
        self.store.ask(k=self.store.view.k + 1)


def test_a_panel_of_ones_own(gallery: Gallery, tmp_path: Path) -> None:
    demo = RetrievalDemo(gallery, panels=[Colours], state={"text": "red", "k": 2, "panel": "colours"})
    panel = demo.panels["colours"]
    assert demo.drawer.sections["colours"].description == "Colours"
    assert panel in widgets_of(demo)
    assert panel.value == "<p>red: 2 of 12 red</p>"
    demo.bar.k.value = 5
    assert panel.value == "<p>red: 3 of 12 red</p>"
    panel.more()
    assert len(demo.results) == 6
    assert panel.value in demo.save_html(tmp_path / "view.html").read_text()
    demo.drawer.open("none")
    demo.bar.text.value = "blue"
    assert panel not in widgets_of(demo)
    assert "red: 3" in panel.value, "a closed panel is not drawn"
    with pytest.raises(ValueError, match="names of their own"):
        RetrievalDemo(gallery, panels=[Colours, Colours])
    with pytest.raises(ValueError, match="panel"):
        RetrievalDemo(gallery, state={"panel": "colours"})


def test_every_panel_of_the_package_is_in_the_demo(demo: RetrievalDemo) -> None:
    rooms = [import_module(f"tireid.demo.{room.name}") for room in iter_modules(tireid.demo.__path__)]
    own = {thing for room in rooms for thing in vars(room).values() if isinstance(thing, type)}
    named = {
        thing.name
        for thing in own
        if issubclass(thing, widgets.VBox) and hasattr(thing, "draw") and "name" in vars(thing)
    }
    assert named == demo.panels.keys() - {"filters", "cite"}
    assert list(demo.panels) == ["filters", "why", "sure", "map", "failures", "basket", "cite"]
    assert demo.drawer.sections.keys() == demo.panels.keys()


def test_outside_its_domain_no_share_is_told() -> None:
    one = np.array([1])
    told = Sureness(one, one, np.array([1.0]), 1, False, 0.9, 200, False, Likeness(("<b>x</b>",), outside=True))
    page = told_html(told, "<i>known</i>")
    assert "%" not in page
    assert "ambiguous" not in page.lower()
    assert "cannot be told" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "&lt;i&gt;known" in page
