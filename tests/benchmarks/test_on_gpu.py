"""The script for a GPU, tried small on a processor."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.benchmarks import on_gpu


@pytest.mark.slow
def test_every_part_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["on_gpu", "--device", "cpu", "--small", "--out", str(tmp_path)])
    on_gpu.main()
    rows = json.loads((tmp_path / "on_gpu.json").read_text())["rows"]
    assert {row["part"] for row in rows} == {part.__name__ for part in on_gpu.PARTS}
    assert not [row for row in rows if row["what"] == "failed"]
    table = capsys.readouterr().out
    assert all(row["what"] in table for row in rows)


def test_a_part_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(scale: on_gpu.Scale) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(on_gpu, "PARTS", (broken, on_gpu.metrics))
    first, *others = on_gpu.measure(on_gpu.SMALL, 60)
    assert first == {"part": "broken", "what": "failed", "note": "RuntimeError: no such kernel"}
    assert [row["part"] for row in others] == ["metrics"] * 4
