"""A folder is indexed in shards here, by jobs, and after accidents."""

from __future__ import annotations

import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.processes import kill_with_descendants
from tests.search.fakes import make_crops
from tireid import TIReID
from tireid.cli import main
from tireid.search import Gallery, shards
from tireid.search.storage import FILE, PARTIAL, read_file
from tireid.studies.indexing import index

pytestmark = pytest.mark.filterwarnings("ignore:.*unlike those")
TEXT = "a man in a red shirt"


def index_street(folder: Path, directory: Path, **options: object) -> Gallery:
    return index(folder, directory, partial(TIReID.from_pretrained, "tiny-street"), **options)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_crops(tmp_path / "crops", per_person=6).root


def told(gallery: Gallery) -> list[tuple[str, float | None]]:
    return [(hit.name, hit.score) for hit in gallery.search(TEXT, k=24)]


def near(one: Gallery, other: Gallery) -> None:
    """The same pictures; batches of other sizes change features in the last digit, of float16 too."""
    assert [name for name, _ in sorted(told(one))] == [name for name, _ in sorted(told(other))]
    scores = [[score for _, score in sorted(told(gallery))] for gallery in (one, other)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)


def test_the_command_makes_shards_and_keeps_their_number(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = str(tmp_path / "index")
    monkeypatch.chdir(tmp_path)
    assert main(["index", "crops", gallery, "--shards", "3", "--half"]) == 0
    said = capsys.readouterr().out
    assert "done: shard 2 of 3" in said
    assert "24 pictures indexed" in said
    assert shards.shards_of(gallery) == 3
    with monkeypatch.context() as patched:
        patched.setattr(TIReID, "encode_images", lambda *_, **__: pytest.fail("it is encoded already"))
        assert main(["index", "crops", gallery]) == 0
    assert shards.shards_of(gallery) == 3
    assert main(["search", gallery, TEXT, "-k", "3"]) == 0
    near(Gallery.load(gallery), index_street(folder, tmp_path / "whole", half=True))
    (folder / "bad.png").write_bytes(b"no picture")
    assert main(["index", "crops", gallery]) == 0
    named, last = capsys.readouterr().out.splitlines()[-2:]
    assert named.startswith(f"skipped: {folder / 'bad.png'}: not a readable picture")
    assert "24 pictures indexed, 1 skipped" in last
    assert main(["index", str(folder), gallery, "--shards", "-1"]) == 2
    assert "shards: expected 1 or more" in capsys.readouterr().err


def test_shards_without_a_picture_cost_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = tmp_path / "many"
    assert main(["index", str(folder), str(many), "--shards", str(2**40)]) == 0
    assert "24/24 done: shard " in capsys.readouterr().out
    near(Gallery.load(many), index_street(folder, tmp_path / "whole"))
    assert shards.shards_of(many) == 2**40


@pytest.mark.parametrize("command", [["index", "crops"], ["index", "crops", "--shards", "2"], ["generate"]])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    command: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr(TIReID, "encode_images", lambda *_, **__: pytest.fail("the work has begun"))
    monkeypatch.setattr("tireid.pedestrians.writer._build", lambda *_: pytest.fail("the work has begun"))
    Path("file").write_text("precious")
    for place in ("file", "file/below"):
        assert main([*command[:2], place, *command[2:]]) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert Path("file").read_text() == "precious"


def test_after_an_accident_only_its_shard_is_made_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_street(folder, tmp_path / "index", shards=3)
    before = told(Gallery.load(tmp_path / "index"))
    real = Gallery.from_folder.__func__  # type: ignore[attr-defined]

    def dies(cls: type[Gallery], *given: object, **options: object) -> Gallery:
        if options.get("share") == (1, 4):
            raise OSError("no space left on device")
        return real(cls, *given, **options)

    monkeypatch.setattr(Gallery, "from_folder", classmethod(dies))
    with pytest.raises(OSError, match="no space"):
        index_street(folder, tmp_path / "index", shards=4)
    assert told(Gallery.load(tmp_path / "index")) == before, "the earlier gallery stays until the new one is whole"
    monkeypatch.undo()
    stamp = (tmp_path / "index" / "shard-0-of-4" / FILE).read_bytes()
    monkeypatch.setattr(TIReID, "encode_images", _counted := Counted(TIReID.encode_images))
    again = index_street(folder, tmp_path / "index", shards=4)
    own = len(Gallery.load(tmp_path / "index" / "shard-0-of-4"))
    assert _counted.pictures == 24 - own
    assert (tmp_path / "index" / "shard-0-of-4" / FILE).read_bytes() == stamp
    near(again, index_street(folder, tmp_path / "whole"))
    assert not list((tmp_path / "index").glob("shard-*-of-3"))


ENCODE_OFTEN_PUT_DOWN = """
import sys
from tireid.cli import main
from tireid.search import encoded
encoded.EVERY = 0.0
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_killed_command_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, place = make_crops(tmp_path / "crops", per_person=100).root, tmp_path / "index"
    (folder / "cam0" / "bad.png").write_bytes(b"no picture")
    main(["index", str(folder), str(tmp_path / "alone")])
    command = [sys.executable, "-c", ENCODE_OFTEN_PUT_DOWN, "index", str(folder), str(place)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 300
    while len(list(place.glob(PARTIAL))) < 2:
        assert time.monotonic() < end, "nothing was put down in time"
        time.sleep(0.001)
    kill_with_descendants([psutil.Process(first.pid)])
    known = sum(len(read_file(file).names) for file in place.glob(PARTIAL))
    assert known < 400, "it was killed while it worked"
    assert main(["search", str(place), TEXT]) == 2, "half a gallery is none"
    monkeypatch.setattr(TIReID, "encode_images", counted := Counted(TIReID.encode_images))
    main(["index", str(folder), str(place)])
    assert counted.pictures == 400 - known
    assert (place / FILE).read_bytes() == (tmp_path / "alone" / FILE).read_bytes()
    main(["clean", str(place)])
    assert [path.name for path in place.iterdir()] == [FILE]


class Counted:
    """A method that counts the pictures it is given."""

    def __init__(self, method: object) -> None:
        self.method, self.pictures = method, 0

    def __get__(self, model: TIReID, _: object = None) -> object:
        def call(pictures: object, **options: object) -> object:
            self.pictures += len(pictures)  # type: ignore[arg-type]
            return self.method(model, pictures, **options)  # type: ignore[operator]

        return call


@pytest.mark.slow
def test_jobs_make_what_one_process_makes(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tireid", "index", str(folder), str(tmp_path / "index"), "--shards", "4"]
    command += ["--jobs", "2"]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 300
    while not list((tmp_path / "index").glob(f"shard-*/{FILE}")):
        assert time.monotonic() < end, "no shard in time"
        time.sleep(0.1)
    kill_with_descendants([psutil.Process(first.pid)])
    assert not (tmp_path / "index" / "shards.json").exists()
    stamps = {path: path.stat().st_ino for path in (tmp_path / "index").glob(f"shard-*/{FILE}")}
    again = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert stamps
    near(Gallery.load(tmp_path / "index"), index_street(folder, tmp_path / "whole"))
    assert list((tmp_path / "index" / "logs").iterdir())


@pytest.mark.slow
def test_a_shard_that_fails_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "index" / "shard-1-of-2").parent.mkdir()
    (tmp_path / "index" / "shard-1-of-2").write_text("in the way")
    with pytest.raises(RuntimeError, match=r"1 of 2 shards failed.*failed: shard 1 of 2.*log: "):
        index_street(folder, tmp_path / "index", shards=2, jobs=2)
    (tmp_path / "index" / "shard-1-of-2").unlink()
    assert len(index_street(folder, tmp_path / "index", shards=2, jobs=2)) == 24
