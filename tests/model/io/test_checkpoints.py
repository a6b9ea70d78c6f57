from __future__ import annotations

import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import CLIPModel

from tests.oracles import irra as oracle
from tireid.data.text import Tokenizer
from tireid.data.vocabulary import BOS, EOS
from tireid.model import CheckpointError, TIReID
from tireid.model.io import openai
from tireid.model.io.files import read_tensors
from tireid.model.io.openai import SIZES
from tireid.model.io.resolve import sniff
from tireid.options import Config

WORDS = 30
"""As many as IRRA has 49,408: start and end of text last, the word that serves as mask before them."""


@pytest.fixture
def tokenizer() -> Tokenizer:
    vocab = {chr(97 + i) + "</w>": i for i in range(WORDS - 2)} | {BOS: WORDS - 2, EOS: WORDS - 1}
    return Tokenizer(vocab, [], context_length=7)


def config(*overrides: str, preset: str = "irra") -> Config:
    return Config.preset(preset).override(
        [
            "image.height=12",
            "image.width=8",
            "interaction.layers=2",
            "interaction.heads=null",
            "interaction.looks=1",
            "interaction.residual=false",
            *overrides,
        ]
    )


def write(state: dict[str, Any], path: Path) -> Path:
    torch.save(state, path)
    return path


def whole(state: oracle.State) -> dict[str, Any]:
    return {"model": state, "optimizer": {"state": {}}, "scheduler": {"last_epoch": 3}, "epoch": 4, "iteration": 9}


PIXELS = torch.randn(2, 3, 12, 8, generator=torch.Generator().manual_seed(5))
IDS = torch.tensor([[28, 3, 27, 4, 9, 1, 29], [28, 7, 7, 27, 2, 0, 29]])  # 27 is IRRA's mask


@pytest.mark.slow
def test_an_irra_file_of_real_size_gives_irras_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """ViT-B/16 at 384x128 with random weights; prints the largest differences, which depend on the processor."""
    state = oracle.random_checkpoint(
        grid=(24, 8), patch=16, vision_width=768, text_width=512, dimension=512, layers=12, context=77, words=49_408
    )
    words = {f"w{number}</w>": number for number in range(49_406)} | {BOS: 49_406, EOS: 49_407}
    path, tokenizer = write(whole(state), tmp_path / "best.pth"), Tokenizer(words, [], 77)
    draws = torch.Generator().manual_seed(5)
    pixels, ids = torch.randn(2, 3, 384, 128, generator=draws), torch.zeros(2, 77, dtype=torch.long)
    ids[:, :50] = torch.randint(1, 49_405, (2, 50), generator=draws)
    ids[:, 0], ids[0, 19], ids[1, 49] = 49_406, 49_407, 49_407
    model = TIReID.from_pretrained(path, tokenizer=tokenizer).eval()
    assert model.mlm_head is not None
    with torch.no_grad():
        ours = model.backbone.encode_image(pixels).tokens, model.backbone.encode_text(ids).tokens
        theirs = oracle.image_tokens(state, pixels), oracle.text_tokens(state, ids)
        scores = oracle.word_scores(state, oracle.fused(state, theirs[1], theirs[0]))
        found = model.mlm_head(model.interact(theirs[1], theirs[0]))
    apart = [float((x - y).abs().max() / y.abs().max()) for x, y in [*zip(ours, theirs, strict=True), (found, scores)]]
    with capsys.disabled():
        print("\nlargest differences beside the largest value: image {:.1e}, text {:.1e}, words {:.1e}".format(*apart))
    assert max(apart) < 5e-6


