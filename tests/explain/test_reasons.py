"""Explanations against the search itself, one query at a time, and attention against its formula."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tireid.explain.failures import failures, person_attributes
from tireid.explain.reasons import word_ablation
from tireid.search import Gallery, evaluate

TEXT = "a man in red and blue and pink"


@pytest.fixture
def gallery(model, crops) -> Gallery:
    return Gallery.from_split(model, crops.split)


def searched(gallery: Gallery, text: str, k: int = 99) -> pd.DataFrame:
    hits = gallery.search(text, k=k)
    return pd.DataFrame({"name": [hit.name for hit in hits], "score": [hit.score for hit in hits]})


@pytest.mark.parametrize("off", [(), (3,), (0, 5)])
def test_ablation_equals_a_search_for_each_variant(gallery, model, off):
    words = TEXT.split()
    before = len(model.calls)
    ablation = word_ablation(gallery, TEXT, k=4, off=off)
    assert len(model.calls) == before + 1, "all variants in one batch"
    without = " ".join(word for i, word in enumerate(words) if i not in off)
    assert (ablation.words, ablation.text, ablation.off) == (tuple(words), without, frozenset(off))

    whole, part = searched(gallery, TEXT), searched(gallery, without)
    for column, found in (("rank_all", whole), ("rank", part)):
        expected = [1 + int(found.index[found["name"] == name][0]) for name in ablation.pictures["name"]]
        assert ablation.pictures[column].tolist() == expected
    assert set(ablation.pictures["name"]) == set(whole["name"][:4]) | set(part["name"][:4])
    assert (ablation.pictures["change"] == ablation.pictures["rank_all"] - ablation.pictures["rank"]).all()
    assert [gallery.names[row] for row in ablation.pictures["row"]] == ablation.pictures["name"].tolist()

    best = part["name"][:4].tolist()
    for place, row in ablation.influence.iterrows():
        variant = searched(gallery, " ".join(w for i, w in enumerate(words) if i not in frozenset(off) ^ {place}))
        assert row["off"] == (place in off)
        assert row["kept"] == len(set(best) & set(variant["name"][:4]))
        ranks = [int(variant.index[variant["name"] == name][0]) for name in best]
        assert row["moved"] == pytest.approx(np.mean([abs(rank - i) for i, rank in enumerate(ranks)]))
        assert row["score"] == pytest.approx(variant.loc[ranks[0], "score"] - part.loc[0, "score"], abs=1e-6)
        assert gallery.names[row["first"]] == variant.loc[0, "name"]


def test_ablation_of_one_word_and_of_more_than_is_read(gallery, model):
    single = word_ablation(gallery, "red", k=50)
    assert single.influence["word"].tolist() == ["red"]
    before = len(model.calls)
    long = word_ablation(gallery, "pink " + "red " * 9_999, k=12)
    assert len(long.influence) == 10_000
    assert model.calls[before:] == [2 + 77], "only words that a model can read are tried"
    assert long.influence["score"][0] != 0
    assert (long.influence[["moved", "score"]][100:] == 0).all(axis=None)


def test_a_filtered_ablation_is_that_of_a_smaller_gallery(gallery, model):
    allowed = np.arange(len(gallery)) % 3 != 1
    rows = np.flatnonzero(allowed)
    small = Gallery(
        model, gallery.features[rows], [gallery.paths[row] for row in rows], gallery.person_ids[rows], root=gallery.root
    )
    ours, alone = word_ablation(gallery, TEXT, 4, [3], allowed=allowed), word_ablation(small, TEXT, 4, [3])
    pd.testing.assert_frame_equal(ours.pictures.drop(columns="row"), alone.pictures.drop(columns="row"))
    assert ours.pictures["row"].tolist() == rows[alone.pictures["row"]].tolist()
    assert ours.influence["first"].tolist() == rows[alone.influence["first"]].tolist()
    pd.testing.assert_frame_equal(ours.influence.drop(columns="first"), alone.influence.drop(columns="first"))
    assert not ours.influence.equals(word_ablation(gallery, TEXT, 4, [3]).influence)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("red", {"allowed": np.zeros(12, bool)}, "leaves out every picture"),
        ("  ", {}, "no words"),
        ("red", {"k": 0}, "positive"),
        ("red hat", {"off": [2]}, "places in 0"),
        ("red hat", {"off": [0, 1]}, "at least one on"),
    ],
)
def test_ablation_names_what_is_wrong(gallery, text, options, message):
    with pytest.raises(ValueError, match=message):
        word_ablation(gallery, text, **options)


def test_failures_are_the_worst_queries_with_what_stood_above(gallery, model, crops):
    score = evaluate(model, crops.split)
    attributes = {int(person): {"colour": str(person), "age": "adult"} for person in crops.split.label_of}
    table = failures(score, gallery, attributes=attributes)
    wrong = score.per_query.query("direction == 't2i' and first_rank > 1")
    assert len(table) == len(wrong) > 0
    assert table["first_rank"].is_monotonic_decreasing
    for row in table.itertuples():
        hits = gallery.search(row.text, k=99, person_id=row.person_id)
        assert row.first_rank == next(hit.rank for hit in hits if hit.correct)
        assert (row.above, row.above_person_id) == (hits[0].name, hits[0].person_id)
        assert row.gap == pytest.approx(hits[0].score - next(hit.score for hit in hits if hit.correct), abs=1e-6)
        assert row.differs == f"colour: {row.above_person_id}, not {row.person_id}"
    pd.testing.assert_frame_equal(failures(score, gallery, attributes=attributes, limit=2), table[:2])


def test_failures_without_attributes_quote_a_caption_or_nothing(gallery, model, crops):
    score = evaluate(model, crops.split)
    assert set(failures(score, gallery)["differs"]) == {""}
    told = failures(score, gallery, split=crops.split)
    owner = dict(zip(crops.split.captions, crops.split.caption_person_ids, strict=True))
    assert [owner[text] for text in told["differs"]] == told["above_person_id"].tolist()
    with pytest.raises(ValueError, match="identities"):
        failures(score, Gallery(model, gallery.features, gallery.paths))
    with pytest.raises(ValueError, match="limit"):
        failures(score, gallery, limit=0)


def test_the_worst_failures_come_first(gallery, model, crops):
    score = evaluate(model, crops.split)
    score.per_query["first_rank"] = 2.0 + score.per_query["query"] // 2
    table = failures(score, gallery, limit=4)
    last = crops.split.num_captions - 1
    assert table["first_rank"].tolist() == sorted((2 + q // 2 for q in range(last + 1)), reverse=True)[:4]
    assert table["query"].tolist() == sorted(table["query"], key=lambda q: (-(q // 2), q))


def test_no_failures_are_an_empty_table_with_the_same_columns(gallery, model, crops):
    score = evaluate(model, crops.split)
    score.per_query["first_rank"] = 1.0
    empty = failures(score, gallery)
    assert len(empty) == 0
    assert "differs" in empty.columns


def test_attributes_are_read_from_the_ground_truth(tmp_path):
    (tmp_path / "ground_truth.json").write_text(json.dumps({"people": {"7": {"age": "adult"}}, "images": []}))
    assert person_attributes(tmp_path) == {7: {"age": "adult"}}
    with pytest.raises(FileNotFoundError, match="synthetic"):
        person_attributes(tmp_path / "imgs")
