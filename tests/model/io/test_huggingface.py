"""Directories of transformers' CLIPModel, against transformers."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel

from tests.model.conftest import CAPTIONS
from tireid.data.text import Tokenizer
from tireid.model import CheckpointError, TIReID
from tireid.model.towers import tiny_clip_config
from tireid.options import Config

OPTIONS = Config.preset("paper").override(["image.height=32", "image.width=32"])
PIXELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def clip_config(tokenizer: Tokenizer) -> CLIPConfig:
    config = tiny_clip_config(tokenizer.mask_id, tokenizer.eos_id)
    for section in (config.vision_config, config.text_config):
        section.num_hidden_layers = 1
    return config


@pytest.fixture
def clip(tokenizer: Tokenizer) -> CLIPModel:
    torch.manual_seed(0)
    return CLIPModel(clip_config(tokenizer)).eval()


@pytest.fixture
def folder(clip: CLIPModel, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    clip.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def change(folder: Path, **changes: Any) -> None:
    """Put other weights in place; None takes one away."""
    state = load_file(folder / "model.safetensors")
    state |= {name.replace("__", "."): value for name, value in changes.items()}
    save_file({k: v for k, v in state.items() if v is not None}, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_every_dtype_becomes_float32_and_gives_the_numbers_of_transformers(
    dtype: torch.dtype, clip: CLIPModel, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    clip.to(dtype).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = TIReID.from_pretrained(tmp_path, OPTIONS)
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    clip.float()  # keeps the rounding
    ids = tokenizer(CAPTIONS)
    with torch.no_grad():
        text, image = clip.get_text_features(ids).pooler_output, clip.get_image_features(PIXELS).pooler_output
        torch.testing.assert_close(model.backbone.encode_text(ids).pooled, text, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(model.backbone.encode_image(PIXELS).pooled, image, rtol=1e-5, atol=1e-6)
    assert model.encode_texts(CAPTIONS).shape == (6, 128)


@pytest.mark.parametrize("prefix", ["module.", "clip.", "module.clip_model."])
def test_a_prefix_of_every_key_has_one_meaning(prefix: str, folder: Path, clip: CLIPModel) -> None:
    state = {prefix + name: value for name, value in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors")
    model = TIReID.from_pretrained(folder, OPTIONS)
    assert torch.equal(model.backbone.text_projection.weight, clip.text_projection.weight)


def test_weights_that_do_not_match_are_named_and_never_random(folder: Path) -> None:
    name, state = "visual_projection.weight", load_file(folder / "model.safetensors")
    for changes, message in (
        ({name: None}, r"missing visual_projection\.weight"),
        ({"text_model.final_layer_norm.bias": torch.zeros(4)}, r"final_layer_norm\.bias has shape \(4,\).*\(128,\)"),
        ({"text_model.extra": torch.zeros(4)}, r"unknown text_model\.extra"),
        ({name: torch.ones(128, 128, dtype=torch.int8)}, r"visual_projection.weight is torch.int8: quantised"),
        ({name: torch.full((128, 128), torch.nan)}, r"not finite \(NaN or infinity\): visual_projection.weight"),
    ):
        save_file({k: v for k, v in (state | changes).items() if v is not None}, folder / "model.safetensors")
        with pytest.raises(CheckpointError, match=message) as error:
            TIReID.from_pretrained(folder, OPTIONS)
        assert str(folder) in str(error.value)


def test_the_folder_of_a_training_leads_to_its_checkpoints(folder: Path) -> None:
    (folder / "best").mkdir()
    (folder / "model.safetensors").rename(folder / "best/model.safetensors")
    with pytest.raises(CheckpointError, match=f"the folder of a training: give {re.escape(str(folder / 'best'))}$"):
        TIReID.from_pretrained(folder, OPTIONS)


def test_some_prefixed_keys_are_refused(folder: Path) -> None:
    weight = load_file(folder / "model.safetensors")["text_projection.weight"]
    change(folder, text_projection__weight=None, module__text_projection__weight=weight)
    with pytest.raises(CheckpointError, match=r"missing text_projection\.weight"):
        TIReID.from_pretrained(folder, OPTIONS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 2**63}, "num_hidden_layers"),
        ({"num_hidden_layers": 100}, "100 layers in vision_model, the weights have 1"),
        ({"num_attention_heads": 0}, "num_attention_heads: Input should be greater than or equal to 1"),
        ({"num_attention_heads": 3}, "hidden_size 128 is no multiple of 3 heads"),
        ({"hidden_size": 16_384, "num_attention_heads": 1}, r"has shape \(128,\), config.json needs \(16384,\)"),
        ({"hidden_act": "kernels-community/gelu"}, "hidden_act: Input should be 'quick_gelu' or 'gelu'"),
        ({"patch_size": 0}, "patch_size"),
        ({"image_size": [32, 32]}, "image_size"),
        ({"layer_norm_eps": -1.0}, "layer_norm_eps"),
    ],
)
def test_config_json_is_validated_before_anything_is_built(change: dict[str, Any], message: str, folder: Path) -> None:
    file = folder / "config.json"
    tree = json.loads(file.read_text())
    tree["vision_config"] |= change
    file.write_text(json.dumps(tree))
    start = time.process_time()
    with pytest.raises(CheckpointError, match=message):
        TIReID.from_pretrained(folder, OPTIONS)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_may_begin_with_a_byte_order_mark(encoding: str, folder: Path, clip: CLIPModel) -> None:
    before = TIReID.from_pretrained(folder, OPTIONS)
    for file in folder.glob("*.json"):
        file.write_bytes(file.read_text(encoding="utf-8").encode(encoding))
    after = TIReID.from_pretrained(folder, OPTIONS)
    assert torch.equal(after.encode_texts(CAPTIONS), before.encode_texts(CAPTIONS))


def test_code_and_kernels_that_a_config_names_are_not_looked_at(folder: Path) -> None:
    file = folder / "config.json"
    tree = json.loads(file.read_text())
    tree |= {
        "auto_map": {"AutoModel": "evil.Model"},
        "attn_implementation": "someone/kernel",
        "trust_remote_code": True,
    }
    tree["vision_config"] |= {"_attn_implementation": "someone/kernel", "attn_implementation": "someone/kernel"}
    file.write_text(json.dumps(tree))
    config = TIReID.from_pretrained(folder, OPTIONS).backbone.clip_config
    assert "kernel" not in config.vision_config._attn_implementation
    assert not hasattr(config, "auto_map")


def test_older_configurations_repeat_their_sections(folder: Path) -> None:
    file = folder / "config.json"
    tree = json.loads(file.read_text())
    tree |= {
        "text_config_dict": tree["text_config"],
        "vision_config_dict": tree["vision_config"],
        "vision_config": None,
    }
    tree["text_config"] = {"hidden_size": 64}
    file.write_text(json.dumps(tree))
    assert TIReID.from_pretrained(folder, OPTIONS).backbone.text_model.config.hidden_size == 128


def test_heads_of_80_channels_are_read_from_the_configuration(tokenizer: Tokenizer, tmp_path: Path) -> None:
    config = clip_config(tokenizer)
    config.vision_config.hidden_size, config.vision_config.num_attention_heads = 160, 2
    clip = CLIPModel(config).eval()
    clip.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    image = TIReID.from_pretrained(tmp_path, OPTIONS).backbone.encode_image(PIXELS).pooled
    torch.testing.assert_close(image, clip.get_image_features(PIXELS).pooler_output, rtol=1e-5, atol=1e-6)


def test_weights_in_several_files(folder: Path, clip: CLIPModel) -> None:
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(state)
    parts = {"model-1.safetensors": names[:20], "model-2.safetensors": names[20:]}
    for file, part in parts.items():
        save_file({name: state[name] for name in part}, folder / file)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, part in parts.items() for name in part}}))
    model = TIReID.from_pretrained(folder, OPTIONS)
    assert torch.equal(model.backbone.text_projection.weight, clip.text_projection.weight)
    save_file({name: state[name] for name in names[18:]}, folder / "model-2.safetensors")
    with pytest.raises(CheckpointError, match=rf"model-2\.safetensors has weights that another .* has: .*{names[19]}"):
        TIReID.from_pretrained(folder, OPTIONS)
    (folder / "model-3.safetensors").mkdir()
    for name in ("model-3.safetensors", "gone.safetensors", f"{'a' * 300}.safetensors", "a\0.safetensors"):
        index.write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(CheckpointError, match=r"index\.json lists .*, and there is no such file beside it"):
            TIReID.from_pretrained(folder, OPTIONS)
    for content in ('{"weight_map": {"a": "../x.safetensors"}}', '{"weight_map": [1]}', "[]", "nonsense"):
        index.write_text(content)
        with pytest.raises(CheckpointError, match="index"):
            TIReID.from_pretrained(folder, OPTIONS)


def test_two_sets_of_weights_must_be_the_same(folder: Path, clip: CLIPModel) -> None:
    state, index = load_file(folder / "model.safetensors"), folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state, "model-1.safetensors")}))
    for part in (None, state):  # an index whose files are not there is no second set
        if part is not None:
            save_file(part, folder / "model-1.safetensors")
        model = TIReID.from_pretrained(folder, OPTIONS)
        assert torch.equal(model.backbone.text_projection.weight, clip.text_projection.weight)
    other = state | {"text_projection.weight": -state["text_projection.weight"]}
    for part in (other, {name: value for name, value in state.items() if not name.startswith("text_projection")}):
        save_file(part, folder / "model-1.safetensors")
        with pytest.raises(CheckpointError, match=r"two sets of weights.* differ in text_projection\.weight; rem"):
            TIReID.from_pretrained(folder, OPTIONS)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["model-00001-of-00002.safetensors"], r"is a part of them: copy model\.safetensors\.index\.json, which l"),
        (
            ["tf_model.h5", "MODEL.safetensors"],
            r"copy it there \(MODEL\.safetensors, tf_model\.h5 cannot take its place\)",
        ),
        (["model.safetensors.index.json"], r"index\.json lists no files: the download did not finish; fetch it again"),
    ],
)
def test_what_lies_in_the_place_of_weights_is_told(files: list[str], message: str, folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    for name in files:
        (folder / name).write_text('{"weight_map": {}}')
    with pytest.raises(CheckpointError, match=message):
        TIReID.from_pretrained(folder, OPTIONS)


def test_room_that_was_reserved_and_never_filled_is_no_weights(folder: Path) -> None:
    """Downloads that write in several places at once make the whole file first; what they do not reach stays zero."""
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))
    with pytest.raises(CheckpointError, match=r"weights are all zero: .*; a download did not finish: fetch it again"):
        TIReID.from_pretrained(folder, OPTIONS)


def test_a_pickle_alone_is_converted_by_the_command(folder: Path, clip: CLIPModel) -> None:
    torch.save(clip.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"only pytorch_model\.bin, a pickle") as error:
        TIReID.from_pretrained(folder, OPTIONS)
    command = shlex.split(str(error.value).partition("Convert it once: ")[2])
    subprocess.run([sys.executable, *command[1:]], check=True)
    assert torch.equal(
        TIReID.from_pretrained(folder, OPTIONS).backbone.text_projection.weight, clip.text_projection.weight
    )


def test_a_missing_tokenizer_says_how_to_bring_it(folder: Path, tokenizer: Tokenizer) -> None:
    kept = folder / "words"
    tokenizer.save_pretrained(kept)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"the tokenizer is missing from .*Pass tokenizer=.*bpe_simple"):
        TIReID.from_pretrained(folder, OPTIONS)
    for given in (kept, kept / "tokenizer.json", tokenizer):
        model = TIReID.from_pretrained(folder, OPTIONS, tokenizer=given)
        assert torch.equal(model.tokenizer(CAPTIONS, 40), tokenizer(CAPTIONS, 40))
    four = Tokenizer({"a": 0, "b": 1, "<|startoftext|>": 2, "<|endoftext|>": 3}, [], 40)
    with pytest.raises(CheckpointError, match=r"tokenizer has 4 tokens, the word table .* rows: it is another"):
        TIReID.from_pretrained(folder, OPTIONS, tokenizer=four)


@pytest.mark.parametrize(("eos_id", "fits"), [(2, True), (None, True), (49_407, True), (5, False)])
def test_the_tokenizer_ends_a_text_as_the_model_does(eos_id: int | None, fits: bool, folder: Path) -> None:
    """2, or an id that is none, means the highest one; transformers reads the feature at any other one itself."""
    tree = json.loads((folder / "config.json").read_text())
    tree["text_config"]["eos_token_id"] = eos_id
    (folder / "config.json").write_text(json.dumps(tree))
    if fits:
        TIReID.from_pretrained(folder, OPTIONS)
    else:
        with pytest.raises(CheckpointError, match=r"ends a text by token \d+, the model by 5: it is another model's"):
            TIReID.from_pretrained(folder, OPTIONS)


def test_rows_are_no_longer_than_the_position_table(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    tree = json.loads(file.read_text())
    tree["tireid"]["context_length"] = 500
    file.write_text(json.dumps(tree))
    assert TIReID.from_pretrained(folder, OPTIONS).tokenizer.context_length == 64


@pytest.mark.parametrize("offline", ["0", "1"])
def test_a_hub_id_without_a_network_fails_soon(offline: str, tmp_path: Path) -> None:
    code = (
        "from tireid import TIReID\n"
        "try: TIReID.from_pretrained('someone/clip-of-theirs')\n"
        "except ValueError as error: print(type(error).__name__, error)"
    )
    # A proxy that nobody listens at: as fast as a refused connection, whatever the network here.
    proxy = dict.fromkeys(("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **proxy, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": offline}
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert "CheckpointError there is no folder someone/clip-of-theirs here, and the hub's" in done.stdout, done.stderr
    assert "without a network, pass a directory" in done.stdout
    assert time.monotonic() - start < 60  # most of it is importing; transformers tried for 4.5 minutes
