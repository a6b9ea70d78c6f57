from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tireid.pedestrians import write_dataset

PEOPLE = (3, 1, 2)
FILES = {"CUHK-PEDES": "reid_raw.json", "ICFG-PEDES": "ICFG-PEDES.json", "RSTPReid": "data_captions.json"}
CUHK_FOLDERS = {"cam_a", "cam_b", "CUHK01", "CUHK03", "Market", "test_query", "train_query"}


def digest(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def annotation(folder: Path) -> list[dict]:
    return json.loads((folder / FILES[folder.name]).read_text(encoding="utf-8"))


def truth(folder: Path) -> dict:
    return json.loads((folder / "ground_truth.json").read_text(encoding="utf-8"))


def test_same_seed_same_bytes_other_seed_other_people(tmp_path: Path) -> None:
    one, again = (write_dataset(tmp_path / name, people=PEOPLE, seed=7) for name in ("a", "b"))
    other = write_dataset(tmp_path / "c", people=PEOPLE, seed=8)
    assert digest(one) == digest(again)
    assert not {*map(str, truth(one)["people"].values())} & {*map(str, truth(other)["people"].values())}


@pytest.mark.slow
def test_bytes_do_not_depend_on_processes(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    one = write_dataset(tmp_path / "1", people=(9, 2, 3), processes=1)
    two = write_dataset(tmp_path / "2", people=(9, 2, 3), processes=2, on_progress=lambda *now: seen.append(now))
    assert digest(one) == digest(two)
    assert seen == [(i, 14) for i in range(1, 15)]


@pytest.mark.slow
def test_a_script_without_main_guard_draws_in_processes_and_runs_once(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "import sys\nfrom tireid.pedestrians import write_dataset\n"
        "write_dataset(sys.argv[1], people=(3, 0, 0), processes=2)\nprint('once')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "out")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("once\n", "")
    assert digest(tmp_path / "out" / "CUHK-PEDES") == digest(write_dataset(tmp_path / "in", people=(3, 0, 0)))


@pytest.mark.parametrize("layout", list(FILES))
def test_layouts_have_the_real_files_fields_and_ids(tmp_path: Path, layout: str) -> None:
    folder = write_dataset(tmp_path, layout=layout, people=PEOPLE, images_per_person=3)
    records = annotation(folder)
    field = "img_path" if layout == "RSTPReid" else "file_path"
    fields = {"id", "split", "captions", field} | (set() if layout == "RSTPReid" else {"processed_tokens"})
    assert all(set(record) == fields for record in records)
    first = 1 if layout == "CUHK-PEDES" else 0
    ids = {split: sorted({r["id"] for r in records if r["split"] == split}) for split in ("train", "val", "test")}
    val = 0 if layout == "ICFG-PEDES" else 1
    assert ids["train"] == list(range(first, first + 3))
    assert ids["val"] == list(range(first + 3, first + 3 + val))
    assert ids["test"] == list(range(first + 3 + val, first + 5 + val))
    assert len(records) == 3 * (5 + val)
    paths = [record[field] for record in records]
    on_disk = {str(path.relative_to(folder / "imgs")) for path in (folder / "imgs").rglob("*.jpg")}
    assert len(set(paths)) == len(paths)
    assert set(paths) == on_disk
    for record in records:
        assert len(record["captions"]) == (1 if layout == "ICFG-PEDES" else 2)
        for caption, tokens in zip(record["captions"], record.get("processed_tokens", []), strict=False):
            assert tokens == caption.lower().replace(",", "").replace(".", "").split()
        with Image.open(folder / "imgs" / record[field]) as picture:
            assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 192), "RGB")


def test_file_names_carry_what_the_real_ones_carry(tmp_path: Path) -> None:
    flat = write_dataset(tmp_path, layout="RSTPReid", people=PEOPLE)
    for image in truth(flat)["images"]:
        identity, camera, _ = Path(image["file_path"]).stem.split("_")
        assert (int(identity), camera) == (image["id"], f"c{image['conditions']['camera']}")
    cuhk = write_dataset(tmp_path, layout="CUHK-PEDES", people=(20, 2, 4))
    assert {record["file_path"].split("/")[0] for record in annotation(cuhk)} == CUHK_FOLDERS
    icfg = write_dataset(tmp_path, layout="ICFG-PEDES", people=(6, 2, 6))
    pairs = {(record["file_path"].split("/")[0], record["split"]) for record in annotation(icfg)}
    assert pairs == {("train", "train"), ("train", "test"), ("test", "train"), ("test", "test")}


def test_layout_and_style_do_not_change_who_people_are(tmp_path: Path) -> None:
    crowds = [
        truth(write_dataset(tmp_path / style, layout=layout, style=style, people=PEOPLE, images_per_person=1))
        for layout, style in (("CUHK-PEDES", "street"), ("CUHK-PEDES", "studio"), ("RSTPReid", "street"))
    ]
    described = [[str(person) for person in crowd["people"].values()] for crowd in crowds]
    assert described[0] == described[1] == described[2]
    icfg = truth(write_dataset(tmp_path, layout="ICFG-PEDES", people=PEOPLE, images_per_person=1))
    assert [str(person) for person in icfg["people"].values()] == described[0][:3] + described[0][4:]


def test_ground_truth_matches_the_annotation(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, people=PEOPLE)
    known, records = truth(folder), annotation(folder)
    assert len({image["conditions"]["camera"] for image in known["images"][:4]}) == 4
    for image, record in zip(known["images"], records, strict=True):
        assert (image["file_path"], image["id"], image["split"]) == tuple(
            record[k] for k in ("file_path", "id", "split")
        )
        assert [caption["text"] for caption in image["captions"]] == record["captions"]
        person = known["people"][str(image["id"])]
        assert set(image["visible"]) <= set(person)
        for caption in image["captions"]:
            assert set(caption["mentioned"]) <= set(image["visible"])
            for key, value in caption["mentioned"].items():
                assert (value == person[key]) == (key not in caption["vague"] and key not in caption["mistakes"])


def test_complete_is_kept_incomplete_is_rebuilt_and_different_raises(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, people=PEOPLE)
    before = digest(folder)
    one = folder / "imgs" / annotation(folder)[0]["file_path"]
    stamp = one.stat().st_mtime_ns
    seen: list[int] = []
    assert write_dataset(tmp_path, people=PEOPLE, on_progress=lambda done, _: seen.append(done)) == folder
    assert (one.stat().st_mtime_ns, seen) == (stamp, [])
    one.unlink()
    write_dataset(tmp_path, people=PEOPLE, on_progress=lambda done, _: seen.append(done))
    assert seen == [1, 2, 3, 4, 5, 6]
    assert digest(folder) == before
    (folder / "reid_raw.json").write_text('[{"id": 1', encoding="utf-8")  # as a full disk leaves it
    write_dataset(tmp_path, people=PEOPLE)
    assert digest(folder) == before
    with pytest.raises(FileExistsError, match=r"seed=0 \(asked: 1\)"):
        write_dataset(tmp_path, people=PEOPLE, seed=1)
    assert digest(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["CUHK-PEDES"]


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    note = write_dataset(tmp_path, people=PEOPLE) / "generator.json"
    note.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=f"{note} is damaged"):
        write_dataset(tmp_path, people=PEOPLE)


def test_a_real_data_set_is_never_touched(tmp_path: Path) -> None:
    real = tmp_path / "CUHK-PEDES"
    real.mkdir()
    (real / "reid_raw.json").write_text("[]", encoding="utf-8")
    with pytest.raises(FileExistsError, match="not generated"):
        write_dataset(tmp_path, people=PEOPLE)
    assert [path.name for path in real.iterdir()] == ["reid_raw.json"]


def test_every_file_reaches_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[int] = set()

    def fsync(handle: int) -> None:
        assert not (tmp_path / "CUHK-PEDES").exists()
        flushed.add(os.fstat(handle).st_ino)

    monkeypatch.setattr("tireid.basics.files.os.fsync", fsync)
    folder = write_dataset(tmp_path, people=(2, 1, 1), images_per_person=1, masks=["test"], processes=1)
    assert {path.stat().st_ino for path in folder.rglob("*")} <= flushed


def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, people=PEOPLE, on_progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_generation_leaves_no_children_and_the_next_run_removes_its_folder(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal, multiprocessing\n"
        "from tireid.pedestrians import write_dataset\n"
        "def stop(done, total):\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    write_dataset(sys.argv[1], people=(16, 0, 0), images_per_person=200, processes=2, on_progress=stop)\n"
    )
    (tmp_path / "killed.py").write_text(script, encoding="utf-8")
    out, told = tmp_path / "out", tmp_path / "told.txt"
    with told.open("w") as stream:  # a pipe would stay open, and wait, as long as the children live
        subprocess.run([sys.executable, str(tmp_path / "killed.py"), str(out)], stdout=stream, timeout=300, check=False)
    children = [int(number) for number in told.read_text().split()]
    assert len(children) == 2
    assert [path.name[:12] for path in out.iterdir()] == [".CUHK-PEDES."]
    write_dataset(out, people=(1, 0, 0))
    time.sleep(1)  # each had seconds of work left
    assert not any(alive(child) for child in children)
    assert [path.name for path in out.iterdir()] == ["CUHK-PEDES"]


def alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "MSMT17"}, "layout must be one of"),
        ({"style": "film"}, "style must be one of"),
        ({"people": (0, 0, 0)}, "people must be three counts"),
        ({"people": (1, 1)}, "people must be three counts"),
        ({"people": (10**20, 1, 1)}, "captions, at most 10,000,000 are written at a time"),
        ({"images_per_person": 0}, "images_per_person must be a positive integer, got 0"),
    ],
)
def test_bad_options_raise(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
