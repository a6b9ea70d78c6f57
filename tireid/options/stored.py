"""Configurations that were written before each loss had its own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tireid.losses import ALIGNMENTS, RECOVERIES

SHARED = ("margin", "gamma", "gamma_warmup", "positives", "temperature")
"""Stood in every section `loss`, whether the chosen one read them or not."""
OF_RECOVERY = ("margin", "gamma", "gamma_warmup")
"""The recovery read these from the section `loss` when its own loss was the circle."""


def upgraded(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A stored tree in today's form: the numbers that were used stay, those that nothing read go.

    >>> upgraded({"loss": {"alignment": "sdm", "margin": 0.25, "temperature": 0.1}})
    {'loss': {'alignment': 'sdm', 'temperature': 0.1}}
    """
    tree = dict(tree)
    loss, recovery = tree.get("loss"), tree.get("recovery")
    if isinstance(recovery, Mapping):
        kind = RECOVERIES.get(str(recovery.get("loss", "infonce")))
        if kind is not None and isinstance(loss, Mapping):
            used = {name: loss[name] for name in OF_RECOVERY if name in loss and name in kind.model_fields}
            recovery = used | dict(recovery)
        if kind is not None:
            tree["recovery"] = _without(recovery, ("temperature",), kind.model_fields)
    if isinstance(loss, Mapping) and (own := ALIGNMENTS.get(str(loss.get("alignment", "circle")))):
        tree["loss"] = _without(loss, SHARED, own.model_fields)
    return tree


def _without(section: Mapping[str, Any], names: tuple[str, ...], kept: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names or name in kept}
