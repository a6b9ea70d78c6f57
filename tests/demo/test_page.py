"""What `tireid demo` prepares before it serves, and what it refuses in one line."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tireid
from tests.search.fakes import Crops, make_crops
from tireid.cli import main
from tireid.data import Dataset, load_dataset
from tireid.demo import bundled, collection
from tireid.demo.answer import Answer
from tireid.demo.collection import FIRST, MODEL, PREVIEW, STAMP, Collection, find, index, known_spread, open_demo
from tireid.demo.first_page import HOST, WAIT, FirstPage
from tireid.demo.grid import ResultGrid
from tireid.demo.page import unstyled_html
from tireid.demo.serve import TEMPLATE, _written, free_port
from tireid.demo.style import STYLE
from tireid.demo.thumbnails import Thumbnails
from tireid.pedestrians.writer import TRUTH_FILE
from tireid.search import Gallery
from tireid.show import COLOURS
from tireid.show.cards import Card


@pytest.fixture
def crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Crops:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "cache"))
    return make_crops(tmp_path / "crops")


def prepare(where: Path, model: str | None = None) -> Collection:
    found = find(where, model)
    index(found)
    return found


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
    assert again.gallery == first.gallery
    assert "another.png" in Gallery.load(again.gallery).names
    assert prepare(first.gallery) == Collection(first.gallery.resolve(), None), "a saved gallery is shown as it is"


def test_files_that_were_left_out_are_named_with_their_reason(crops: Crops) -> None:
    folder = folder_of(crops)
    (folder / "a<b>.jpg").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="cannot be read"):
        found = prepare(folder, "tiny")
    demo = open_demo(str(found.gallery), "tiny", False, str(Path.cwd()))
    told = demo.bar.left_out.value
    assert "1 file could not be read and cannot be found" in told
    assert "a&lt;b&gt;.jpg: not a readable picture" in told
    (folder / "a<b>.jpg").unlink()
    again = open_demo(str(prepare(folder, "tiny").gallery), "tiny", False, str(Path.cwd()))
    assert "file" not in again.bar.left_out.value


def test_pictures_that_changed_are_not_shown_before_they_are_read(crops: Crops) -> None:
    folder = folder_of(crops)
    assert find(folder, "tiny").preview == ""
    said: list[str] = []
    index(find(folder, "tiny"), said.append)
    assert said[-1] == f"Reading the pictures: {len(list(folder.iterdir()))} of {len(list(folder.iterdir()))}"
    assert "data:image" in find(folder, "tiny").preview
    next(folder.iterdir()).unlink()
    assert find(folder, "tiny").preview == ""


def test_the_first_view_has_the_present_style_once() -> None:
    assert find(None).preview.startswith(STYLE)
    assert find(None).preview.count("<style") == 1
    assert f"solid {COLOURS[False]};" in STYLE


def test_the_drawn_people_are_seen_before_they_are_drawn(crops: Crops) -> None:
    assert (find(None).indexed, find(None).drawn) == (False, True)
    assert find(None).preview.count("data:image/jpeg") == 10
    assert find(None, "tiny").preview == "", "another model ranks them otherwise"


def test_the_bundled_first_view_is_what_the_demo_writes_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a card looks otherwise: `python -m tireid.demo.bundled`."""
    kept = (collection.ASSETS / MODEL / PREVIEW).read_text(encoding="utf-8")
    shown = re.findall(r'alt="rank (\d+), score ([\d.]+), person (\d+), (.*?)" src="(.*?)"', kept)
    addresses = {Path(name): address for *_, name, address in shown}
    monkeypatch.setattr("tireid.show.cards.thumbnail", lambda path, **_: addresses[path])
    cards = [Card(int(rank), Path(name), name, float(score), int(person)) for rank, score, person, name, _ in shown]
    grid = ResultGrid(lambda *_: None, Thumbnails())
    grid.draw(Answer("pictures", cards, np.arange(len(cards))))
    assert len(cards) == 10
    assert kept == unstyled_html(f'pictures for "{FIRST}"', [("", grid.complete())])


