"""The configuration: presets, strict keys, overrides, round trips."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tireid.options import PRESETS, Config, ConfigError


@pytest.mark.parametrize(
    ("name", "alignment", "uncertain", "mlm", "recovery", "identity", "sampler"),
    [
        ("paper", "circle", True, 1, 1, 0, "pk"),
        ("paper-strong", "circle", True, 1, 1, 1, "pk"),
        ("irra", "sdm", False, 1, 0, 1, "random"),
        ("clip", "infonce", False, 0, 0, 0, "random"),
        ("tal", "tal", False, 0, 0, 0, "random"),
    ],
)
def test_presets_are_those_of_the_method(
    name: str, alignment: str, uncertain: bool, mlm: float, recovery: float, identity: float, sampler: str
) -> None:
    for backbone in ("tiny", "openai/clip-vit-base-patch16"):
        config = Config.preset(name, backbone=backbone)
        assert config.loss.alignment == alignment
        assert config.uncertainty.enabled is uncertain
        assert [bool(w) for w in (config.loss.mlm, config.loss.recovery, config.loss.identity)] == [
            bool(mlm),
            bool(recovery),
            bool(identity),
        ]
        assert config.sampler.kind == sampler
        assert config.loss.align_masked is (name == "irra")


def test_the_recipe_of_the_real_data_sets_is_the_documented_one() -> None:
    config = Config.preset("paper", dataset="CUHK-PEDES", root="/data")
    assert config.backbone == "openai/clip-vit-base-patch16"
    assert (config.image.height, config.image.width, config.image.pad) == (384, 128, 10)
    assert (config.epochs, config.optimizer.warmup_epochs, config.optimizer.warmup_start) == (60, 5, 0.1)
    assert (config.optimizer.lr, config.optimizer.eps, config.optimizer.weight_decay) == (1e-5, 1e-3, 4e-5)
    assert (config.optimizer.head_lr_factor, config.optimizer.bias_lr_factor) == (5, 2)
    assert (config.sampler.batch_size, config.sampler.pairs_per_person) == (64, 4)
    assert (config.loss.margin, config.loss.gamma) == (0.4, 64)
    assert (config.uncertainty.lam, config.uncertainty.alpha, config.recovery.temperature) == (0.5, 0.5, 0.03)
    assert config.seed == 1
    assert (
        Config.preset("irra", dataset="CUHK-PEDES", root="/data").override(["loss.alignment=circle"]).loss.margin
        == 0.25
    )


@pytest.mark.parametrize(
    ("preset", "published", "tuned"),
    [("irra", (0.02, 1e-5), (0.2, 5e-4)), ("clip", (0.02, 1e-5), (0.2, 1e-3)), ("tal", (0.015, 1e-5), (0.06, 1e-3))],
)
def test_peers_have_their_published_values_on_clip_and_tuned_ones_on_the_bundled_model(
    preset: str, published: tuple[float, float], tuned: tuple[float, float]
) -> None:
    for config, expected in (
        (Config.preset(preset, dataset="CUHK-PEDES", root="/data"), published),
        (Config.preset(preset), tuned),
        (Config.preset(preset, loss={"temperature": 0.5}), (0.5, tuned[1])),
    ):
        assert (config.loss.temperature, config.optimizer.lr) == expected


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.gama=64", "did you mean 'loss.gamma'"),
        ("gamma=64", "did you mean 'loss.gamma'"),
        ("loss.gamma=abc", "loss.gamma"),
        ("loss.gamma=-1", "greater than 0"),
        ("loss.alignment=cirle", "loss.alignment"),
        ("uncertainty.lam=1.5", "uncertainty.lam"),
        ("sampler.batch_size=63", "multiple of"),
        ("masking.random_share=0.05", "must not exceed 1"),
        ("dataset=RSTPReid", "needs root"),
        ("epochs", "not of the form"),
        ("epochs=3.5", "epochs"),
    ],
)
def test_bad_overrides_say_what_is_wrong(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Config.preset("paper").override([override])


def test_unknown_preset_and_option_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'paper'"):
        Config.preset("papr")
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        Config.preset("paper", epoch=3)
    with pytest.raises(ConfigError, match=r"did you mean 'loss.gamma'"):
        Config.preset("paper", loss={"gama": 3})


def test_numbers_in_exponent_form_are_numbers() -> None:
    config = Config.preset("paper").override(["optimizer.lr=1e-4", "optimizer.eps=1E-8"])
    assert (config.optimizer.lr, config.optimizer.eps) == (1e-4, 1e-8)


def test_override_leaves_the_original_and_everything_else_alone() -> None:
    before = Config.preset("paper")
    after = before.override(["uncertainty.alpha=0.25", "training.clip_norm=1"])
    assert before.uncertainty.alpha != 0.25
    tree, changed = before.to_dict(), after.to_dict()
    tree["uncertainty"]["alpha"], tree["training"]["clip_norm"] = 0.25, 1.0
    assert tree == changed


@given(st.sampled_from(PRESETS), st.integers(0, 2**31), st.floats(0.001, 1000), st.floats(0, 1))
def test_json_round_trip(name: str, seed: int, gamma: float, lam: float) -> None:
    config = Config.preset(name, seed=seed).override([f"loss.align={gamma!r}", f"uncertainty.lam={lam!r}"])
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.loss.align == gamma


def test_saved_and_loaded(tmp_path: Path) -> None:
    config = Config.preset("paper-strong", epochs=3)
    config.save(tmp_path / "config.json")
    assert Config.load(tmp_path / "config.json") == config


def test_hash_changes_with_every_option_and_only_then() -> None:
    config = Config.preset("paper")
    assert config.hash == Config.preset("paper").hash
    others = [config.override([o]).hash for o in ("seed=2", "loss.gamma=17", "sampler.kind=random")]
    assert len({config.hash, *others}) == 4


def test_a_saved_configuration_that_is_not_valid_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"loss": {"gama": 16}}')
    with pytest.raises(ConfigError, match=r"old\.json: unknown option 'loss\.gama'; did you mean 'loss\.gamma'"):
        Config.load(path)


@pytest.mark.parametrize(
    "text",
    [
        *("seed=yes", "seed=true", "seed='1'", "epochs=1.5", "loss.gamma='64'", "loss.gamma=true", "loss.gamma=inf"),
        *("loss.gamma=.nan", "optimizer.betas=[nan, 1]", "optimizer.betas=[0.9]", "root=3", "image.flip=[0.5]"),
    ],
)
def test_a_value_of_another_kind_is_no_value(text: str) -> None:
    with pytest.raises(ConfigError, match=text.partition("=")[0].replace(".", r"\.")):
        Config.preset("paper").override([text])
