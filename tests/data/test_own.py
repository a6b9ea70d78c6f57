"""Data of one's own: a table or a folder becomes a data set, and whatever is ambiguous is refused with its place."""

from __future__ import annotations

import csv
import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.folders import nested
from tireid.data import AnnotationError, Record, load_dataset
from tireid.data.own import read_own


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 8, 3), dtype=np.uint8)).save(path)


def table(folder: Path, text: str | bytes, name: str = "my.csv") -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


FULL = """Path,Caption,Person,Camera,Split
a/1.png,"a man, in red",anna,3,train
a/1.png,a red man,anna,3,train
a/2.png,a woman,bert,,valid
/3.png,a child,cleo,1,test
3.png,  ,cleo,1,test
"""


def test_a_table_becomes_a_data_set(tmp_path: Path) -> None:
    for number, name in enumerate(("a/1.png", "a/2.png", "3.png")):
        picture(tmp_path / "pictures" / name, number)
    data = load_dataset(str(table(tmp_path, FULL)), tmp_path / "pictures")
    assert data.val is not None
    assert [record.captions for record in data.train.records] == [("a man, in red", "a red man")]
    assert [record.captions for record in data.test.records] == [("a child",)]
    assert data.test.image_paths == [tmp_path / "pictures" / "3.png"]
    assert [split.records[0].person_id for split in data.splits] == [0, 1, 2]
    assert [split.records[0].camera for split in data.splits] == [3, None, 1]
    report = data.check()
    assert report.ok, report
    assert report.table["missing"].tolist() == [0, 0, 0]
    assert {note for note in report.notes if not note.startswith(("train", "val", "test"))} == {
        "1 paths begin with a slash, which was left out",
        "1 captions are blank and were left out",
        "1 records say 'valid' for the split 'val'",
        "3 people are numbered by their names",
    }


def test_whole_paths_are_read_where_they_lie(tmp_path: Path) -> None:
    for name in ("here/a.png", "elsewhere/b.png"):
        picture(tmp_path / name)
    rows = "".join(f"{tmp_path / name},a man\n" for name in ("here/a.png", "elsewhere/b.png"))
    file = table(tmp_path / "here", "path,caption\n" + rows)
    data = load_dataset(file)
    assert data.test.image_paths[0] == tmp_path / "here/a.png"
    report = data.check()
    assert report.table.loc["test", "missing"] == 1  # a stranger's table opens nothing outside its folder by itself
    assert any("pass --root /" in note for note in report.notes)
    assert load_dataset(file, "/").test.image_paths == [tmp_path / "here/a.png", tmp_path / "elsewhere/b.png"]


def test_a_path_that_leads_out_is_told_with_the_folder(tmp_path: Path) -> None:
    file = table(tmp_path, "path,caption\n../a.png,a man\n")
    with pytest.raises(
        AnnotationError, match=rf"leaves the folder, expected a path below {tmp_path}/\. Fix: write it rel"
    ):
        load_dataset(file)


def test_a_person_in_two_splits_is_named_as_the_table_does(tmp_path: Path) -> None:
    rows = "path,caption,person,split\na.png,a man,anna,train\nb.png,a man,anna,test\n"
    with pytest.raises(AnnotationError, match=r"record 3, field 'person': person anna is in 'test' here"):
        load_dataset(table(tmp_path, rows))


