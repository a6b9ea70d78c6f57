"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.runner.books import book, parameters, save
from tireid.cli import COMMANDS, main
from tireid.data import load_dataset
from tireid.model import TIReID
from tireid.model.io.resolve import ASSETS
from tireid.pedestrians import write_dataset
from tireid.search import evaluate


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_dataset(root, people=(8, 3, 4), images_per_person=2, captions_per_image=1, processes=1)
    return root


def test_check_data_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_dataset(tmp_path, people=(3, 1, 1), images_per_person=2, captions_per_image=1, processes=1)
    check = ["check-data", "--dataset", "CUHK-PEDES", "--root", str(tmp_path)]
    assert main(check) == 0
    gone = sorted(folder.glob("imgs/**/*.jpg"))[0]
    gone.unlink()
    capsys.readouterr()
    assert main(check) == 1
    assert gone.name in capsys.readouterr().out


def test_a_wrong_root_is_an_error_with_a_name_and_a_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-data", "--dataset", "RSTPReid", "--root", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert "RSTPReid" in message
    assert "Traceback" not in message


def test_a_warning_is_one_line_without_code(tmp_path: Path) -> None:
    """In a process of its own: pytest keeps the warnings of this one."""
    (tmp_path / "crops").mkdir()
    Image.new("RGB", (32, 96)).save(tmp_path / "crops/a.png")
    (tmp_path / "crops/b.png").write_bytes(b"no picture")
    command = [sys.executable, "-m", "tireid", "index", str(tmp_path / "crops"), str(tmp_path / "gallery")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0
    said = done.stderr.splitlines()
    assert any("b.png: not a readable picture" in line for line in said)
    assert all(line.startswith("warning: ") for line in said), said


def test_train_evaluate_index_search(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--dataset", "CUHK-PEDES", "--root", str(root)]
    smoke = ["--backbone", "tiny", "--epochs", "1", "--set", "sampler.batch_size=4"]
    assert main(["train", "--preset", "clip", *data, *smoke, "--output-dir", str(tmp_path / "run")]) == 0
    assert re.search(r"^test/best/t2i/R@1: \d+\.\d\d%$", capsys.readouterr().out, re.MULTILINE)
    best = str(tmp_path / "run" / "best")

    assert main(["evaluate", "--model", best, *data, "--output-dir", str(tmp_path / "score")]) == 0
    assert "R@1" in capsys.readouterr().out
    assert json.loads((tmp_path / "score" / "metrics.json").read_text(encoding="utf-8"))

    assert main(["index", str(root / "CUHK-PEDES" / "imgs"), str(tmp_path / "gallery"), "--model", best]) == 0
    assert "30 pictures indexed" in capsys.readouterr().out
    page = tmp_path / "result.html"
    image = ["--image", str(next(root.rglob("*.jpg")))]
    assert main(["search", str(tmp_path / "gallery"), *image, "--model", best, "-k", "1"]) == 0
    assert "1 hit for a picture\n 1  1.00  " in capsys.readouterr().out
    search = ["search", str(tmp_path / "gallery"), "a man in a <b>red</b> coat", "--model", best, "-k", "3"]
    assert main([*search, "--html", str(page)]) == 0
    assert len(capsys.readouterr().out.strip().splitlines()) >= 4
    html = page.read_text(encoding="utf-8")
    assert html.count("<img") == 3
    assert "<b>red</b>" not in html


def test_weights_without_a_tokenizer_take_one_from_the_command_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare, words, gallery = str(tmp_path / "bare"), ["--tokenizer", str(ASSETS / "tiny")], str(tmp_path / "gallery")
    shutil.copytree(ASSETS / "tiny", bare, ignore=shutil.ignore_patterns("tokenizer*"))
    data = ["--dataset", "CUHK-PEDES", "--root", str(root)]
    crops = str(root / "CUHK-PEDES" / "imgs")
    train = ["train", "--preset", "clip", "--backbone", bare, "--set", "training.max_steps=1", *data]
    small = ["--set", "sampler.batch_size=4", "--output-dir", str(tmp_path / "run")]
    for command in (
        ["evaluate", "--model", bare, *data],
        ["index", crops, gallery, "--model", bare],
        ["search", gallery, "a man", "--model", bare],
        [*train, *small],
    ):
        assert main(command) == 2
        assert "tokenizer" in capsys.readouterr().err
        assert main([*command, *words]) == 0
        capsys.readouterr()
    assert main(["search", gallery, "a man", *words]) == 2
    assert "give both" in capsys.readouterr().err


def test_the_drawn_people_stay_out_of_the_folder_of_other_data(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {}
    data = load_dataset("CUHK-PEDES", root)
    monkeypatch.setattr("tireid.data.load_dataset", lambda name, place: asked.update({name: place}) or data)
    command = ["evaluate", "--model", "tiny", "--root", str(root), "--dataset"]
    assert main([*command, "CUHK-PEDES", "synthetic"]) == 0
    assert asked == {"CUHK-PEDES": str(root), "synthetic": None}
    assert main([*command, "synthetic"]) == 0
    assert asked["synthetic"] == str(root)
    assert "text→image" in capsys.readouterr().out


def test_several_models_and_data_sets_make_a_table(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text(
        "path,caption\n" + "\n".join(f"{f.relative_to(root)},a man" for f in sorted(root.rglob("*.jpg"))[:4]),
        encoding="utf-8",
    )
    data = ["--root", str(root), "--dataset", "CUHK-PEDES", str(tmp_path / "mine.csv")]
    assert main(["evaluate", "--model", "tiny", "tiny-street", *data, "--output-dir", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("test, %\n")
    assert printed.count("text→image") == 4
    table = pd.read_csv(tmp_path / "out/cross.csv").set_index(["model", "data", "direction"])
    one = evaluate(TIReID.from_pretrained("tiny"), load_dataset("CUHK-PEDES", root).test).table()
    assert table.loc[("tiny", "CUHK-PEDES", "text→image"), "mAP"] == pytest.approx(one.loc["text→image", "mAP"])


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_trial_on_nobody_is_refused(
    root: Path, tmp_path: Path, limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--preset", "clip", "--backbone", "tiny", "--set", "training.max_steps=1", "--set", "sampler.batch_size=4"]
    data = ["--dataset", "CUHK-PEDES", "--root", str(root), "--output-dir", str(tmp_path / "run")]
    assert main(["train", *few, *data, "--limit", limit]) == 2
    assert f"got {limit}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "typed",
    ["gallery coat -k 3", "gallery -k 3 coat", "-k 3 gallery coat", "gallery -k 3 -- coat"],
)
def test_options_stand_anywhere(typed: str) -> None:
    options = COMMANDS.parser.parse_args(["search", *typed.split()])
    assert (str(options.gallery), options.text, options.k) == ("gallery", "coat", 3)
    assert COMMANDS.parser.parse_args(["search", "gallery", "--image", "a.jpg"]).text is None


def test_mistyped_option_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--set", "loss.gama=3", "--output-dir", str(tmp_path / "run")]) == 2
    assert "did you mean 'loss.gamma'" in capsys.readouterr().err


def test_generate_writes_the_layout_that_was_asked_for(tmp_path: Path) -> None:
    people = ["--people", "2", "0", "1"]
    assert main(["generate", str(tmp_path), "--layout", "ICFG-PEDES", "--style", "studio", *people]) == 0
    assert (tmp_path / "ICFG-PEDES" / "ICFG-PEDES.json").is_file()


HEAVY = {"torch", "pandas", "numpy", "transformers", "pydantic", "papermill", "nbformat", "matplotlib", "scipy", "PIL"}


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, tireid, tireid.cli; tireid.cli.COMMANDS.parser.format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "tireid.cli" in loaded
    assert not HEAVY & set(loaded)


def test_a_task_of_a_sweep_leaves_pytorch_to_its_kernel() -> None:
    code = "import sys, tireid.studies.sweep, tireid.runner.execution; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "papermill" in loaded
    assert "torch" not in loaded


def test_help_takes_a_moment_longer_than_python_itself() -> None:
    def seconds(*arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
        return time.perf_counter() - started

    ours, bare = ([seconds(*command) for _ in range(5)] for command in (["-m", "tireid", "--help"], ["-c", "pass"]))
    assert min(ours) - min(bare) < 0.3


def test_every_command_has_help_and_says_what_its_model_is(capsys: pytest.CaptureFixture[str]) -> None:
    names = {"run", "train", "check-data", "generate", "evaluate", "index", "search", "sweep", "report", "pack"}
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    assert names <= set(capsys.readouterr().out.split())
    for command in ("evaluate", "index"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        shown = "".join(capsys.readouterr().out.split())
        assert "ahubidofaCLIPmodel,oranIRRA.pth(default:tiny-street)" in shown


@pytest.mark.parametrize("value", ["-1e-4", "-1", "-.5", "-1.5E+3", "-inf"])
def test_a_negative_number_is_an_argument(value: str) -> None:
    options = COMMANDS.parser.parse_args(["run", "book.ipynb", "-p", "x", value, "--timeout", value])
    assert options.parameter == [["x", value]]
    assert options.timeout == float(value)


def test_the_home_folder_is_expanded_in_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    home = "/home/somebody/x"
    sub = next(action for action in COMMANDS.parser._actions if action.choices and "run" in action.choices)
    assert sub.choices
    found = 0
    for parser in dict(sub.choices).values():  # type: ignore[call-overload]
        for action in parser._actions:
            if action.type is not None and action.type not in (int, float) and action.dest != "port":
                assert str(action.type("~/x")) == home
                assert str(action.type("x/~")) == "x/~"
                found += 1
            elif action.dest in (
                "root",
                "model",
                "output_dir",
                "html",
                "folder",
                "notebook",
                "study",
                "results",
                "runs",
            ):
                pytest.fail(f"{parser.prog} {action.dest} is a path")
    assert found > 20


CONVERGED = str(Path(__file__).parents[1] / "notebooks/studies/converged.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["train"],
        ["train", "--epochs", "x", "--output-dir", "y"],
        ["search", "nowhere", "a man"],
        ["search", "nowhere"],
        ["sweep", "nowhere.yaml"],
        *(["sweep", CONVERGED, "--jobs", jobs, "--list"] for jobs in ("0", "99", "-1")),
        *(["demo", "nowhere", "--port", port] for port in ("99999", "-1", "0", "x", "9" * 99)),
        ["report", "nowhere.yaml"],
        ["run", "a\nb\x1b[2J.ipynb"],
    ],
)
def test_an_error_is_one_line_and_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert len(shown.err.splitlines()) == 1
    assert shown.err[:-1].isprintable()


def test_a_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here").rmdir()
    assert main(["check-data"]) == 2
    assert capsys.readouterr().err == "error: the folder that this was started in is gone; change to another one\n"


def test_a_terminal_that_lacks_a_character_gets_an_escape(tmp_path: Path) -> None:
    path = save(book(parameters('arrow: str = "→"  # to the right')), tmp_path)
    command = [sys.executable, "-m", "tireid", "run", str(path), "--list"]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    assert done.returncode == 0, done.stderr
    assert rb"\u2192" in done.stdout


def test_clean_removes_what_killed_writers_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIREID_CACHE", str(tmp_path / "cache"))
    left = [tmp_path / "cache/a/.x.npy.123.part", tmp_path / "runs/deep/.best.9.part"]
    kept = [tmp_path / "runs/deep/best", tmp_path / "runs/.bashrc"]
    for file in left + kept:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * 1_500_000)
    assert main(["clean", str(tmp_path / "runs"), "--dry-run"]) == 0
    assert "3.0 MB would be removed" in capsys.readouterr().out
    assert all(file.exists() for file in left + kept)
    assert main(["clean", str(tmp_path / "runs")]) == 0
    assert "3.0 MB were removed" in capsys.readouterr().out
    assert [file.exists() for file in left + kept] == [False, False, True, True]


def test_a_gallery_names_its_model_and_goes_on_where_its_folder_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_dataset("synthetic", tmp_path / "people", people=(2, 2, 3), images_per_person=2, processes=1)
    crops, gallery = tmp_path / "crops", tmp_path / "gallery"
    crops.mkdir()
    for file in data.test.image_paths[:5]:
        (crops / file.name).write_bytes(file.read_bytes())
    assert main(["index", str(crops), str(gallery), "--model", "tiny"]) == 0
    last = data.test.image_paths[5]
    (crops / last.name).write_bytes(last.read_bytes())
    encoded: list[int] = []
    encode = TIReID.encode_images
    monkeypatch.setattr(
        TIReID, "encode_images", lambda self, images, **kw: (encoded.append(len(images)), encode(self, images, **kw))[1]
    )
    assert main(["index", str(crops), str(gallery), "--model", "tiny"]) == 0
    assert sum(encoded) <= 1  # five are as they were
    assert "6 pictures indexed" in capsys.readouterr().out
    assert main(["search", str(gallery), "a red coat", "-k", "6"]) == 0
    assert last.name in capsys.readouterr().out


def test_the_benchmark_prints_its_table_and_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "--items", "2000", "--pictures", "300"]) == 0
    printed = capsys.readouterr().out
    assert "cores" in printed
    assert "ratio" in printed
