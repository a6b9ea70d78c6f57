"""Metrics that a notebook shows travel in its own outputs, from where a runner collects them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tireid.basics.extras import require
from tireid.basics.files import write_json

if TYPE_CHECKING:
    from nbformat import NotebookNode

METRICS_MIME = "application/vnd.tireid.metrics+json"


def show_metrics(metrics: Mapping[str, Any], path: str | Path | None = None, *, digits: int = 4) -> None:
    """Display metrics as the last word of a notebook, and write them to `path` if given.

    `metrics` maps names to numbers, strings or nested mappings; numpy and torch scalars are converted. What is shown
    is rounded to `digits` significant digits, so that nbval can compare it; a runner's `metrics.json` and the file at
    `path` get the exact values, which travel in the display's metadata, where nbval does not look. The entry `data`
    (a fingerprint of the data set) is copied into the run's provenance.

    Raises ValueError for a value that is not finite and TypeError for one that is not a number, text or mapping, both
    naming it.

    >>> show_metrics({"t2i": {"R@1": 41.2512345}})   # in a notebook shows: t2i/R@1  41.25  # doctest: +SKIP

    >>> show_metrics({"R@1": 61.5})
    {'application/vnd.tireid.metrics+json': {'R@1': 61.5}, 'text/plain': 'R@1  61.5'}
    """
    exact = _plain(metrics)
    shown = rounded(exact, digits)
    if path is not None:
        write_json(path, exact)
    bundle = {METRICS_MIME: shown, "text/plain": metrics_text(shown)}
    require("IPython.display", "notebooks").display(bundle, raw=True, metadata={METRICS_MIME: {"exact": exact}})  # type: ignore[no-untyped-call]


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """One aligned line per metric, nested names joined with a slash.

    >>> print(metrics_text({"t2i": {"R@1": 41.25, "mAP": 33.0}, "queries": 80}))
    t2i/R@1  41.25
    t2i/mAP  33.0
    queries  80
    """
    rows = list(flat(metrics))
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def collect_metrics(nb: NotebookNode) -> dict[str, Any]:
    """What :func:`show_metrics` displayed in an executed notebook; of entries with one name the last wins."""
    found: dict[str, Any] = {}
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            told = output.get("metadata", {}).get(METRICS_MIME)
            shown = output.get("data", {}).get(METRICS_MIME)
            exact = told.get("exact") if isinstance(told, dict) else None
            metrics = shown if exact is None else exact
            if isinstance(shown, dict) and isinstance(metrics, dict):  # what else a notebook displays so is none
                found |= json.loads(json.dumps(metrics))
    return found


def _plain(value: Any, name: str = "metrics") -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{name}/{key}") for key, item in value.items()}
    if hasattr(value, "item"):  # numpy and torch scalars; arrays of more than one element raise on their own
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; a metric must be finite")
    if isinstance(value, int | float | str):
        return value
    raise TypeError(f"{name} is a {type(value).__name__}; expected a number, text or a mapping of them")


def rounded(value: Any, digits: int) -> Any:
    """Floats in nested mappings, to `digits` significant digits."""
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values of nested mappings, names joined with a slash."""
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
