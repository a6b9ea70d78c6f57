"""Presets: a YAML file each, in this folder or anywhere else.

::

    extends: paper          # another preset to start from; optional
    options:                # what differs from the defaults
      loss: {alignment: tal}
    tiny:                   # on top of that, where the model is of the bundled size
      optimizer: {lr: 5.0e-4}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tireid.basics.files import read_json
from tireid.basics.hints import nearest
from tireid.basics.section import ConfigError
from tireid.basics.yaml import YAMLError
from tireid.basics.yaml import read_yaml as read_plain

FOLDER = Path(__file__).parent
PRESETS = tuple(
    sorted((path.stem for path in FOLDER.glob("*.yaml")), key=lambda name: (not name.startswith("p"), name))
)
KEYS = ("extends", "options", "tiny")
BUNDLED = ("tiny", "tiny-street", "tiny-untrained")


@dataclass(frozen=True)
class Preset:
    """What a preset's file says, after those that it extends."""

    name: str
    layers: tuple[tuple[Mapping[str, Any], Mapping[str, Any]], ...]
    """Options, and options for the bundled size, of each file; a later one wins."""
    files: tuple[Path, ...]
    """Of those that are not the package's."""

    def options(self, tiny: bool) -> list[Mapping[str, Any]]:
        """The trees to lay over the defaults, one after the other."""
        return [tree for pair in self.layers for tree in (pair if tiny else pair[:1])]


def read_preset(name: str | Path, above: tuple[Path, ...] = ()) -> Preset:
    """The preset of the package with this name, or that of the YAML file at this path.

    Raises :class:`ConfigError` for an unknown name, and naming the file for one that cannot be read, has other keys
    than those of this module's example, or extends itself.
    """
    path, files = Path(name), [Path(name)]
    if path.suffix not in (".yaml", ".yml"):
        if str(name) not in PRESETS:
            where = f"preset {above[-1]} extends an " if above else ""
            known = nearest(name, PRESETS)
            raise ConfigError(f"{where}unknown preset {str(name)!r}; {known}, or the path of a .yaml file")
        path, files = FOLDER / f"{name}.yaml", []
    if path.resolve() in above:
        raise ConfigError(f"preset {path} extends itself")
    tree = read_yaml(path, KEYS)
    base = Preset("", (), ())
    if extended := tree.get("extends"):
        beside = path.parent / str(extended)
        base = read_preset(beside if beside.suffix else str(extended), (*above, path.resolve()))
    own = (tree.get("options") or {}, tree.get("tiny") or {})
    return Preset(path.stem, (*base.layers, own), (*files, *base.files))


def read_yaml(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """A mapping whose keys are among `keys`, each but `extends` a mapping; :class:`ConfigError` names the file."""
    try:
        tree = read_plain(path) or {}
    except YAMLError as error:
        raise ConfigError(f"preset {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"preset {path}: expected a mapping with the keys {', '.join(keys)}, got {tree!r}")
    for key, value in tree.items():
        if key not in keys:
            raise ConfigError(f"preset {path}: unknown key {key!r}; {nearest(key, keys)}")
        if key != "extends" and not isinstance(value or {}, dict):
            raise ConfigError(f"preset {path}: {key} must be a mapping, got {value!r}")
    return tree


@cache
def tiny_recipe() -> dict[str, Any]:
    """`options` and `kinds` of the bundled size, see `tiny.yaml`."""
    return read_yaml(FOLDER.parent / "tiny.yaml", ("options", "kinds"))


def is_tiny(backbone: str) -> bool:
    """Whether `backbone` is of the bundled size: by name, or a directory with a trained model."""
    if backbone in BUNDLED:
        return True
    image = tiny_recipe()["options"]["image"]
    try:
        saved = read_json(Path(backbone) / "config.json")
        return bool(saved.get("image_size") == [image["height"], image["width"]])
    except (OSError, ValueError):
        return False
