"""Presets as files, in the package and outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from tireid.options import PRESETS, Config, ConfigError
from tireid.options.presets import FOLDER, read_preset


def test_the_presets_are_the_files_of_the_folder() -> None:
    assert (
        set(PRESETS)
        == {path.stem for path in FOLDER.glob("*.yaml")}
        >= {"paper", "paper-strong", "irra", "clip", "tal"}
    )


def test_a_file_of_ones_own_extends_another_and_brings_values_for_the_bundled_size(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: irra\noptions: {epochs: 7, loss: {alignment: tal}}\ntiny: {loss: {margin: 0.2}}\n")
    mine = Config.preset(path)
    assert (mine.name, mine.epochs, mine.sampler.kind, mine.loss.identity) == ("mine", 7, "random", 1.0)
    assert (mine.loss.model_dump()["margin"], mine.loss.model_dump()["temperature"]) == (0.2, 0.06)
    assert mine.optimizer.lr == 5e-4
    on_clip = Config.preset(str(path), dataset="CUHK-PEDES", root="/data").loss.model_dump()
    assert (on_clip["margin"], on_clip["temperature"]) == (0.1, 0.015)
    (tmp_path / "child.yaml").write_text("extends: mine.yaml\noptions: {seed: 9}\n")
    assert (Config.preset(tmp_path / "child.yaml").seed, Config.preset(tmp_path / "child.yaml").epochs) == (9, 7)
    assert read_preset(str(tmp_path / "child.yaml")).files == (tmp_path / "child.yaml", path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("option: {epochs: 3}", "unknown key 'option'; did you mean 'options'"),
        ("options: [1]", "options must be a mapping"),
        ("[1]", "expected a mapping"),
        ("options: {", "is not YAML"),
        ("extends: p.yaml", "extends itself"),
        ("extends: ircra", "did you mean 'irra'"),
        ("options: {loss: {gama: 1}}", "loss.gama"),
        ("extends: paper\noptions: {loss: 0.98}\ntiny: {loss: {gamma: 8}}", "loss is a section of options.* got 0.98"),
        ("extends: paper\noptions: {optimizer: [1]}\ntiny: {optimizer: {lr: 1}}", "optimizer is a section of options"),
    ],
)
def test_a_bad_file_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        Config.preset(path)
    assert "p.yaml" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml cannot be read: No such file"):
        read_preset(tmp_path / "none.yaml")