@pytest.mark.parametrize(
    ("between", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-16"), ("\t", "utf-8-sig")]
)
def test_tables_of_spreadsheets_are_read_alike(between: str, encoding: str, tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    rows = [["path", "caption"], ["a.png", '"a man, in red; café"']]
    data = load_dataset(table(tmp_path, "\r\n".join(map(between.join, rows)).encode(encoding)))
    assert [record.captions for record in data.test.records] == [("a man, in red; café",)]


@pytest.mark.parametrize(
    "content", ["path,caption\na.png,a man".encode("utf-16-le"), b"PK\3\4\24\0\6\0[Content_Types].xml"]
)
def test_a_table_that_is_no_text_is_told_as_such(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(
        AnnotationError, match=r"my\.csv: not a text: a workbook, or of an encoding .* Fix: save it as CSV"
    ):
        load_dataset(table(tmp_path, content))


def test_what_programs_write_for_no_text_is_no_caption(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    data = load_dataset(table(tmp_path, "path,caption\na.png,nan\na.png,a nan\na.png,NULL\na.png,nan\n"))
    assert data.test.captions == ["a nan"]
    assert "2 captions say 'nan', which stands for none, and were left out" in data.notes
    assert "1 captions say 'NULL', which stands for none, and were left out" in data.notes


@pytest.mark.parametrize(("name", "root"), [("", None), (".csv", None), (None, "")])
def test_a_name_that_is_too_long_is_told_as_such(name: str | None, root: str | None, tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 300))
    with pytest.raises(AnnotationError, match=r"x+(\.csv)?: File name too long\. Fix: "):
        load_dataset("CUHK-PEDES" if name is None else long + name, None if root is None else long)


def test_paths_of_windows_are_read_and_counted(tmp_path: Path) -> None:
    picture(tmp_path / "cam/day/1.png")
    data = load_dataset(table(tmp_path, "path,caption\ncam\\day\\1.png,a man\n"))
    assert data.test.image_paths == [tmp_path / "cam/day/1.png"]
    assert "1 paths have backslashes, as Windows writes them: read as /" in data.notes
    with pytest.raises(AnnotationError, match=r"absolute path 'C:/cam/1\.png'"):
        load_dataset(table(tmp_path, "path,caption\nC:\\cam\\1.png,a man\n"))


def test_two_columns_are_enough(tmp_path: Path) -> None:
    for name in ("x.png", "y.png"):
        picture(tmp_path / name)
    data = load_dataset(table(tmp_path, "image\ttext\nx.png\tone\ny.png\ttwo\nx.png\tthree\n", "my.tsv"))
    assert data.test.captions == ["one", "three", "two"]
    assert data.test.caption_person_ids.tolist() == [0, 0, 1]
    assert "there is no column 'person': each picture is its own person" in data.notes
    assert "there is no column 'split': everything is the test split" in data.notes
    assert data.check().ok
    with pytest.raises(ValueError, match=r"has no train split with captions \(splits that have: test\)"):
        data.split("train")
    assert data.split("test") is data.test


def test_integers_stay_what_they_are(tmp_path: Path) -> None:
    data = load_dataset(table(tmp_path, "path,caption,person\nx.png,one,70\ny.png,two,9\n"))
    assert data.test.image_person_ids.tolist() == [70, 9]


REFUSED = {
    "no such file": ("", "no such file or folder"),
    "nothing in it": ("\n", "expected a header and at least one row"),
    "only a header": ("path,caption\n", "expected a header and at least one row"),
    "no caption": ("path,colour\na.png,red\n", "no column 'caption'"),
    "two paths": ("path,image,caption\na.png,b.png,red\n", "columns ['path', 'image'] mean the same"),
    "too many cells": ("path,caption\na.png,a man, in red\n", "record 2: 3 cells under a header of 2"),
    "up": ("path,caption\n../a.png,red\n", "record 2, field 'path': '../a.png' leaves the folder"),
    "unknown person": (
        "path,caption,person\na.png,red,1\nb.png,blue,nan\n",
        "record 3, field 'person': 'nan' names no",
    ),
    "blank person": ("path,caption,person\na.png,red,1\nb.png,blue,\n", "record 3, field 'person': '' names no person"),
    "fraction": ("path,caption,person\na.png,red,1.9\n", "'1.9' names no person"),
    "a float among names": ("path,caption,person\na.png,red,1.0\nb.png,blue,anna\n", "'1.0' names no person"),
    "floats that are not whole": ("path,caption,person\na.png,red,2.50\nb.png,blue,1.0\n", "'2.50' names no person"),
    "two people": ("path,caption,person\na.png,red,1\na.png,blue,2\n", "'a.png' is already the image of record 2"),
    "two splits": (
        "path,caption,person,split\na.png,red,1,train\nb.png,blue,1,test\n",
        "person 1 is in 'test' here and in 'train'",
    ),
    "unknown split": ("path,caption,split\na.png,red,query\n", "expected one of train, val, test, got 'query'"),
    "camera": ("path,caption,camera\na.png,red,left\n", "record 2, field 'camera': expected a number"),
    "not UTF-8": (b"path,caption\na.png,r\xe9d\n", "bytes that are no UTF-8"),
    "open quote": ('path,caption\na.png,"red\nb.png,blue\n', "line 3: unexpected end of data"),
    "huge id": ("path,caption,person\na.png,red,9223372036854775808\n", "expected an integer from 0"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_one_meaning_is_refused_with_its_place(tmp_path: Path, kind: str) -> None:
    text, says = REFUSED[kind]
    file = tmp_path / "none.csv" if kind == "no such file" else table(tmp_path, text)
    with pytest.raises(AnnotationError) as caught:
        load_dataset(file)
    assert str(caught.value).startswith(str(file))
    assert says in str(caught.value)
    assert "Fix: " in str(caught.value)


@pytest.mark.parametrize("column", ["file_name", "image_path", "img"])
def test_other_tools_columns_and_numbers(tmp_path: Path, column: str) -> None:
    """Floats as pandas writes them, cameras as the names of Market-1501 tell them."""
    cells = "a.png,red,1.0,c1\nb.png,blue, 12 ,c3s2\nc.png,grey,1.0,Cam_2\n"
    found = read_own(table(tmp_path, f"{column},caption,person,camera\n{cells}"))
    assert [(record.person_id, record.camera) for record in found.records] == [(1, 1), (12, 3), (1, 2)]
    assert "2 person ids end in .0, as pandas writes them: read without it" in found.notes
    assert any(note.startswith("3 cameras are named as c1 or c1s2") for note in found.notes)


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    picture(tmp_path / name)
    data = load_dataset(table(tmp_path, b"path,caption\ncaf\xe9.png,one\n"))
    assert data.test.image_paths == [tmp_path / name]
    assert data.check().ok
    str(data.check()).encode()
    assert len(data.fingerprint) == 16


def test_a_folder_with_captions_becomes_a_data_set(tmp_path: Path) -> None:
    for number, name in enumerate(("train/a.png", "train/deep/b.png", "test/c.png", "d.png")):
        picture(tmp_path / name, number)
    (tmp_path / "train" / "a.txt").write_text("a man\n\n a  red man \n")
    (tmp_path / "train" / "deep" / "b.txt").write_text("ein Mädchen", encoding="utf-8-sig")
    (tmp_path / "test" / "c.txt").write_text("a child")
    data = load_dataset(tmp_path)
    assert data.train.captions == ["a man", "a red man", "ein Mädchen"]
    assert [path.name for path in data.test.image_paths] == ["d.png", "c.png"]
    assert data.test.captions == ["a child"]
    assert len({*data.train.image_person_ids.tolist(), *data.test.image_person_ids.tolist()}) == 4
    assert "1 pictures have no caption; they are searched, and nobody asks for them" in data.notes
    assert "each picture is its own person" in data.notes
    assert data.check().ok


def test_folders_that_are_links_are_not_read_and_counted(tmp_path: Path) -> None:
    for place in (tmp_path / "own", tmp_path / "other"):
        picture(place / "a.png")
        (place / "a.txt").write_text("a man")
    (tmp_path / "own" / "more").symlink_to(tmp_path / "other")
    (tmp_path / "own" / "round").symlink_to(".")
    data = load_dataset(tmp_path / "own")
    assert data.test.image_paths == [tmp_path / "own" / "a.png"]
    assert any(note.startswith("2 folders are links or cannot be listed, and were not read") for note in data.notes)


@pytest.mark.skipif(sys.platform == "win32", reason="no such paths there")
@pytest.mark.parametrize(("depth", "found", "told"), [(1500, 2, 0), (2200, 1, 1)])
def test_folders_may_lie_deep(depth: int, found: int, told: int, tmp_path: Path) -> None:
    """Each picture is found, or, where the path is longer than the system takes, the folder is told."""
    picture(tmp_path / "b.png")
    (tmp_path / "b.txt").write_text("a woman")
    with nested(tmp_path, depth):
        data = load_dataset(tmp_path)
    assert data.test.num_images == found
    assert sum("1 folders are links or cannot be listed" in note for note in data.notes) == told


def test_pictures_of_other_kinds_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.gif", "c.JPE"):
        picture(tmp_path / "a.png")
        Image.open(tmp_path / "a.png").save(tmp_path / name, format={"b.gif": "GIF", "c.JPE": "JPEG"}.get(name))
        (tmp_path / name).with_suffix(".TXT" if name == "c.JPE" else ".txt").write_text(name)
    for name in ("d.heic", "e.HEIC", "f.svg", "g.json"):
        (tmp_path / name).write_bytes(b"x")
    data = load_dataset(tmp_path)
    assert data.test.captions == ["a.png", "b.gif", "c.JPE"]
    assert data.check().ok
    assert (
        "3 pictures are of a kind that is not read (2 .heic, 1 .svg) and are left out: save them as .jpg or .png"
        in data.check().notes
    )
    for path in [*tmp_path.glob("*.png"), *tmp_path.glob("*.gif"), *tmp_path.glob("*.JPE")]:
        path.unlink()
    with pytest.raises(AnnotationError, match=r"3 pictures are of a kind that is not read \(2 \.heic, 1 \.svg\)"):
        load_dataset(tmp_path)


def test_a_folder_without_captions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no picture is in this folder. Fix: put name.txt"):
        load_dataset(tmp_path)
    picture(tmp_path / "a.png")
    with pytest.raises(AnnotationError, match="no picture has its captions beside it"):
        load_dataset(tmp_path)
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AnnotationError, match=r"a.txt: not a text"):
        load_dataset(tmp_path)


cells = st.sampled_from(["path", "caption", "person", "split", "a.png", "train", "1", "1.5", '"', "../x"]) | st.text(
    max_size=6
)


@given(rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_table_is_read_or_refused_with_the_one_error(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["path", "caption", "person", "split"], *rows])
    file = table(tmp_path_factory.mktemp("any"), stream.getvalue().encode(errors="surrogateescape"))
    records, refusal = read_or_refuse(file)
    assert (refusal or str(file)).encode().startswith(bytes(file))
    for record in records:
        assert record.image.is_relative_to(file.parent)
        os.fsencode(record.image)
        assert record.split in ("train", "val", "test")
        assert 0 <= record.person_id < 2**63


def read_or_refuse(file: Path) -> tuple[list[Record], str]:
    try:
        return read_own(file).records, ""
    except AnnotationError as error:
        return [], str(error)


@given(content=st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_table_or_refused(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = table(tmp_path_factory.mktemp("any"), b"path,caption\n" + content)
    records, refusal = read_or_refuse(file)
    assert bool(records) != bool(refusal)


def test_a_caption_that_stands_twice_at_its_picture_counts_once(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png", 1)
    rows = "path,caption\n1.png,a man\n1.png,a  man \n2.png,a man\n1.png,a red man\n"
    data = load_dataset(table(tmp_path, rows))
    assert [record.captions for record in data.test.records] == [("a man", "a red man"), ("a man",)]
    assert "1 captions stand twice at their picture, and count once" in data.notes
    (tmp_path / "1.txt").write_text("a man\na man\n")
    data = load_dataset(tmp_path)
    assert data.test.captions == ["a man"]
    assert "1 captions stand twice at their picture, and count once" in data.notes


def test_a_picture_has_one_camera(tmp_path: Path) -> None:
    filled = read_own(table(tmp_path, "path,caption,camera\n1.png,a,\n1.png,b,2.0\n1.png,c,\n"))
    assert [record.camera for record in filled.records] == [2]
    with pytest.raises(AnnotationError, match=r"record 3, field 'camera': camera 3 here and 2 in an earlier row"):
        read_own(table(tmp_path, "path,caption,camera\n1.png,a,2\n1.png,b,3\n"))


def test_the_folder_that_paths_start_from_must_be_there(tmp_path: Path) -> None:
    file = table(tmp_path, "path,caption\n1.png,a\n")
    for root in (tmp_path / "gone", file):
        with pytest.raises(AnnotationError, match=r"no such folder. Fix: root is the folder"):
            load_dataset(file, root)


def test_a_line_for_excel_is_no_header(tmp_path: Path) -> None:
    for end in ("\n", "\r\n"):
        found = read_own(table(tmp_path, f"sep=;{end}path;caption{end}1.png;a, b{end}"))
        assert found.records[0].captions == ("a, b",)


def test_folders_may_call_their_splits_as_tables_do_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    for place in ("training/1", "valid/2", "Test/3", "4", ".5", "__MACOSX/._6"):
        picture(tmp_path / f"{place}.png")
        (tmp_path / f"{place}.txt").write_text(place)
    data = load_dataset(tmp_path)
    assert data.val is not None
    assert [split.captions for split in data.splits] == [["training/1"], ["valid/2"], ["4", "Test/3"]]


@pytest.mark.parametrize("name", ["a" * 300, "b/" * 3000])
def test_a_path_too_long_for_any_file_is_a_problem_of_its_picture(name: str, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(f"path,caption\n/{name}.jpg,a man\n")
    data = load_dataset(tmp_path / "my.csv")
    assert data.test.num_images == 1
    assert data.check().table.loc["test", ["missing", "unreadable"]].sum() == 1
