from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tireid.domain import Domain, Held, Pictures, Presence, Words, describe
from tireid.domain.record import FILE, UNKNOWN

ARRAYS = 14


@pytest.fixture
def domain() -> Domain:
    rng = np.random.default_rng(0)

    def unit(*shape: int) -> np.ndarray:
        rows = rng.normal(size=shape).astype(np.float32)
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    people = np.repeat(np.arange(25), 2)
    captions = ["a man in a red coat", "a woman in blue"] * 25
    return Domain(
        Held("drawn", 10, 20, 40),
        Held("others", 25, 50, 50),
        Words.fit(captions, unit(30, 8), captions, unit(50, 8)),
        Pictures.fit((unit(30, 43), unit(30, 8)), (unit(50, 43), unit(50, 8))),
        Presence.fit((unit(50, 8), people), (unit(50, 8), people)),
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def test_what_is_saved_is_loaded_to_the_bit(domain, folder):
    domain.save(folder)
    again = Domain.load(folder)
    rng = np.random.default_rng(1)
    rows, features = rng.normal(size=(9, 43)), rng.normal(size=(9, 8))
    assert (again.trained, again.held_out, again.summary()) == (domain.trained, domain.held_out, domain.summary())
    assert (again.words.counts, again.words.followers) == (domain.words.counts, domain.words.followers)
    np.testing.assert_array_equal(again.pictures.scores(rows, features), domain.pictures.scores(rows, features))
    texts = ["a teal coat", *["a man in blue"] * 8]
    np.testing.assert_array_equal(again.words.scores(texts, features), domain.words.scores(texts, features))
    assert again.presence.p_value(0.3, 17, [1, 2, 2]) == domain.presence.p_value(0.3, 17, [1, 2, 2])
    assert len(load_file(folder / FILE)) == ARRAYS


def test_without_held_out_people_the_summary_says_so(domain, folder):
    bare = Domain(domain.trained, None, domain.words)
    bare.save(folder)
    again = Domain.load(folder)
    assert again.pictures is None
    assert again.presence is None
    assert "no other people" in again.summary()


def test_where_there_is_none(folder):
    class Foreign:
        domain = None

    assert Domain.load(folder) is None
    assert describe(Foreign()) == describe(object()) == UNKNOWN


def test_of_other_weights_it_is_not_used(domain, folder):
    domain.save(folder)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.warns(UserWarning, match="other weights"):
        assert Domain.load(folder) is None


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:500])


def _without_note(file: Path) -> None:
    save_file(load_file(file), file)


def _changed(change):
    def write(file: Path) -> None:
        from safetensors import safe_open

        with safe_open(file, "numpy") as content:
            record = json.loads(content.metadata()["domain"])
        tensors = load_file(file)
        change(record, tensors)
        save_file(tensors, file, metadata={"domain": json.dumps(record)})

    return write


@pytest.mark.parametrize(
    "damage",
    [
        _truncated,
        _without_note,
        lambda file: file.write_text("<html>"),
        _changed(lambda record, _: record.update(format=99)),
        _changed(lambda record, _: record.pop("words")),
        _changed(lambda record, _: record.update(words=["a"])),
        _changed(lambda record, _: record.update(words={"a": "many"})),
        _changed(lambda record, _: record.update(held_out={"people": 3})),
        _changed(lambda record, _: record["trained"].update(people="many")),
        *(
            _changed(lambda record, _, value=value: record.update(pictures_per_person=value))
            for value in (None, math.inf, math.nan, 0, 10**400)
        ),
        *(
            _changed(lambda record, _, value=value: record.update(words={"a": value}))
            for value in (math.inf, -1, 1.5, True, 10**30)
        ),
        *(_changed(lambda record, _, value=value: record["trained"].update(people=value)) for value in (10**30, -1)),
        _changed(lambda record, _: record["trained"].update(name=["a"])),
        _changed(lambda record, tensors: tensors.pop("pictures.statistics.rows")),
        _changed(lambda record, tensors: tensors.update({"pictures.features.rows": np.zeros(3, np.float32)})),
        _changed(lambda record, tensors: tensors.update({"presence.present": np.zeros((2, 3), np.float32)})),
        *(
            _changed(lambda record, tensors, name=name, value=value: tensors[name].flat.__setitem__(0, value))
            for name, value in (
                *(("words.held_out", np.nan), ("presence.present", np.inf), ("words.features.rows", np.nan)),
                *(("presence.sizes", -2), ("presence.thresholds", 9)),
            )
        ),
    ],
)
def test_a_damaged_file_is_named(domain, folder, damage):
    domain.save(folder)
    damage(folder / FILE)
    with pytest.raises(ValueError, match=r"domain\.safetensors cannot be read.*delete it"):
        Domain.load(folder)
