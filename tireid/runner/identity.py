"""Which code and preset files from outside the package a notebook's parameters name, and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tireid.basics.parts import fingerprint, is_part

OPTIONS = ("dataset", "loss.alignment", "uncertainty.fusion", "training.metrics")
"""Options of :class:`tireid.Config` that can name a part."""


def fingerprints(parameters: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Sixteen hexadecimal digits for each part and each preset's file that `parameters` name; nothing is executed.

    They change with the content. `folder` is that of the notebook: relative paths and modules are seen from there. A
    module may also lie in the current folder, where the command `tireid` does not look by itself.
    Parts are looked for in the parameters `dataset` and `overrides`, and in what the file of `preset` says.

    Raises:
        PartError: a part whose source is not found.
        ConfigError: a preset's file that cannot be read.
    """
    named = {name: value for name, value in parameters.items() if name in OPTIONS}
    overrides = parameters.get("overrides")
    for text in overrides if isinstance(overrides, list | tuple) else ():  # anything else is refused with its type
        option, _, value = str(text).partition("=")
        named[option.strip()] = value.strip()
    found, options = _preset(parameters.get("preset"), folder)
    paths = {path for tree in (*options, named) for path in _parts(tree)}
    return found | {path: fingerprint(path, [folder, ""]) for path in sorted(paths)}


def _preset(name: Any, folder: Path) -> tuple[dict[str, str], list[Mapping[str, Any]]]:
    """The files of a preset from outside by their names, and the trees of options in them."""
    if not isinstance(name, str) or not name.endswith((".yaml", ".yml")):
        return {}, []
    from tireid.options.presets import read_preset  # loads the losses, and with them PyTorch

    preset = read_preset(folder / name)
    digests = {file.name: hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest() for file in preset.files}
    return digests, preset.options(tiny=True)


def _parts(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _parts(value, f"{name}.")
        elif name in OPTIONS:
            texts = value if isinstance(value, list | tuple) else str(value).strip("[]").split(",")
            yield from (text for text in (str(text).strip(" '\"") for text in texts) if is_part(text))
