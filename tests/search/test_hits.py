"""What a ranked list shows: as text, table, HTML and figure."""

from __future__ import annotations

import base64
import io
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from tests.search.fakes import picture
from tireid.search import Gallery, Hit, Hits

NASTY = "<script>alert('1')</script> \"&amp;"


class Elements(HTMLParser):
    """Every tag with its attributes, and the text outside of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def test_what_a_terminal_would_obey_is_printed_as_an_escape(model) -> None:
    gallery = Gallery(model, model.encode_texts(["red"]), ["a  b\x1b[2J\u202e\n.jpg"])
    printed = str(gallery.search("red \x1b]0;title\x07", k=1))
    assert r"a  b\x1b[2J\u202e\n.jpg" in printed
    assert r'"red \x1b]0;title\x07"' in printed
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.fixture
def hits(model, crops) -> Hits:
    return Gallery.from_split(model, crops.split).search("a man in red", k=4, person_id=10)


def test_text_is_the_ranked_list(hits):
    lines = str(hits).splitlines()
    assert lines[0] == '4 hits for "a man in red"'
    assert lines[1] == f" 1  {hits[0].score:.2f}  ✓  cam0/red_0.png  person 10"
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3", "4"]
    assert "✗" in lines[4]
    assert hits._repr_mimebundle_()["text/plain"] == str(hits)


def test_is_a_sequence_and_a_table(hits):
    assert len(hits) == 4
    assert [h.rank for h in hits] == [1, 2, 3, 4]
    assert isinstance(hits[:2], Hits)
    assert len(hits[:2]) == 2
    assert hits[-1].rank == 4
    table = hits.table
    assert table.columns.tolist() == ["rank", "name", "score", "person_id", "camera", "correct", "path"]
    assert table["path"].tolist() == [str(h.path) for h in hits]
    assert table["correct"].tolist() == [True, True, True, False]
    assert Hits((Hit(1, Path("a"), "a", 0.5),)).table.isna().sum().sum() == 3


def test_html_shows_the_pictures_in_order(hits):
    page = Elements(hits._repr_mimebundle_()["text/html"])
    images = page.all("img")
    assert len(images) == 4
    for hit, image in zip(hits, images, strict=True):
        shown = Image.open(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/jpeg;base64,"))))
        expected = Image.open(hit.path).getpixel((5, 5))
        assert shown.convert("RGB").getpixel((5, 5)) == pytest.approx(expected, abs=6)
        verdict = "right" if hit.correct else "wrong"
        assert image["alt"] == f"rank {hit.rank}, score {hit.score:.3f}, {verdict}, person {hit.person_id}, {hit.name}"
    assert page.text.count("✓ right") == 3
    assert page.text.count("✗ wrong") == 1
    assert not any("http" in value for _, attributes in page.tags for value in attributes.values())


def test_data_never_becomes_markup(model, tmp_path):
    path = tmp_path / "x" / '<img src=x onerror=\'a()\'>" onload="c()" x=".png'
    path.parent.mkdir()
    picture("red").save(path)
    missing = tmp_path / "x" / '"><script>b()<' / "missing.png"
    gallery = Gallery(model, model.encode_images([path, path]), [path, missing])
    hits = gallery.search(f"red {NASTY}")
    for html in (hits.show().html, hits.save_html(tmp_path / "page.html").read_text(encoding="utf-8")):
        page = Elements(html)
        assert not page.all("script")
        assert len(page.all("img")) == 1
        assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
        assert NASTY in page.text
        assert '<img src=x onerror=\'a()\'>" onload="c()" x=".png' in page.text


def test_query_picture_is_shown_too(model, crops):
    path = crops.root / "cam0" / "red_0.png"
    hits = Gallery.from_split(model, crops.split).search(("blue", path), k=2)
    assert hits.title == '2 hits for "blue" and a picture'
    images = Elements(hits.show().html).all("img")
    assert [image["alt"].split(",")[0] for image in images] == ["the picture searched for", "rank 1", "rank 2"]


def test_missing_picture_is_a_labelled_box(hits, tmp_path):
    hits[1].path.unlink()
    hits[2].path.write_bytes(b"broken")
    page = Elements(hits.show().html)
    boxes = [attributes["aria-label"] for attributes in page.all("div") if attributes.get("role") == "img"]
    assert [box.split(",")[0] for box in boxes] == ["rank 2", "rank 3"]
    assert str(hits[1].path) in boxes[0]
    assert len(page.all("img")) == 2
    assert [len(axis.images) for axis in hits.figure().axes] == [1, 0, 0, 1]


def test_long_names_wrap_in_a_notebook_that_jupyterlab_does_not_trust_yet(hits):
    # Its sanitizer keeps "normal" and "break-word" only; without the latter names run over the neighbouring cards.
    hits[1].path.unlink()
    page = Elements(hits.show().html)
    cards = [*page.all("figure"), *(box for box in page.all("div") if box.get("role") == "img")]
    styles = [dict(part.split(":", 1) for part in card["style"].split(";")) for card in cards]
    assert len(styles) == 5
    assert {style["overflow-wrap"] for style in styles} == {"break-word"}


def test_show_lays_out_and_falls_back_to_text(hits):
    view = hits.show(columns=3, width=50)
    assert repr(view) == str(hits)
    assert view._repr_mimebundle_() == {"text/html": view.html, "text/plain": str(hits)}
    assert "repeat(3," in view.html
    assert {image["width"] for image in Elements(view.html).all("img")} == {"50"}
    for options in ({"columns": 0}, {"width": 0}):
        with pytest.raises(ValueError, match="columns must be at least 1 and width positive"):
            hits.show(**options)


def test_saved_page_stands_alone(hits, tmp_path):
    text = hits.save_html(tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    page = Elements(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.all("meta")[0] == {"charset": "utf-8"}
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("img")) == 4
    assert not page.all("link")
    assert not page.all("script")


def test_html_is_deterministic(hits):
    assert hits.show().html == hits.show().html


def test_figure_draws_every_hit_and_describes_itself(hits):
    figure = hits.figure(columns=3)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(figure.axes) == 6
    assert [axis.get_title() for axis in shown] == [f"{h.mark} {h.rank} · {h.score:.3f}" for h in hits]
    assert [axis.get_xlabel() for axis in shown] == [f"person {h.person_id}\n{h.name}" for h in hits]
    assert shown[0].images[0].get_array()[5, 5].tolist() == list(Image.open(hits[0].path).getpixel((5, 5)))
    assert figure.alt_text.startswith('4 hits for "a man in red". rank 1, score')
    assert "wrong, person" in figure.alt_text
    figure.savefig(io.BytesIO(), format="png")


def test_figure_of_names_that_look_like_formulas(model, tmp_path):
    picture("red").save(tmp_path / "$x^{$.png")
    hits = Gallery.from_folder(model, tmp_path).search("red $\\frac{$")
    hits.figure().savefig(io.BytesIO(), format="png")


def test_figure_without_matplotlib_names_the_extra(hits, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'tireid\[notebooks\]'"):
        hits.figure()
