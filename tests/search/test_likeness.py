"""What a search says of itself: notes for people to read, escaped where they are shown."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.fakes import ColourModel
from tireid.domain import Domain, Held, Presence, Words
from tireid.search import Gallery
from tireid.search.hits import Hits
from tireid.search.likeness import Likeness

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