@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_irra_file_gives_irras_numbers(prefix: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(words=WORDS)
    path = write(whole({prefix + name: value for name, value in state.items()}), tmp_path / "best.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # everything has its place
        model = TIReID.from_pretrained(path, config(), tokenizer=tokenizer).eval()
    ours = IDS.where(IDS != 27, tokenizer.mask_id)
    image, text = model.backbone.encode_image(PIXELS).tokens, model.backbone.encode_text(ours).tokens
    expected_image, expected_text = oracle.image_tokens(state, PIXELS), oracle.text_tokens(state, IDS)
    torch.testing.assert_close(image, expected_image, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(text, expected_text, rtol=1e-4, atol=1e-4)
    fused = oracle.fused(state, expected_text, expected_image)
    torch.testing.assert_close(model.interact(text, image), fused, rtol=1e-4, atol=1e-4)
    assert model.mlm_head is not None
    assert model.classifier is not None
    scores = oracle.word_scores(state, fused)
    torch.testing.assert_close(model.mlm_head(model.interact(text, image)), scores, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.classifier.weight, state["classifier.weight"])


def test_an_irra_file_of_an_image_size_that_the_configuration_does_not_have(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=r"best.pth: .*covers 6 patches.*4x3 grid.*set image.height"):
        TIReID.from_pretrained(path, config("image.height=16", "image.width=12"), tokenizer=tokenizer)


def test_an_irra_file_without_configuration_brings_its_own(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(grid=(24, 8), patch=16, words=WORDS, layers=3)
    model = TIReID.from_pretrained(write(whole(state), tmp_path / "best.pth"), tokenizer=tokenizer)
    assert model.config.name == "irra"
    assert model.config.interaction.layers == 3
    assert model.num_identities == 5


def test_unmatched_keys_and_fresh_parts_are_reported(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(words=WORDS)
    state |= {"visul_emb_layer.linear.weight": torch.zeros(3, 3), "base_model.visual.odd": torch.zeros(2)}
    path = write(whole(state), tmp_path / "rde.pth")
    with pytest.warns(UserWarning, match="not used") as record:
        TIReID.from_pretrained(path, config(preset="paper"), tokenizer=tokenizer)
    note, message = (str(warning.message) for warning in record)
    assert "figures differ from RDE's published ones" in note
    unused, _, fresh = message.partition("start fresh")
    for name in ("visul_emb_layer.linear.weight", "base_model.visual.odd", "classifier.bias"):
        assert name in unused
    assert "recovery_head.fc.weight" in fresh


@pytest.mark.parametrize(
    ("patches", "wanted", "expected"),
    [
        (192, (24, 8), (24, 8)),
        (64, (16, 4), (16, 4)),  # 256x64, as many as an 8x8 square
        (144, (18, 8), (18, 8)),  # 288x128, as many as a 12x12 square
        (192, (16, 8), (24, 8)),  # the published size, to be resampled
        (64, (24, 8), None),
        (144, (24, 8), None),
        (64, None, None),
    ],
)
def test_the_grid_of_an_irra_file_has_one_meaning_or_is_refused(
    patches: int, wanted: tuple[int, int] | None, expected: tuple[int, int] | None, tmp_path: Path
) -> None:
    weights = sniff(write(whole(oracle.random_checkpoint(grid=(patches, 1), words=WORDS)), tmp_path / "best.pth"))
    if expected is not None:
        assert weights.grid(wanted) == expected
    else:
        with pytest.raises(CheckpointError, match=f"covers {patches} patches.*IRRA files do not say which size"):
            weights.grid(wanted)


def test_an_irra_file_of_a_square_count_is_refused_as_a_whole(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(grid=(16, 4), patch=16, words=WORDS, layers=1)
    path = write(whole(state), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match="covers 64 patches"):
        TIReID.from_pretrained(path, tokenizer=tokenizer)
    sizes = Config.preset("irra").override(["image.height=256", "image.width=64", "interaction.layers=1"])
    table = TIReID.from_pretrained(path, sizes, tokenizer=tokenizer).backbone.vision_model.embeddings.position_embedding
    assert torch.equal(table.weight, state["base_model.visual.positional_embedding"])


def test_an_rde_file_loads_its_global_branch_and_says_so(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(grid=(24, 8), patch=16, words=WORDS)
    towers = {name: value for name, value in state.items() if name.startswith("base_model.")}
    selection = {
        "visul_emb_layer.fc.weight": torch.zeros(3, 3),
        "texual_emb_layer.mlp.bns.0.running_var": torch.ones(3),
    }
    path = write(whole({k: v.half() for k, v in (towers | selection).items()}), tmp_path / "best.pth")
    with pytest.warns(UserWarning, match="mean of two branches.*figures differ from RDE's published ones"):
        model = TIReID.from_pretrained(path, tokenizer=tokenizer)
    assert model.config.name == "tal"
    pixels = torch.randn(1, 3, 384, 128, generator=torch.Generator().manual_seed(5))
    expected = oracle.image_tokens({k: v.half().float() for k, v in towers.items()}, pixels)
    torch.testing.assert_close(model.backbone.encode_image(pixels).tokens, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mlm", [False, True])
def test_a_tbps_clip_file(mlm: bool, tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(grid=(14, 14), patch=16, words=WORDS)
    text = {f"encode_text.{k}": v for k, v in inner(state).items() if not k.startswith("visual.")}
    visual = {k: v for k, v in inner(state).items() if k.startswith("visual.")}
    heads = {k: v for k, v in state.items() if mlm and not k.startswith("base_model.")}
    extra = {"logit_scale": torch.tensor(2.6), "simclr_mlp.0.weight": torch.zeros(4, 4)}
    path = write(whole(text | visual | heads | extra), tmp_path / "checkpoint_best.pth")
    with pytest.warns(UserWarning, match="TBPS-CLIP") as record:
        model = TIReID.from_pretrained(path, tokenizer=tokenizer)
    messages = " ".join(str(warning.message) for warning in record)
    assert "self-supervised projection" in messages
    assert "not used: simclr_mlp.0.weight" in messages
    assert model.config.name == ("irra" if mlm else "clip")
    assert model.backbone.image_size == (224, 224)
    pixels = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    tokens = model.backbone.encode_image(pixels).tokens
    torch.testing.assert_close(tokens, oracle.image_tokens(state, pixels), rtol=1e-4, atol=1e-4)
    words = model.backbone.encode_text(IDS.where(IDS != 27, 26)).tokens
    torch.testing.assert_close(words, oracle.text_tokens(state, IDS.where(IDS != 27, 26)), rtol=1e-4, atol=1e-4)


def test_captions_are_cleaned_where_the_code_of_the_weights_does(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / "best.pth")
    model = TIReID.from_pretrained(path, config(), tokenizer=tokenizer)
    assert model.tokenizer.cleaning
    assert not tokenizer.cleaning
    model.save_pretrained(tmp_path / "own")
    assert TIReID.from_pretrained(tmp_path / "own").tokenizer.cleaning


def test_the_tokenizer_of_a_file_is_found_beside_it_or_missed(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=r"the tokenizer is missing.*Pass tokenizer=.*put that file"):
        TIReID.from_pretrained(path, config())
    tokenizer.save_pretrained(tmp_path)
    assert TIReID.from_pretrained(path, config()).tokenizer.vocab_size == tokenizer.vocab_size


def test_another_number_of_people_gets_a_fresh_classifier(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / "best.pth")
    with pytest.warns(UserWarning, match=r"not used: classifier.bias, classifier.weight; start fresh: classifier.bias"):
        model = TIReID.from_pretrained(path, config(), num_identities=9, tokenizer=tokenizer)
    assert model.classifier is not None
    assert model.classifier.weight.shape == (9, 64)


def test_what_a_training_reads_of_a_caption_starts_no_encoder_anew() -> None:
    plain = TIReID.from_pretrained("tiny")
    for preset in ("irra", "paper"):  # IRRA's masked captions attend to their padding, which changes no weight
        model = TIReID.from_pretrained("tiny", Config.preset(preset))
        for name, weight in plain.interaction.state_dict().items():
            torch.testing.assert_close(model.interaction.state_dict()[name], weight, rtol=0, atol=0)
    with pytest.warns(UserWarning, match="start fresh"):
        other = TIReID.from_pretrained("tiny", Config.preset("paper").override(["interaction.residual=false"]))
    assert not torch.equal(other.interaction.ln_post.weight, plain.interaction.ln_post.weight)


@pytest.mark.parametrize("name", ["checkpoint.pth.tar", "BEST.PTH", "best"])
def test_a_file_is_known_by_what_is_in_it(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / name)
    assert TIReID.from_pretrained(path, config(), tokenizer=tokenizer).num_identities == 5


def test_a_tokenizer_that_ends_texts_otherwise_is_another_models(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write(whole(oracle.random_checkpoint(words=WORDS)), tmp_path / "best.pth")
    first = Tokenizer({BOS: 0, EOS: 1} | {chr(97 + i) + "</w>": i + 2 for i in range(WORDS - 2)}, [], context_length=7)
    with pytest.raises(CheckpointError, match="ends a text by token 1, the model by 29: it is another model's"):
        TIReID.from_pretrained(path, config(), tokenizer=first)


def test_a_weight_without_dimensions_is_refused_or_left_out(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(words=WORDS)
    name = "visual.transformer.resblocks.0.attn.in_proj_weight"
    path = write(whole({**state, f"base_model.{name}": torch.tensor(1.0)}), tmp_path / "tower.pth")
    with pytest.raises(CheckpointError, match=rf"tower\.pth: weight {name} has shape \(\)"):
        TIReID.from_pretrained(path, config(), tokenizer=tokenizer)
    path = write(whole({**state, "classifier.weight": torch.tensor(1.0)}), tmp_path / "head.pth")
    with pytest.warns(UserWarning, match=r"head\.pth: not used: .*classifier\.weight"):
        TIReID.from_pretrained(path, config(), tokenizer=tokenizer)


@pytest.mark.timeout(60)
def test_layers_that_a_file_does_not_hold_take_no_memory(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A stranger's file of a megabyte asked for five gigabytes, or for three thousand layers."""
    state = oracle.random_checkpoint(grid=(24, 8), patch=16, words=WORDS)
    tower = "base_model.visual.transformer.resblocks."
    wide = {f"{tower}0.mlp.c_fc.weight": torch.ones(10**7, 1)}
    with pytest.raises(CheckpointError, match=r"mlp\.fc1\.\w+ has shape .* the model needs \(10000000,"):
        TIReID.from_pretrained(write(state | wide, tmp_path / "wide.pth"), tokenizer=tokenizer)
    many = {f"{tower}{i}.mlp.c_fc.weight": torch.ones(1) for i in range(1, 3000)}
    with pytest.raises(CheckpointError, match=r"has 3000 blocks, expected at most 128"):
        TIReID.from_pretrained(write(state | many, tmp_path / "many.pth"), tokenizer=tokenizer)
    heads = {f"cross_modal_transformer.resblocks.{i}.x": torch.ones(1) for i in range(1000)}
    with pytest.warns(UserWarning, match=r"not used: interaction\.\* \(1000\)"):
        model = TIReID.from_pretrained(write(state | heads, tmp_path / "heads.pth"), tokenizer=tokenizer)
    assert model.config.interaction.layers == 2


def test_a_wrong_shape_names_key_and_shapes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    state = oracle.random_checkpoint(words=WORDS)
    state["mlm_head.fc.weight"] = torch.zeros(12, 64)
    path = write(whole(state), tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match=r"mlm_head.fc.weight has shape \(12, 64\), the model needs \(30, 64\)"):
        TIReID.from_pretrained(path, config(), tokenizer=tokenizer)
    state["base_model.ln_final.weight"] = torch.zeros(5)
    with pytest.raises(CheckpointError, match=r"final_layer_norm.weight has shape \(5,\), the model needs \(128,\)"):
        TIReID.from_pretrained(write(whole(state), path), config(), tokenizer=tokenizer)


def inner(state: oracle.State) -> oracle.State:
    """The towers alone, in OpenAI's names."""
    return {k.removeprefix("base_model."): v for k, v in state.items() if k.startswith("base_model.")}


def openai_state(side: int = 2) -> oracle.State:
    """Towers alone, without prefix, square grid."""
    state = oracle.random_checkpoint(grid=(side, side), words=WORDS)
    return inner(state) | {name: torch.tensor(8) for name in ("logit_scale", *SIZES)}


def test_an_openai_state_dict_becomes_transformers_clip(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write({k: v.half() if v.ndim > 1 else v for k, v in openai_state().items()}, tmp_path / "ViT.pt")
    options = config("image.height=8", "image.width=8", preset="clip")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TIReID.from_pretrained(path, options, tokenizer=tokenizer).eval()
    foreign = sniff(path)
    clip = CLIPModel(foreign.clip_config).eval()
    missing, unexpected = clip.load_state_dict(foreign.towers, strict=False)
    assert missing == ["logit_scale"]
    assert unexpected == []
    pixels = PIXELS[:, :, :8]
    expected = clip.get_image_features(pixels).pooler_output
    torch.testing.assert_close(model.backbone.encode_image(pixels).pooled, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        model.backbone.encode_text(IDS).pooled, clip.get_text_features(IDS).pooler_output, rtol=1e-4, atol=1e-5
    )
    words = model.backbone.text_model.embeddings.token_embedding.weight
    torch.testing.assert_close(words[30], words[:30].mean(dim=0))  # OpenAI trained no mask


def test_an_openai_square_grid_is_resampled_even_if_the_count_would_fit(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = write(openai_state(side=4), tmp_path / "ViT.pt")
    foreign = sniff(path)
    assert foreign.grid((8, 2)) == (4, 4)
    model = TIReID.from_pretrained(path, config("image.height=32", "image.width=8", preset="clip"), tokenizer=tokenizer)
    table = model.backbone.vision_model.embeddings.position_embedding.weight
    assert not torch.allclose(table, foreign.towers["vision_model.embeddings.position_embedding.weight"])


def plain_gelu_tokens(state: oracle.State, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    """Image tokens with torch's own GELU, as open_clip's models without -quickgelu."""
    with monkeypatch.context() as patch:
        patch.setattr(oracle, "quick_gelu", F.gelu)
        return oracle.image_tokens({f"base_model.{k}": v for k, v in state.items()}, PIXELS[:, :, :8])


def test_a_state_dict_cannot_tell_the_activation(
    tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = inner(oracle.random_checkpoint(grid=(2, 2), words=WORDS))
    path = write({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "open_clip.pt")
    options = config("image.height=8", "image.width=8", preset="clip")
    quick = oracle.image_tokens({f"base_model.{k}": v for k, v in state.items()}, PIXELS[:, :, :8])
    plain = plain_gelu_tokens(state, monkeypatch)
    assert (quick - plain).abs().max() > 1e-2

    def tokens(*overrides: str) -> torch.Tensor:
        model = TIReID.from_pretrained(path, options.override(overrides), tokenizer=tokenizer)
        return model.backbone.encode_image(PIXELS[:, :, :8]).tokens

    with pytest.warns(UserWarning, match="a state dict cannot tell QuickGELU.*Set the option activation=gelu"):
        torch.testing.assert_close(tokens(), quick, rtol=1e-4, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(tokens("activation=gelu"), plain, rtol=1e-4, atol=1e-4)
        (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 64}, "preprocess_cfg": {}}')
        torch.testing.assert_close(tokens(), plain, rtol=1e-4, atol=1e-4)
        (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"quick_gelu": true}}')
        torch.testing.assert_close(tokens(), quick, rtol=1e-4, atol=1e-4)


def test_heads_that_are_not_64_wide_are_known_or_refused() -> None:
    path = Path("ViT.pt")
    assert openai._heads(768, 12, path) == 12
    assert openai._heads(1024, 24, path) == 16
    assert openai._heads(1280, 32, path) == 16  # ViT-H: 80 wide, not 20 of 64
    assert openai._heads(1664, 48, path) == 16
    for width, layers in ((1408, 12), (2048, 24), (96, 4)):
        with pytest.raises(CheckpointError, match="a state dict does not say how many"):
            openai._heads(width, layers, path)


def test_a_torchscript_archive_is_refused_and_the_stated_command_converts_it(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    class Holder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.arange(3.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight

    path = tmp_path / "ViT-B-16.pt"
    torch.jit.trace(Holder(), torch.ones(3)).save(str(path))
    with pytest.raises(CheckpointError, match="TorchScript archive, which holds code") as error:
        TIReID.from_pretrained(path, config(), tokenizer=tokenizer)
    program, option, code = shlex.split(str(error.value).partition("convert it once: ")[2])
    assert (program, option) == ("python", "-c")
    exec(code)
    converted = read_tensors(tmp_path / "ViT-B-16.weights.pt")
    assert converted["weight"].tolist() == [0.0, 1.0, 2.0]


class Unsafe:
    pass


def test_a_file_with_objects_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = write({"model": {"w": torch.zeros(1)}, "args": Unsafe()}, tmp_path / "with_args.pth")
    with pytest.raises(CheckpointError, match=r"with_args.pth is damaged or holds more than weights.*python -c"):
        read_tensors(path)


def test_files_that_are_not_checkpoints(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint file at .*absent\.pth"):
        TIReID.from_pretrained(tmp_path / "absent.pth")
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(CheckpointError, match=r"text\.pth is neither safetensors nor PyTorch.*begins with b'hello'"):
        read_tensors(tmp_path / "text.pth")
    with pytest.raises(CheckpointError, match=r"numbers\.pth holds no weights"):
        read_tensors(write({"epoch": 3}, tmp_path / "numbers.pth"))
    path = write({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth is not a CLIP vision transformer.*lacks visual.conv1"):
        TIReID.from_pretrained(path, config(), tokenizer=tokenizer)
