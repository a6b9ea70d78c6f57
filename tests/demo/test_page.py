"""What `tireid demo` prepares before it serves, and what it refuses in one line."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from tests.search.fakes import Crops, make_crops
from tireid.cli import main
from tireid.demo import collection
from tireid.demo.collection import STAMP, Collection, prepare
from tireid.demo.serve import TEMPLATE, _written, free_port
from tireid.search import Gallery


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crops:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "cache"))
    return make_crops(tmp_path / "crops")


def folder_of(crops: Crops) -> Path:
    return crops.split.image_paths[0].parent


def test_a_folder_is_indexed_once_and_again_when_it_changed(crops: Crops, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(crops)
    first = prepare(folder, "tiny")
    assert "index pictures" in "".join(capsys.readouterr())
    names = Gallery.load(first.gallery).names
    assert len(names) == len(list(folder.iterdir()))
    assert first.preview.count("data:image/jpeg") == min(10, len(names))
    assert prepare(folder, "tiny") == first
    assert "index pictures" not in "".join(capsys.readouterr())
    shutil.copy(next(folder.iterdir()), folder / "another.png")
    again = prepare(folder, "tiny")
    assert again == first
    assert "another.png" in Gallery.load(again.gallery).names
    assert prepare(first.gallery) == Collection(first.gallery.resolve(), None), "a saved gallery is shown as it is"


def test_other_weights_under_a_bundled_name_are_another_model(
    crops: Crops, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = folder_of(crops)
    kept = prepare(folder, "tiny").gallery / STAMP
    before = kept.read_bytes()
    replaced = tmp_path / "replaced"
    replaced.mkdir()
    (replaced / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(collection, "_weights", lambda model: replaced)
    prepare(folder, "tiny")
    assert kept.read_bytes() != before


@pytest.mark.parametrize(("make", "message"), [(False, "no such folder"), (True, "no picture")])
def test_nothing_to_show_is_one_line(
    tmp_path: Path, make: bool, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "cache"))
    if make:
        (tmp_path / "empty").mkdir()
    assert main(["demo", str(tmp_path / "empty"), "--no-browser"]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_taken_port_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["demo", "--no-browser", "--port", str(port)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: port {port} of 127.0.0.1 cannot be used")
    assert told.count("\n") == 1
    assert free_port(None) > 0


def test_the_page_names_no_other_host(crops: Crops, tmp_path: Path) -> None:
    notebook = _written(prepare(folder_of(crops), "tiny"), tmp_path / "home")
    source = json.loads(notebook.read_text())["cells"][0]["source"]
    compile(source, "cell", "exec")
    assert "http" not in TEMPLATE


def test_without_voila_the_extra_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "voila", None)
    assert main(["demo", "--no-browser"]) == 2
    assert "pip install 'tireid[demo]'" in capsys.readouterr().err
