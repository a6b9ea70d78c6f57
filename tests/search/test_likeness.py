"""What a search says of itself: notes for people to read, escaped where they are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from tests.search.fakes import ColourModel
from tireid import TIReID
from tireid.data import Tokenizer
from tireid.data.images import load_image
from tireid.domain import Domain, Held, Presence, Words
from tireid.search import Gallery
from tireid.search.database import Database
from tireid.search.hits import Hits
from tireid.search.likeness import Among, Likeness
from tireid.search.query import unread

NAMES = ["a.jpg", "<b>.jpg", "c.jpg", "d.jpg"]


@pytest.fixture
def model() -> ColourModel:
    """Knows red and blue; presence: with one other person, a best score up to 0.5 is too low."""
    model = ColourModel()
    captions = ["a red coat", "a blue coat", "red", "blue"] * 10
    features = np.asarray(model.encode_texts(captions), np.float32)
    width = features.shape[1]
    words = Words.fit(captions, features, captions, features)
    people = np.repeat(np.arange(40), 1)
    presence = Presence.fit((np.eye(40, width), people), (np.eye(40, width), people))
    assert presence is not None
    model.domain = Domain(Held("<i>drawn</i>", 1, 1, 1), Held("others", 40, 40, 40), words, None, presence)
    return model


@pytest.fixture
def gallery(model: ColourModel) -> Gallery:
    return Gallery(model, model.encode_texts(["red", "blue", "red", "blue"]), NAMES)


def test_people_are_counted_only_where_somebody_may_be_missing(monkeypatch):
    """In a large gallery it takes longer than the search."""
    model = ColourModel()
    gallery = Gallery(model, model.encode_texts(["red", "blue", "red", "blue"]), NAMES, person_ids=[1, 2, 3, 3])
    assert Among.of(gallery, np.array([True, False, True, True])).counts.tolist() == [1, 2]
    monkeypatch.setattr(Among, "counts", property(lambda self: pytest.fail("counted")))
    assert len(gallery.search("red")) == 4


def test_what_is_known_needs_no_note(gallery):
    hits = gallery.search("a red coat")
    assert hits.notes == ()
    assert hits[:1].domain == hits.domain == gallery.model.domain.summary()
    assert "note:" not in str(hits)


def test_new_words_are_named_in_every_face_and_escaped(gallery):
    hits = gallery.search("a red <script>")
    assert hits.notes == ("3 of 5 words were never met in training: <, script, >.",)
    assert f"note: {hits.notes[0]}" in str(hits)
    page = hits.show()._repr_mimebundle_()["text/html"]
    assert hits.notes[0].replace("<", "&lt;").replace(">", "&gt;") in page
    assert "&lt;i&gt;drawn" in page
    assert "<i>drawn" not in page
    assert hits[:1].notes == hits.notes


def test_marked_pictures_are_named_and_counted(gallery):
    gallery.likeness = np.array([0.5, 0.01, 0.5, 0.5], np.float32)
    told = gallery.search("blue").notes
    assert told == ("Unlike the pictures that the model was trained on: <b>.jpg (1 of the 4 shown).",)
    assert "&lt;b&gt;.jpg" in gallery.search("blue").show()._repr_mimebundle_()["text/html"]
    gallery.likeness[:] = 0.01
    assert gallery.search("blue").notes[0].startswith("4 of 4 pictures of the gallery")


def test_in_a_mixed_gallery_the_marked_results_are_named_too(gallery):
    gallery = Gallery(gallery.model, gallery.model.encode_texts(["red", "blue"] * 50), [f"{i}.jpg" for i in range(100)])
    gallery.likeness = np.where(np.arange(100) % 2, 0.01, 0.5).astype(np.float32)  # the blue ones
    assert [note[:9] for note in gallery.search("red", k=3).notes] == ["50 of 100"]
    shown = "Unlike the pictures that the model was trained on: 1.jpg, 11.jpg, 13.jpg (3 of the 3 shown)."
    assert gallery.search("blue", k=3).notes[1:] == (shown,)


def test_what_the_model_does_not_read_is_told(gallery):
    gallery.model.tokenizer = Tokenizer.train(["a red hat"], vocab_size=600, context_length=6)
    told = 'The description is longer than the model reads: what follows "… a red hat a" does not count.'
    long = "a red hat a red"
    assert told in gallery.search(long).notes
    assert told in gallery.search_many([long])[0].notes
    assert told not in gallery.search("a red hat a").notes
    assert unread(object(), long) == []


def test_filters_leave_out_what_is_marked(gallery):
    gallery.likeness = np.array([0.01, 0.01, 0.5, 0.5], np.float32)
    assert gallery.search("blue", exclude=NAMES[:2]).notes == ()


def test_outside_nothing_is_said_of_presence(gallery):
    feature = np.asarray(gallery.model.encode_texts(["red"]))[0].astype(np.float64)
    inside = Likeness.of(gallery, "red", feature, [0, 2])
    assert not inside.outside
    assert 0 < inside.nobody <= 1
    outside = Likeness.of(gallery, "teal", feature, [0, 2])
    assert outside.outside
    assert outside.nobody is outside.power is None


def test_a_low_best_score_is_told_with_its_rate_and_power(gallery):
    feature = np.asarray(gallery.model.encode_texts(["red"]))[0].astype(np.float64)
    low = Likeness.of(gallery, "red", feature, [1])  # the best is a blue one
    assert low.nobody <= 0.05
    assert low.notes[-1].startswith("Perhaps nobody here fits: of people who are in such a gallery, 5% get so low")
    assert f"noticed in {low.power:.0%}" in low.notes[-1]


def test_of_a_short_description_nobody_is_missed(gallery):
    feature = np.asarray(gallery.model.encode_texts(["red"]))[0].astype(np.float64)
    domain = gallery.model.domain
    gallery.model.domain = replace(domain, presence=replace(domain.presence, fewest_words=3))
    short, long = (Likeness.of(gallery, text, feature, [1]) for text in ("red coat", "a red coat"))  # a blue one
    assert short == Likeness()
    assert long.nobody <= 0.05


def test_likeness_is_saved_with_the_gallery(gallery, tmp_path):
    gallery.likeness = np.array([0.5, 0.01, 0.5, 0.5], np.float32)
    again = Gallery.load(gallery.save(tmp_path), gallery.model)
    np.testing.assert_array_equal(again.likeness, gallery.likeness)
    gallery.likeness = None
    assert Gallery.load(gallery.save(tmp_path), gallery.model).likeness is None


def test_models_that_do_not_know_their_domain_say_nothing(gallery):
    bare = Gallery(ColourModel(), gallery.features, NAMES)
    assert bare.search("teal").notes == ()
    assert bare.search("teal").domain == ""
    assert Hits(()).notes == ()


PICTURE = "The picture is unlike those that the model was trained on (p = "


@pytest.fixture(scope="module")
def flower() -> Image.Image:
    return Image.fromarray(load_sample_image("flower.jpg"))


@pytest.fixture(scope="module")
def drawn() -> Gallery:
    model = TIReID.from_pretrained("tiny-street")
    texts = ["a woman in a red coat", "a man in a blue shirt and black trousers", "a man with a backpack"]
    return Gallery(model, model.encode_texts(texts), NAMES[:3], [1, 2, 3])


def test_a_picture_that_is_searched_with_is_tested(drawn, flower, tmp_path):
    """Alone and beside a description, as a file too; nobody measured whether its person is there."""
    flower.save(tmp_path / "flower.png")
    black = Image.new("RGB", (64, 192))
    for query in (flower, black, tmp_path / "flower.png", ("a woman in a red coat", flower)):
        notes = drawn.search(query).notes
        assert len(notes) == 1
        assert notes[0].startswith(PICTURE)
        assert notes[0].endswith("; of such pictures 5% are marked by mistake).")
    words, picture = drawn.search(("asdfgh", black)).notes
    assert words == "1 of 1 words was never met in training: asdfgh."
    assert picture.startswith(PICTURE)
    page = drawn.search(black).show()._repr_mimebundle_()["text/html"]
    assert PICTURE in page
    assert "What the model knows" in page


def test_the_picture_is_decoded_once(drawn, flower, monkeypatch):
    seen = []
    monkeypatch.setattr("tireid.search.likeness.load_image", lambda *given: seen.append(1) or load_image(*given))
    monkeypatch.setattr("tireid.model.encoding.load_image", lambda *given: seen.append(2) or load_image(*given))
    drawn.search(flower)
    assert seen == [1]


def test_many_descriptions_are_told_what_one_is(drawn):
    texts = ["asdfgh", "a woman in a red coat", "a cat", "a man with a backpack"]
    for one, hits in zip(map(drawn.search, texts), drawn.search_many(texts), strict=True):
        assert (hits.notes, hits.domain, hits.text) == (one.notes, one.domain, one.text)
    assert drawn.search_many(["asdfgh"])[0].notes
    marked = Gallery(drawn.model, drawn.features, NAMES[:3])
    marked.likeness = np.full(3, 0.01, np.float32)
    assert marked.search_many(["a woman in a red coat"])[0].notes[-1].startswith("3 of 3 pictures of the gallery")
    assert len(drawn.search_many(["half \ud83d of a sign"])[0]) == 3


def test_a_database_says_what_its_gallery_says(drawn, flower, tmp_path):
    pytest.importorskip("lancedb")
    gallery = Gallery(drawn.model, drawn.features, NAMES[:3])
    gallery.likeness = np.array([0.5, 0.01, 0.5], np.float32)
    for likeness in (gallery.likeness, np.full(3, 0.01, np.float32), None):
        gallery.likeness = likeness
        base = Database.export(gallery, tmp_path / str(likeness))
        for query in ("asdfgh", "a woman in a red coat", flower, ("a man with a backpack", flower)):
            assert base.search(query).notes == gallery.search(query).notes, query
        assert base.search(flower, k=1).notes[0].startswith(PICTURE)
