"""The configuration that a task asks its notebook for, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tireid.runner.parameters import Parameter

TOP = ("dataset", "root", "backbone", "seed", "epochs")


def check_options(parameters: Mapping[str, Any], declared: Mapping[str, Parameter]) -> None:
    """Build what a notebook with the parameters `preset` and `overrides` builds of them; raises :class:`ConfigError`.

    Other notebooks make of their parameters what only they know. A name that is empty, or 0, is left to the preset.
    """
    values = {name: parameter.default for name, parameter in declared.items()} | dict(parameters)
    if not (isinstance(values.get("preset"), str) and values["preset"] and isinstance(values.get("overrides"), list)):
        return
    from tireid.options import Config  # loads the losses, and with them PyTorch

    given = {name: values[name] for name in TOP if values.get(name)}
    Config.preset(values["preset"], **given).override(values["overrides"])
