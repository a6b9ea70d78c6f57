from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import IPython.display
import numpy as np
import pytest
import torch
from nbformat import v4

from tests.runner.books import book, code
from tireid.experiments import show_metrics
from tireid.runner.metrics import METRICS_MIME, collect_metrics


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Outputs as a notebook stores them."""
    outputs: list[Any] = []

    def display(data: Any, *, raw: bool, metadata: Any) -> None:
        assert raw
        outputs.append(v4.new_output("display_data", data=data, metadata=metadata))

    monkeypatch.setattr(IPython.display, "display", display)
    return outputs


def test_shows_rounded_and_keeps_exact(shown: list[Any], tmp_path: Path) -> None:
    metrics = {"t2i": {"R@1": np.float32(41.2512345)}, "loss": torch.tensor(0.00123456), "queries": np.int64(12345)}
    show_metrics(metrics, tmp_path / "deep/metrics.json")
    assert shown[0].data[METRICS_MIME] == {"t2i": {"R@1": 41.25}, "loss": 0.001235, "queries": 12345}
    assert shown[0].data["text/plain"].split() == ["t2i/R@1", "41.25", "loss", "0.001235", "queries", "12345"]
    exact = json.loads((tmp_path / "deep/metrics.json").read_text())
    assert exact["t2i"]["R@1"] == float(np.float32(41.2512345))
    cell = code("show_metrics(...)")
    cell.outputs = shown
    assert collect_metrics(book(cell)) == exact


def test_the_last_of_one_name_wins(shown: list[Any]) -> None:
    show_metrics({"a": 1, "b": 2})
    show_metrics({"b": 3, "data": "abc"})
    cells = [code("1"), code("2")]
    for cell, output in zip(cells, shown, strict=True):
        cell.outputs = [v4.new_output("stream", text="x"), output]
    assert collect_metrics(book(*cells)) == {"a": 1, "b": 3, "data": "abc"}


@pytest.mark.parametrize(("data", "told"), [(3, {}), ("ab", {}), ([["a", 1]], {}), ({"a": 1}, "x"), (None, None)])
def test_what_a_notebook_displays_in_the_place_of_metrics_is_left_out(data: Any, told: Any) -> None:
    cell = code("1")
    cell.outputs = [v4.new_output("display_data", data={METRICS_MIME: data}, metadata={METRICS_MIME: told})]
    assert collect_metrics(book(cell)) == ({"a": 1} if isinstance(data, dict) else {})


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), (float("inf"), ValueError), ([], TypeError)])
def test_what_is_no_metric_is_named(value: Any, error: type[Exception], shown: list[Any], tmp_path: Path) -> None:
    with pytest.raises(error, match=r"metrics/t2i/R@1 is"):
        show_metrics({"t2i": {"R@1": value}}, tmp_path / "metrics.json")
    assert not shown
    assert not (tmp_path / "metrics.json").exists()
