"""Each kind of broken annotation says where it is broken; sound ones are read alike in the three formats."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.folders import FILES, SPLITS, rows, write_annotation
from tireid.data import LAYOUTS, AnnotationError, Record, load_dataset, read_annotations

Edit = Callable[[list[Any]], Any]


def put(field: str, value: Any) -> Edit:
    return lambda content: content[3].update({field: value})


def drop(field: str) -> Edit:
    return lambda content: content[3].pop(field)


BROKEN_RECORDS: dict[str, tuple[Edit, str | None, str]] = {
    # name: (edit of record 3, field, what the message says)
    "not an object": (lambda content: content.__setitem__(3, ["cam_a/x.jpg"]), None, "expected an object"),
    "null record": (lambda content: content.__setitem__(3, None), None, "got None (null)"),
    "no path": (drop("file_path"), "file_path", "missing, expected a path below imgs/"),
    "no id": (drop("id"), "id", "missing, expected an integer from 0"),
    "no captions": (drop("captions"), "captions", "missing, expected a list of strings"),
    "no split": (drop("split"), "split", "use reid_raw.json, which has it"),
    "path is a number": (put("file_path", 7), "file_path", "expected a path below imgs/, got 7 (a number)"),
    "path is empty": (put("file_path", ""), "file_path", "expected a path below imgs/"),
    "path is a slash": (put("file_path", "/"), "file_path", "leaves the folder"),
    "path is half a character": (put("file_path", "cam_a/\ud83d.jpg"), "file_path", "surrogate"),
    "path has a drive": (put("file_path", "C:/imgs/x.jpg"), "file_path", "absolute path"),
    "path goes up": (put("file_path", "cam_a/../../x.jpg"), "file_path", "leaves the folder"),
    "path is the folder": (put("file_path", "."), "file_path", "leaves the folder"),
    "path has backslashes": (put("file_path", "cam_a\\x.jpg"), "file_path", "write / between folders"),
    "path has a null byte": (put("file_path", "cam_a/\0.jpg"), "file_path", "expected a path below imgs/"),
    "image twice": (put("file_path", "cam_a/0001_c1_0000.jpg"), "file_path", "already the image of record 0"),
    "image twice, spelled differently": (put("file_path", "./cam_a//0001_c1_0000.jpg"), "file_path", "record 0"),
    "id is a name": (put("id", "p12"), "id", "expected an integer, got 'p12' (a string)"),
    "id is a signed string": (put("id", "-1"), "id", "expected an integer, got '-1' (a string)"),
    "id is too large a string": (put("id", "9" * 19), "id", "expected an integer from 0"),
    "id is a float": (put("id", 12.0), "id", "expected an integer, got 12.0 (a number)"),
    "id is a boolean": (put("id", True), "id", "got True (a boolean)"),
    "id is null": (put("id", None), "id", "got None (null)"),
    "id is negative": (put("id", -1), "id", "expected an integer from 0, got -1"),
    "id is too large": (put("id", 2**63), "id", "expected an integer from 0"),
    "unknown split": (put("split", "gallery"), "split", "expected one of train, val, test, got 'gallery'"),
    "split is a list": (put("split", ["train"]), "split", "expected one of train, val, test"),
    "person in two splits": (put("split", "test"), "id", "person 2 is in 'test' here and in 'train' in record 2"),
    "captions is a string": (put("captions", "a man"), "captions", "put the caption in a list"),
    "captions is null": (put("captions", None), "captions", "expected a list of strings"),
    "captions is empty": (put("captions", []), "captions", "expected at least one caption"),
    "caption is a number": (put("captions", ["a man", 3]), "captions[1]", "expected a string, got 3 (a number)"),
    "caption is half a character": (put("captions", ["a \ud83d man"]), "captions[0]", "surrogate"),
}


@pytest.mark.parametrize("kind", BROKEN_RECORDS)
def test_broken_record_names_file_record_and_field(tmp_path: Path, kind: str) -> None:
    edit, field, says = BROKEN_RECORDS[kind]
    content = rows()
    edit(content)
    file = write_annotation(tmp_path, json.dumps(content).encode())  # escapes half surrogates
    with pytest.raises(AnnotationError) as caught:
        read_annotations("CUHK-PEDES", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{file}, record 3" + (f", field {field!r}: " if field else ": "))
    assert says in message
    assert "Fix: " in message
    assert (caught.value.file, caught.value.record, caught.value.field) == (file, 3, field)


BROKEN_FILES: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "not JSON"),
    "not JSON": (b"[{'id': 1}]", "not JSON"),
    "cut off": (json.dumps(rows()).encode()[:100], "not JSON"),
    "too deep": (b"[" * 200_000, "not JSON"),
    "not UTF-8": ('[{"captions": ["é"]}]'.encode("latin-1"), "not UTF-8 (byte 16)"),
    "an object": (b'{"train": []}', "expected a list of records"),
    "no records": (b"[]", "expected a list of records, got an empty one"),
}


@pytest.mark.parametrize("kind", BROKEN_FILES)
def test_broken_file_is_named(tmp_path: Path, kind: str) -> None:
    content, says = BROKEN_FILES[kind]
    file = write_annotation(tmp_path, content)
    with pytest.raises(AnnotationError) as caught:
        read_annotations("CUHK-PEDES", tmp_path)
    assert str(caught.value).startswith(f"{file}: {says}")
    assert "Fix: " in str(caught.value)


def test_missing_places_are_named_with_the_fix(tmp_path: Path) -> None:
    def message(root: Path) -> str:
        with pytest.raises(AnnotationError) as caught:
            read_annotations("CUHK-PEDES", root)
        return str(caught.value)

    assert "root is the folder that holds CUHK-PEDES/imgs" in message(tmp_path / "nowhere")
    assert f"{tmp_path / 'CUHK-PEDES'}: no such folder" in message(tmp_path)
    (tmp_path / "CUHK-PEDES").mkdir()
    assert f"pass root={str(tmp_path)!r}" in message(tmp_path / "CUHK-PEDES")  # the most common slip
    missing = message(tmp_path)
    assert "reid_raw.json" in missing
    assert LAYOUTS["CUHK-PEDES"].request in missing
    file = write_annotation(tmp_path, rows())
    (tmp_path / "CUHK-PEDES" / "imgs").rmdir()
    assert "the folder of images is missing" in message(tmp_path)
    file.rename(file.with_name("caption_all.json"))
    only_captions = message(tmp_path)
    assert "caption_all.json" in only_captions
    assert "no 'split'" in only_captions
    assert f"request reid_raw.json from {LAYOUTS['CUHK-PEDES'].request}" in only_captions


def test_unknown_layout() -> None:
    with pytest.raises(ValueError, match="known: CUHK-PEDES, ICFG-PEDES, RSTPReid"):
        read_annotations("Market", "/nowhere")


@pytest.mark.parametrize("name", FILES)
def test_formats_are_read_alike(tmp_path: Path, name: str) -> None:
    content = rows(name, people=3, images=2, captions=1 if name == "ICFG-PEDES" else 2)
    write_annotation(tmp_path, content, name)
    records = read_annotations(name, tmp_path)
    assert len(records) == len(content)
    for row, record in zip(content, records, strict=True):
        path = row["img_path" if name == "RSTPReid" else "file_path"]
        assert record.image == tmp_path / name / "imgs" / path
        assert (record.person_id, record.split) == (row["id"], row["split"])
        assert record.captions == tuple(row["captions"])
        assert record.camera == (int(path[6]) if name == "RSTPReid" else None)
    assert {record.split for record in records} == set(SPLITS[name])


def test_cameras_have_several_digits_or_none(tmp_path: Path) -> None:
    content = rows("RSTPReid")
    for row, path in zip(content, ("0000_c14_0031.jpg", "portrait.jpg", f"0_c{5000 * '9'}_1.jpg"), strict=False):
        row["img_path"] = path
    write_annotation(tmp_path, content, "RSTPReid")
    assert [record.camera for record in read_annotations("RSTPReid", tmp_path)[:3]] == [14, None, None]


def test_icfg_goes_by_either_name_and_has_no_val(tmp_path: Path) -> None:
    content = rows("ICFG-PEDES")
    file = write_annotation(tmp_path, content, "ICFG-PEDES", file="ICFG_PEDES.json")
    assert len(read_annotations("ICFG-PEDES", tmp_path)) == len(content)
    content[0]["split"] = "val"
    write_annotation(tmp_path, content, "ICFG-PEDES", file="ICFG_PEDES.json")
    with pytest.raises(AnnotationError, match=r"expected one of train, test") as caught:
        read_annotations("ICFG-PEDES", tmp_path)
    assert caught.value.file == file


def test_icfg_may_repeat_a_picture_of_the_same_person_only(tmp_path: Path) -> None:
    content = rows("ICFG-PEDES", captions=1)
    content[1]["file_path"] = content[0]["file_path"]
    write_annotation(tmp_path, content, "ICFG-PEDES")
    assert len(read_annotations("ICFG-PEDES", tmp_path)) == len(content)
    content[2]["file_path"] = content[0]["file_path"]
    write_annotation(tmp_path, content, "ICFG-PEDES")
    with pytest.raises(AnnotationError, match=r"record 2, field 'file_path': .* already the image of record 0"):
        read_annotations("ICFG-PEDES", tmp_path)


def early_rstpreid() -> list[dict[str, Any]]:
    splits = ["train"] * 3901 + ["val"] * 100 + ["test"] * 100
    return [
        {"id": number, "img_path": f"{number:04d}_c1_0000.jpg", "captions": ["a"], "split": split}
        for number, split in enumerate(splits)
    ]


def test_early_rstpreid_is_recognised(tmp_path: Path) -> None:
    content = early_rstpreid()
    write_annotation(tmp_path, content, "RSTPReid")
    with pytest.raises(AnnotationError, match=r"3901/100/100.*3701/200/200.*download the current data_captions.json"):
        read_annotations("RSTPReid", tmp_path)
    content[0]["split"] = "val"
    write_annotation(tmp_path, content, "RSTPReid")
    assert len(read_annotations("RSTPReid", tmp_path)) == 4101


def test_captions_keep_characters_and_lose_stray_white_space(tmp_path: Path) -> None:
    content = rows()
    odd = ["  a man\tin\n red \u3000", "穿红衣服的男人", "x = [1, 2]; print('é')", "naïve café 😀", "<|endoftext|>"]
    content[0]["captions"] = odd + [f"caption {number}" for number in range(5)]
    write_annotation(tmp_path, content)
    captions = read_annotations("CUHK-PEDES", tmp_path)[0].captions
    assert captions[:5] == ("a man in red", *odd[1:])
    assert len(captions) == 10


@pytest.mark.slow
def test_files_are_utf8_whatever_the_locale_and_may_begin_with_a_mark(tmp_path: Path) -> None:
    content = rows()
    content[0]["captions"] = ["穿红衣服 é"]
    write_annotation(tmp_path, b"\xef\xbb\xbf" + json.dumps(content, ensure_ascii=False).encode())
    script = (
        "import sys; from tireid.data.annotations import read_annotations; "
        "print(ascii(read_annotations('CUHK-PEDES', sys.argv[1])[0].captions[0]))"
    )
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ascii("穿红衣服 é")


def test_published_counts_add_up_to_the_papers_totals() -> None:
    totals = {
        name: [sum(column) for column in zip(*lay.published.values(), strict=True)] for name, lay in LAYOUTS.items()
    }
    assert totals == {
        "CUHK-PEDES": [13003, 40206, 80440],
        "ICFG-PEDES": [4102, 54522, 54522],
        "RSTPReid": [4101, 20505, 41010],
    }


# ---- what has one meaning


ACCEPTED: dict[str, tuple[str, list[Edit], str]] = {
    # layout, edits, and the count that the report gives
    "string ids": ("CUHK-PEDES", [put("id", "2")], "1 person ids are written as strings"),
    "blank captions": (
        "CUHK-PEDES",
        [put("captions", ["", "a man", " \u3000\n"])],
        "2 captions are blank and were left out",
    ),
    "valid": (
        "CUHK-PEDES",
        [lambda rows: [row.update(split="valid") for row in rows if row["split"] == "val"]],
        "4 records say 'valid' for the split 'val'",
    ),
    "capitals": (
        "RSTPReid",
        [lambda rows: [row.update(split="TEST ") for row in rows if row["split"] == "test"]],
        "4 records say 'TEST ' for the split 'test'",
    ),
    "leading slash": (
        "CUHK-PEDES",
        [put("file_path", "/cam_a/x.jpg")],
        "1 paths begin with a slash, which was left out",
    ),
    "repeated picture": (
        "RSTPReid",
        [lambda rows: rows[3].update(img_path=rows[2]["img_path"])],
        "1 records repeat a picture of an earlier one",
    ),
    "ids that restart": (
        "ICFG-PEDES",
        [lambda rows: [row.update(id=row["id"] % 2) for row in rows]],
        "2 person ids occur in more than one split; they are taken for different people",
    ),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_what_has_one_meaning_is_accepted_and_counted(tmp_path: Path, kind: str) -> None:
    name, edits, note = ACCEPTED[kind]
    content = rows(name, captions=1 if name == "ICFG-PEDES" else 2)
    for edit in edits:
        edit(content)
    write_annotation(tmp_path, content, name)
    data = load_dataset(name, tmp_path)
    assert any(note in told for told in data.check(published=False).notes)
    records = [record for split in data.splits for record in split.records]
    assert len(records) == len(content)
    assert [split.num_images for split in data.splits] == [4] * len(SPLITS[name])
    if kind == "blank captions":
        assert records[3].captions == ("a man",)
    if kind == "string ids":
        assert records[3].person_id == 2
    if kind == "leading slash":
        assert records[3].image == tmp_path / name / "imgs" / "cam_a" / "x.jpg"
    if kind == "ids that restart":
        assert data.train.label_of == data.test.label_of == {0: 0, 1: 1}


def test_ids_restart_in_icfg_only(tmp_path: Path) -> None:
    content = rows("RSTPReid")
    for row in content:
        row["id"] %= 2
    write_annotation(tmp_path, content, "RSTPReid")
    with pytest.raises(AnnotationError, match=r"record 4, field 'id': person 0 is in 'val' here and in 'train'"):
        read_annotations("RSTPReid", tmp_path)


def test_bytes_of_names_that_are_no_text_survive(tmp_path: Path) -> None:
    content = rows()
    content[0]["file_path"] = os.fsdecode(b"cam_a/caf\xe9.jpg")
    write_annotation(tmp_path, json.dumps(content).encode())
    data = load_dataset("CUHK-PEDES", tmp_path)
    assert os.fsencode(data.train.records[0].image).endswith(b"imgs/cam_a/caf\xe9.jpg")
    text = str(data.check(published=False, limit=100))
    assert r"caf\udce9.jpg" in text
    text.encode()


def test_a_number_with_more_digits_than_python_reads(tmp_path: Path) -> None:
    file = write_annotation(tmp_path, b'[{"id": ' + b"9" * 5000 + b"}]")
    with pytest.raises(AnnotationError, match="not JSON") as caught:
        read_annotations("CUHK-PEDES", tmp_path)
    assert caught.value.file == file


# ---- strangers' files

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
odd_rows = st.lists(
    json_values
    | st.fixed_dictionaries(
        {
            "id": st.integers(0, 3) | json_values,
            "file_path": st.sampled_from(["a.jpg", "/b.jpg", "../c", "x/./y", "\udce9.jpg", "\ud800"]) | json_values,
            "captions": st.lists(st.text(max_size=5) | json_values, max_size=3) | json_values,
            "split": st.sampled_from(["train", "val", "Test", "valid"]) | json_values,
        }
    ),
    max_size=4,
)


@given(content=odd_rows | json_values)
@settings(max_examples=300, deadline=None)
def test_any_json_is_read_or_refused_with_the_one_error(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("any")
    write_annotation(root, json.dumps(content).encode())
    records, refusal = read_or_refuse(root)
    assert (refusal or str(root)).encode().startswith(bytes(root))
    for record in records:
        assert record.image.is_relative_to(root / "CUHK-PEDES" / "imgs")
        assert ".." not in record.image.parts
        os.fsencode(record.image)
        assert record.split in SPLITS["CUHK-PEDES"]
        assert 0 <= record.person_id < 2**63
        assert all(text.strip() == text != "" and text.encode() for text in record.captions)


def read_or_refuse(root: Path) -> tuple[list[Record], str]:
    try:
        return read_annotations("CUHK-PEDES", root), ""
    except AnnotationError as error:
        return [], str(error)


@given(content=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused_with_the_one_error(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any")
    write_annotation(root, content)
    with pytest.raises(AnnotationError):  # no list of records is this short
        read_annotations("CUHK-PEDES", root)
