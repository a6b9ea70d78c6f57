"""The loss that 14_bring_your_own writes to a file is the formula above it."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
import torch

from tests.notebooks.definitions import FOLDER
from tests.oracles.losses import dot, unit
from tireid.runner.notebook import read_notebook


def source() -> str:
    """The text that the notebook assigns to SOURCE."""
    cells = read_notebook(FOLDER / "14_bring_your_own.ipynb").cells
    (cell,) = [cell.source for cell in cells if cell.cell_type == "code" and cell.source.startswith("SOURCE = ")]
    value = ast.literal_eval(ast.parse(cell).body[0].value)  # type: ignore[attr-defined]
    assert isinstance(value, str)
    return value


def test_the_loss_is_its_formula(tmp_path: Path) -> None:
    file = tmp_path / "written_by_14.py"
    file.write_text(source(), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_by_14", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    rng, ids = torch.Generator().manual_seed(3), [0, 0, 1, 2, 2, 3]
    image, text = torch.randn(6, 5, generator=rng), torch.randn(6, 5, generator=rng)
    total = 0.0
    for anchors, others in ((image.tolist(), text.tolist()), (text.tolist(), image.tolist())):
        for i, anchor in enumerate(anchors):
            wrong = [dot(unit(anchor), unit(o)) for o, other in zip(others, ids, strict=True) if other != ids[i]]
            total += max(0.0, 0.4 - dot(unit(anchor), unit(others[i])) + max(wrong)) / 6
    value = module.HardestNegative(margin=0.4).compute(image, text, torch.tensor(ids)).item()
    assert value == pytest.approx(total, rel=1e-5)
