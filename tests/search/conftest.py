from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.fakes import ColourModel, Crops, make_crops


@pytest.fixture
def model() -> ColourModel:
    return ColourModel()


@pytest.fixture
def crops(tmp_path: Path) -> Crops:
    return make_crops(tmp_path / "crops")
