"""What the demo answers, against the gallery's own search and a slow ranking."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.fakes import ColourModel, Crops
from tireid.demo.source import Place, Source
from tireid.demo.state import View
from tireid.search import Gallery
from tireid.search.index import Index


@pytest.fixture
def source(gallery: Gallery, crops: Crops, second: Gallery) -> Source:
    return Source(gallery, crops.split, second)


@pytest.mark.parametrize(
    ("values", "search"),
    [
        ({}, {}),
        ({"k": 3}, {"k": 3}),
        ({"people": [10, 12]}, {"person_ids": [10, 12]}),
        ({"cameras": [2]}, {"cameras": [2]}),
        ({"people": [11], "cameras": [0, 1], "person": 11}, {"person_ids": [11], "cameras": [0, 1], "person_id": 11}),
        ({"person": 12}, {"person_id": 12}),
    ],
)
def test_text_to_image_is_the_gallerys_search(source: Source, values: dict, search: dict) -> None:
    answer = source.answer(View(text="someone blue and pink", **values))
    expected = source.gallery.search("someone blue and pink", **search).table
    found = answer.table
    for column in ("rank", "name", "person_id", "camera", "correct"):
        assert found[column].tolist() == expected[column].tolist(), column
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-7)


def test_image_to_image_leaves_the_query_out(source: Source) -> None:
    name = source.gallery.names[4]
    answer = source.answer(View(find="image→image", picture=name, k=5))
    expected = source.gallery.search(image=source.gallery.paths[4], exclude=[name], k=5)
    assert answer.names == [hit.name for hit in expected]
    assert [card.correct for card in answer.cards] == [
        hit.person_id == source.gallery.person_ids[4] for hit in expected
    ]


def test_image_to_text_ranks_every_caption(source: Source) -> None:
    name = source.gallery.names[0]
    answer = source.answer(View(find="image→text", picture=name, k=4))
    texts = ColourModel().encode_texts(source.captions).double().numpy()
    scores = texts @ source.gallery.features[0].astype(np.float64)
    order = sorted(range(len(scores)), key=lambda row: (-round(scores[row], 6), source.captions[row]))
    assert [round(score, 5) for score in [card.score for card in answer.cards]] == [
        round(scores[row], 5) for row in order[:4]
    ]
    assert answer.names == [source.captions[row] for row in order[:4]]
    person = int(source.gallery.person_ids[0])
    assert [card.correct for card in answer.cards] == [source.caption_people[row] == person for row in answer.rows]


def test_words_that_are_off_do_not_count(source: Source) -> None:
    view = View(text="a man in red and blue", off=[5])
    answer = source.answer(view)
    assert answer.names == source.answer(View(text="a man in red and")).names
    before = source.answer(View(text=view.text, k=50)).names
    assert answer.moved == [before.index(n) + 1 - r for r, n in enumerate(answer.names, start=1)]


def test_places_won_by_the_second_model(source: Source) -> None:
    view = View(text="a man in red", k=4, compare=True)
    first, other = source.both(view)
    whole = View(text="a man in red", k=50)
    ranks = [source.answer(whole).names, source.answer(whole, second=True).names]
    scores = {name: (ranks[0].index(name), ranks[1].index(name)) for name in ranks[0]}
    for answer in (first, other):
        for name, change in zip(answer.names, answer.change, strict=True):
            assert change == scores[name][0] - scores[name][1], name


def test_captions_of_a_picture_come_with_their_people(source: Source) -> None:
    query, person = Place(source.gallery, 4).feature, int(source.gallery.person_ids[4])
    table = source.nearest_captions(source.gallery, query, 6, person).table
    assert table["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    for _, line in table.iterrows():
        numbers = [number for number, text in enumerate(source.captions) if text == line["caption"]]
        assert line["person_id"] in {source.caption_people[number] for number in numbers}
        assert line["correct"] == (line["person_id"] == person)
    unknown = source.nearest_captions(source.gallery, query, 99, None)
    assert len(unknown.cards) == len(source.captions)
    assert unknown.table["correct"].isna().all()


@pytest.mark.parametrize("seed", range(8))
def test_ranks_and_the_first_right_one_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((40, 6)).astype(np.float32)
    query = rng.standard_normal(6)
    right, allowed = rng.random(40) < 0.1, rng.random(40) < 0.7
    right[7] = True
    best = (features @ query).argmax()
    right[best], allowed[best] = True, seed % 2 == 0
    allowed[7] = True
    scores = features.astype(np.float64) @ query
    order = [row for row in np.argsort(-scores) if allowed[row]]
    rows = np.array(order[:3])
    index = Index(features, [str(row) for row in range(40)])
    np.testing.assert_array_equal(index.ranks(query, np.array(order), allowed), np.arange(1, len(order) + 1))
    expected = next(rank for rank, row in enumerate(order, start=1) if right[row])
    assert index.first(query, right, rows, allowed) == expected
    assert index.first(query, right & False, rows, allowed) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"text": ""}, "type a description"),
        ({"text": " \n"}, "type a description"),
        ({"text": "red", "off": [0]}, "every word is switched off"),
        ({"text": "red", "find": "image→image"}, "click a picture first"),
        ({"text": "red", "people": [10], "cameras": [9]}, "no picture is left"),
    ],
)
def test_what_cannot_be_searched_gives_a_message(source: Source, values: dict, message: str) -> None:
    answer = source.answer(View(**values))
    assert message in answer.message
    assert len(answer.rows) == 0
    assert len(answer.table) == 0


def test_filters_need_data(crops: Crops) -> None:
    bare = Gallery(ColourModel(), np.eye(4), [f"{i}.png" for i in range(4)])
    source = Source(bare)
    assert "no person_ids" in source.answer(View(text="red", people=[1])).message
    assert "no cameras" in source.answer(View(text="red", cameras=[1])).message
    assert "give the demo a split" in source.answer(View(find="image→text", picture="0.png")).message


def test_the_filter_by_split(gallery: Gallery, crops: Crops) -> None:
    from tireid.data.dataset import Split

    halves = Split("val", crops.split.records[:6]), Split("test", crops.split.records[6:])
    answer = Source(gallery, halves).answer(View(text="a man in red", split="test", k=50))
    assert answer.among == 6
    assert set(answer.splits) == {"test"}
    assert {card.person_id for card in answer.cards} == {12, 13}


def test_a_second_gallery_of_other_pictures_is_refused(gallery: Gallery) -> None:
    other = Gallery(ColourModel(), gallery.features[:3], gallery.paths[:3])
    with pytest.raises(ValueError, match="same pictures in the same order: 3 pictures, the gallery has 12"):
        Source(gallery, None, other)


def test_words_are_what_white_space_separates() -> None:
    text = " a  man,\tin blue. "
    assert View(text=text).description == text
    assert View(text=text, off=[0, 3]).description == "man, in"
    assert View(text=text).words == ["a", "man,", "in", "blue."]
