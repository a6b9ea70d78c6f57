"""This package's own directories: a save that would harm, or that was cut off."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tireid.model import CheckpointError, TIReID
from tireid.model.io import own

Make = Callable[..., TIReID]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_state_that_is_not_finite_never_replaces_a_good_one(value: float, make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    broken = make()
    broken.backbone.text_projection.weight.data[3, 5] = value
    with pytest.raises(CheckpointError, match=r"not saved to .*not finite .*: backbone\.text_projection\.weight$"):
        broken.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_save_that_fails_leaves_the_old_model_whole(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make().save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(own, "save_file", full)
    other = make()
    other.backbone.text_projection.weight.data.add_(1.0)
    with pytest.raises(OSError, match="No space left"):
        other.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_damaged_file_is_named_once(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"is truncated: .*; fetch it again") as told:
        TIReID.from_pretrained(tmp_path)
    assert str(told.value).count(str(file)) == 1


def _renamed(file: Path, rename: Callable[[str], str]) -> None:
    save_file({rename(name): value for name, value in load_file(file).items()}, file)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_a_wrappers_prefix_of_every_key_is_dropped(prefix: str, make: Make, tmp_path: Path) -> None:
    """As DataParallel and torch.compile save them."""
    model = make()
    model.save_pretrained(tmp_path)
    _renamed(tmp_path / "model.safetensors", lambda name: prefix + name)
    again = TIReID.from_pretrained(tmp_path)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())


def test_another_prefix_is_named_not_the_tokenizer(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    _renamed(tmp_path / "model.safetensors", lambda name: f"net.{name}")
    with pytest.raises(
        CheckpointError, match=r"safetensors: its keys must begin with 'backbone\.'; it has net\.backbone"
    ):
        TIReID.from_pretrained(tmp_path)


def test_a_table_of_words_that_is_missing_is_named(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    _renamed(tmp_path / "model.safetensors", lambda name: name.replace("token_embedding", "words"))
    with pytest.raises(CheckpointError, match=r"missing text_model\.embeddings\.token_embedding\.weight"):
        TIReID.from_pretrained(tmp_path)


def test_a_tokenizer_of_another_save_is_noticed(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    tree = json.loads(file.read_text(encoding="utf-8"))
    vocab = tree["model"]["vocab"]
    vocab["a</w>"], vocab["b</w>"] = vocab["b</w>"], vocab["a</w>"]  # as large, and every caption means something else
    file.write_text(json.dumps(tree), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is not the one that these weights were saved with"):
        TIReID.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("num_identities", 10**9), "num_identities 1000000000, the weights have a classifier for 4"),
        (("config", "interaction", "layers", 2**40), "1099511627776 interaction.layers, the weights: 1"),
        (("config", "interaction", "heads", 7), "7 interaction.heads, no divisor of 128"),
        (("config", "image", "height", 64), r"image_size \(32, 16\) and config.image \(64, 16\)"),
        (("clip_config", "vision_config", "num_hidden_layers", 2**63), "num_hidden_layers"),
        (("clip_config", "text_config", "vocab_size", 2**23), "the word table 8388608 rows: it is another model's"),
        (("clip_config", "vision_config", "image_size", 4096), "more than 256 patches of 8 in a row"),
        (("image_size", [2**13, 2**13]), "position_embedding.weight has shape"),
        (("image_size", [0, 16]), "image_size"),
    ],
)
def test_a_strangers_config_is_compared_with_the_weights_first(
    change: tuple[Any, ...], message: str, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(file: Path) -> None:
        raise AssertionError(f"the numbers of {file} are read before it is known that they fit")

    monkeypatch.setattr(own, "read_tensors", never)
    make().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    tree = node = json.loads(file.read_text())
    *path, last, value = change
    for key in path:
        node = node[key]
    node[last] = value
    file.write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match=message) as error:
        TIReID.from_pretrained(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_half_precision_weights_become_float32(make: Make, tmp_path: Path) -> None:
    model = make().to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    again = TIReID.from_pretrained(tmp_path)
    assert {value.dtype for value in again.state_dict().values()} == {torch.float32}
    assert torch.equal(again.backbone.text_projection.weight, model.backbone.text_projection.weight.float())
