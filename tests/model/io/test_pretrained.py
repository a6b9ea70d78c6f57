from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode
from transformers import CLIPModel

from tests.model.conftest import CAPTIONS, Batch
from tireid.data.text import Tokenizer
from tireid.model import CheckpointError, TIReID, io
from tireid.model.towers import DualEncoder, tiny_clip_config
from tireid.options import Config

Make = Callable[..., TIReID]


@pytest.mark.parametrize("token", ["eot", "image"])
def test_round_trip_is_bitwise(token: str, make: Make, batch: Batch, tmp_path: Path) -> None:
    model = make(f"recovery.token={token}", "uncertainty.alpha=0.3")
    model.save_pretrained(tmp_path)
    again = TIReID.from_pretrained(tmp_path)
    assert again.config == model.config
    assert again.num_identities == 4
    assert torch.equal(model.encode_texts(CAPTIONS), again.encode_texts(CAPTIONS))
    losses = [m.train()(*batch, generator=torch.Generator().manual_seed(0)).loss for m in (model, again)]
    assert torch.equal(*losses)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_a_name_that_is_too_long_is_told_as_such(tmp_path: Path) -> None:
    for name in ("x" * 300, "x" * 300 + ".pth", "x/" * 3000):
        with pytest.raises(CheckpointError, match=r"File name too long$"):
            TIReID.from_pretrained(tmp_path / name)


def test_saving_over_a_model_replaces_it(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    other = make()
    other.backbone.visual_projection.weight.data.add_(1.0)
    other.save_pretrained(tmp_path)
    loaded = TIReID.from_pretrained(tmp_path).backbone.visual_projection.weight
    assert torch.equal(loaded, other.backbone.visual_projection.weight)


def test_another_configuration_keeps_the_towers_and_starts_the_rest(make: Make, tmp_path: Path) -> None:
    source = make(preset="clip")
    source.save_pretrained(tmp_path)
    options = Config.preset("paper-strong").override(["image.height=64", "image.width=16"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TIReID.from_pretrained(tmp_path, options, num_identities=11)
    assert model.classifier is not None
    assert model.classifier.out_features == 11
    assert model.backbone.grid == (8, 2)
    assert torch.equal(model.backbone.text_projection.weight, source.backbone.text_projection.weight)
    table = model.backbone.vision_model.embeddings.position_embedding.weight
    old = source.backbone.vision_model.embeddings.position_embedding.weight
    assert torch.equal(table[0], old[0])
    torch.testing.assert_close(table[1], old[1])  # corners stay where they are
    torch.testing.assert_close(table[-1], old[-1])
    torch.testing.assert_close(table[3], 0.75 * old[1] + 0.25 * old[3])


class Draws(TorchFunctionMode):
    """Counts what fills weights with random numbers; those of the device meta have none."""

    count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (init.normal_, init.uniform_, init.kaiming_uniform_):
            self.count += kwargs["tensor"].device.type != "meta"
        return func(*args, **(kwargs or {}))


def test_towers_are_drawn_only_where_parts_start_fresh_after_them(make: Make, tmp_path: Path) -> None:
    source = make(preset="clip")
    source.save_pretrained(tmp_path)
    with Draws() as draws:
        io.load(tmp_path)
    assert not draws.count
    torch.manual_seed(0)
    with draws:
        towers = io.load(tmp_path, Config.preset("paper")).backbone
    assert draws.count
    after = torch.rand(5)
    torch.manual_seed(0)
    DualEncoder(towers.clip_config, towers.image_size, towers.vocab_size)
    assert torch.equal(torch.rand(5), after)


def test_parts_without_a_place_are_reported(make: Make, tmp_path: Path) -> None:
    source = make()
    source.save_pretrained(tmp_path)
    said = r"no place for them: .*classifier\.weight, interaction\.\* \(\d+\), mlm_head\.\* \(6\)"
    with pytest.warns(UserWarning, match=said):
        TIReID.from_pretrained(tmp_path, make(preset="clip").config)


def test_a_clip_directory(tokenizer: Tokenizer, tmp_path: Path) -> None:
    clip = CLIPModel(tiny_clip_config(tokenizer.vocab_size - 1, tokenizer.eos_id)).eval()
    clip.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    options = Config.preset("paper").override(["image.height=32", "image.width=32"])
    model = TIReID.from_pretrained(tmp_path, options)
    ids = tokenizer(CAPTIONS)
    expected = torch.nn.functional.normalize(clip.get_text_features(ids).pooler_output, dim=1)
    torch.testing.assert_close(model.encode_texts(CAPTIONS), expected, rtol=1e-4, atol=1e-5)


def test_unknown_versions_and_damaged_files_are_named(make: Make, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    text = file.read_text()
    tree = json.loads(text)
    for change, message in (
        ({"format_version": 99}, "format version 99, this tireid reads 1"),
        ({"config": {"gama": 1}}, "unknown option 'gama'"),
        ({"image_size": 3}, "cannot be used"),
    ):
        file.write_text(json.dumps(tree | change))
        with pytest.raises(CheckpointError, match=message) as error:
            TIReID.from_pretrained(tmp_path)
        assert str(file) in str(error.value)
    file.write_text(json.dumps({k: v for k, v in tree.items() if k != "clip_config"}))
    with pytest.raises(CheckpointError, match="clip_config: Field required"):
        TIReID.from_pretrained(tmp_path)
    file.write_text(text[:200])
    with pytest.raises(CheckpointError, match=r"config\.json cannot be used"):
        TIReID.from_pretrained(tmp_path)
    file.write_text(text)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        TIReID.from_pretrained(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        TIReID.from_pretrained(tmp_path)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read a CLIP model from .*nothing"):
        TIReID.from_pretrained(tmp_path / "nothing")
    (tmp_path / "best.pth").touch()  # the folder of one of IRRA's runs
    with pytest.raises(CheckpointError, match=r"it has no config\.json; if best\.pth in it is meant, give that"):
        TIReID.from_pretrained(tmp_path)


def test_a_name_that_is_no_model_says_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "features.npz").write_bytes(b"PK")
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("tiny-stret", "it does not exist.*did you mean 'tiny-street'"),
        ("~/features.npz", f"{tmp_path}/features.npz is neither safetensors nor PyTorch weights"),
        ("~/pipe", f"{tmp_path}/pipe': it is no regular file"),
        ("~who is this/x", "~who is this/x': it does not exist"),
    ):
        with pytest.raises(CheckpointError, match=message):
            TIReID.from_pretrained(name)
