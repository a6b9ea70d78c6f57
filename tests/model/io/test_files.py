"""What lies where weights should be, and the commands that the messages give."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tireid.model import CheckpointError
from tireid.model.io.files import metadata, read_shapes, read_tensors, to_safetensors, without_prefix

ODD = 'it\'s $HOME "quoted" `x`'
"""A folder whose name a careless command breaks at."""


def run(command: str) -> None:
    """In a shell, as a user would."""
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, check=True, capture_output=True)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict", "model_state_dict", "module", "ema"])
def test_torch_files_of_both_kinds(wrapper: str | None, legacy: bool, tmp_path: Path) -> None:
    state: Any = {"module.a": torch.arange(3.0).half(), "module.n": torch.tensor(7)}
    path = tmp_path / "a.pth"
    torch.save({wrapper: state} if wrapper else state, path, _use_new_zipfile_serialization=not legacy)
    read = read_tensors(path)
    assert {name: value.dtype for name, value in read.items()} == {"a": torch.float32, "n": torch.int64}
    assert read["a"].tolist() == [0.0, 1.0, 2.0]


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.pth")
    torch.save({"b": torch.ones(2)}, tmp_path / "b.safetensors")
    assert list(read_tensors(tmp_path / "a.pth")) == ["a"]
    assert list(read_tensors(tmp_path / "b.safetensors")) == ["b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: the download or copy did not finish; fetch it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "is a Git LFS pointer.*git lfs pull"),
        (b"\n<!DOCTYPE html><html><body>Sign in", "is a web page: the link led to a log-in"),
        (b"<html>", "is a web page: the link led to a log-in"),
        (bytes(1000), "begins with zeros: its room was reserved and never filled"),
        (b'{"error": "not found"}', "is neither safetensors nor PyTorch weights: it begins with"),
        (b"PK\x03\x04" + b"x" * 40, "is truncated: an archive that ends after 44 bytes; fetch it again"),
        ((10**6).to_bytes(8, "little") + b'{"a": {', r"is truncated: it ends, after 15 bytes, in its header"),
        (b"\x80\x02garbage", "is damaged or holds more than weights"),
        (gzip.compress(b"weights"), "is packed.*unpack it"),
    ],
)
@pytest.mark.parametrize("name", ["best.pth", "model.safetensors"])
def test_what_is_no_weights_says_what_it_is(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as error:
        read_tensors(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
def test_a_file_that_ends_too_soon(name: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / name
    state = {"a": torch.randn(50, 50)}
    save_file(state, path) if name.endswith("safetensors") else torch.save(state, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r"(truncated|damaged).*[Ff]etch it again"):
        read_tensors(path)


def test_an_archive_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"an archive of 1 files \(\['readme.txt'\]\), not weights; unpack it"):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("byte", [b"\xff", b"\x00", b"PK"])
@pytest.mark.timeout(60)
def test_an_archive_with_a_damaged_list_of_files_is_named(byte: bytes, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(50)}, path := tmp_path / "a.pth")
    content = path.read_bytes()
    for begin in range(content.index(b"PK\x01\x02"), len(content)):
        path.write_bytes(content[:begin] + byte + content[begin + len(byte) :])
        with suppress(CheckpointError):  # some bytes, such as a time of day, change nothing
            assert list(read_tensors(path)) == ["a"]


@pytest.mark.parametrize("record", ["data/0", "data/1", "data.pkl", "version"])
def test_damage_within_a_record_of_an_archive_is_named(record: str, tmp_path: Path) -> None:
    torch.save({"a": torch.randn(50), "b": torch.randn(3)}, path := tmp_path / "best.pth")
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        found = archive.getinfo(f"best/{record}")
        content[content.index(archive.read(found), found.header_offset + 30 + len(found.filename))] ^= 1
    path.write_bytes(content)
    try:
        told = f"nothing of {record}: {read_tensors(path)}"
    except CheckpointError as error:
        told = str(error)
    assert re.search(rf"best\.pth is damaged .*best/{record}'\); fetch it again$", told)


def test_an_archive_without_sums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.arange(3.0)}, tmp_path / "best.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_tensors(tmp_path / "best.pth")["a"].tolist() == [0.0, 1.0, 2.0]


def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(10**6)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as plain, zipfile.ZipFile(tmp_path / "b.pth", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(CheckpointError, match=r"b\.pth is compressed, to .* of 4,000,\d\d\d bytes"):
        read_tensors(tmp_path / "b.pth")


@pytest.mark.parametrize(
    "value",
    [
        torch.eye(3).to_sparse(),
        torch.ones(3, device="meta"),
        torch.ones(1).expand(10**12),
        torch.ones(1).half().expand(10**12),
    ],
    ids=["sparse", "meta", "expanded", "half"],
)
def test_numbers_that_the_file_does_not_hold_are_refused(value: torch.Tensor, tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2), "b": value}, tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=r"best\.pth: sparse or quantised weights.*cannot be used.*: b$"):
        read_tensors(tmp_path / "best.pth")


def test_a_weight_may_be_called_as_a_wrapper_is(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2), "weights": torch.zeros(2)}, tmp_path / "best.pth")
    assert list(read_tensors(tmp_path / "best.pth")) == ["a", "weights"]


def test_what_a_file_without_weights_has_is_told(tmp_path: Path) -> None:
    torch.save({"student": {"a": torch.ones(2)}, "epoch": 3}, tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=r"one of model, state_dict, .*; it has 'student', 'epoch'$"):
        read_tensors(tmp_path / "best.pth")


def test_a_wrapper_that_holds_itself_ends(tmp_path: Path) -> None:
    state: dict[str, object] = {}
    state["model"] = state
    torch.save(state, tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match="holds no weights"):
        read_tensors(tmp_path / "best.pth")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.timeout(60)
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "model.safetensors")
    for read in (read_tensors, read_shapes, metadata):
        with pytest.raises(FileNotFoundError, match=r"no checkpoint file at .*model\.safetensors; copy it"):
            read(pipe)


def test_an_error_of_torch_holds_no_escapes(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match="holds more than weights") as error:
        read_tensors(tmp_path / "best.pth")
    assert "\x1b" not in str(error.value)


def test_prefixes_of_wrappers_go_only_if_every_key_has_them() -> None:
    one = torch.zeros(1)
    assert list(without_prefix({"module._orig_mod.a": one, "module._orig_mod.b": one})) == ["a", "b"]
    assert list(without_prefix({"module.a": one, "b": one})) == ["module.a", "b"]


def test_a_file_with_objects_is_converted_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    path = folder / "with args.pth"
    code = (
        "import argparse, sys, torch; "
        "torch.save({'model': {'w': torch.ones(2)}, 'args': argparse.Namespace(a=1)}, sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    with pytest.raises(CheckpointError, match="holds more than weights") as error:
        read_tensors(path)
    run(str(error.value).partition("convert it once: ")[2])
    assert read_tensors(folder / "with args.weights.pt")["w"].tolist() == [1.0, 1.0]


def test_a_pickle_becomes_safetensors_by_the_command(tmp_path: Path) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    weight = torch.randn(3, 2)
    torch.save({"a": weight, "b": weight.T}, folder / "pytorch_model.bin")  # shared and not contiguous
    run(to_safetensors(folder / "pytorch_model.bin", folder / "model.safetensors"))
    assert torch.equal(load_file(folder / "model.safetensors")["b"], weight.T)


def test_a_header_whose_length_begins_like_a_pickle_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    for padding in range(0, 256, 8):
        save_file({"a": torch.ones(2)}, file, metadata={"note": "x" * padding})
        if file.read_bytes()[0] == 0x80:
            break
    assert file.read_bytes()[:1] == b"\x80"
    assert read_shapes(file) == {"a": (2,)}