@pytest.mark.slow
def test_the_bundled_spread_is_what_is_measured() -> None:
    kept, made = known_spread(MODEL), bundled.measured_spread(tireid.TIReID.from_pretrained(MODEL))
    assert kept is not None
    assert (kept.calibrated, kept.scale, kept.pictures) == (True, made.scale, made.pictures)
    assert kept.fewest_words == made.fewest_words > 0
    assert kept.pictures == len(tireid.load_dataset("synthetic").test.image_paths)
    np.testing.assert_allclose(kept.factor.T @ kept.factor, made.factor.T @ made.factor, atol=1e-5)
    for name in ("interval_levels", "within_levels"):
        np.testing.assert_allclose(getattr(kept, name), getattr(made, name), atol=0.02)


def test_a_share_is_stated_for_the_drawn_people_only(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery, here = str(prepare(folder_of(crops), MODEL).gallery), str(Path.cwd())
    monkeypatch.setattr(collection, "_drawn", lambda: crops.split)
    shown = {drawn: open_demo(gallery, MODEL, drawn, here) for drawn in (True, False)}
    assert {drawn: demo._source.spread.calibrated for drawn, demo in shown.items()} == {True: True, False: False}
    assert known_spread("tiny") is None


def test_the_first_page_is_told_how_many_people_are_drawn(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, on_progress: Callable[[int, int], None]) -> Dataset:
        return load_dataset(name, people=(2, 1, 3), seed=9, on_progress=on_progress)

    monkeypatch.setattr("tireid.data.load_dataset", load)
    said: list[str] = []
    index(find(None), said.append)
    assert said[:6] == [f"Drawing people: {done} of 6" for done in range(1, 7)]
    assert said[6].startswith("Reading the pictures: ")


@pytest.mark.slow
def test_the_bundled_first_view_is_what_the_model_finds() -> None:
    """Where the model was replaced: `python -m tireid.demo.bundled`."""
    data = tireid.load_dataset("synthetic")
    hits = tireid.Gallery.from_split(tireid.TIReID.from_pretrained(MODEL), data.test).search(FIRST, k=10)
    names = re.findall(r'<span class="name">(.*?)</span>', (collection.ASSETS / MODEL / PREVIEW).read_text())
    assert [name.replace("<wbr>", "") for name in names] == [hit.name for hit in hits]
    people = [hit.person_id for hit in hits]
    assert people[:4] == people[:1] * 4
    assert people[0] not in people[4:]
    truth = json.loads((data.folder / TRUTH_FILE).read_text())["people"][str(people[0])]
    told = ("gender", "upper.colour", "lower.colour", "lower.type", "bag.colour", "bag.type")
    assert "a {} in a {} top and {} {} with a {} {}".format(*(truth[key] for key in told)) == FIRST


def test_the_first_page_leaves_its_port_to_the_next_one() -> None:
    port = free_port(None)
    first = FirstPage(port, "secret", "<b>first view</b>")
    try:
        first.say("Reading <the> pictures")

        def ask(path: str) -> tuple[int, str]:
            with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()

        status, page = ask("/?token=secret")
        assert (status, "<b>first view</b>" in page, "Reading &lt;the&gt;" in page) == (200, True, True)
        for path in ("/", "/?token=guess", "/said", "/?token=%C3%A9"):
            assert ask(path) == (WAIT, "Reading <the> pictures")
        listening = first.hand_over()
        with socket.create_connection((HOST, port)) as asked:
            asked.sendall(b"hello")
            taken, _ = next(filter(None, (_accepted(listening) for _ in range(1000))))
            with taken:
                assert taken.recv(5) == b"hello", "who asks meanwhile is not turned away"
    finally:
        first.close()
    FirstPage(port, "secret", "").close()


def _accepted(listening: socket.socket) -> tuple[socket.socket, object] | None:
    """The socket is served without blocking."""
    try:
        return listening.accept()
    except BlockingIOError:
        return time.sleep(0.01)


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
