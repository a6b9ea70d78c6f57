"""A small gallery whose right answers are plain to see: flat colours, and a model that knows six of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.search.fakes import ColourModel, Crops, make_crops
from tireid.explain.confidence import QuerySpread
from tireid.interactive import RetrievalDemo
from tireid.search import Gallery

PEOPLE = {"red": 10, "green": 11, "blue": 12, "yellow": 13}


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    return make_crops(tmp_path_factory.mktemp("crops") / "crops")


@pytest.fixture(scope="module")
def gallery(crops: Crops) -> Gallery:
    return Gallery.from_split(ColourModel(), crops.split)


@pytest.fixture(scope="module")
def second(crops: Crops) -> Gallery:
    """The same pictures through a model that hardly sees red."""
    model = ColourModel()
    model.turn.data[0] = 0.05
    return Gallery.from_split(model, crops.split)


@pytest.fixture(scope="module")
def spread() -> QuerySpread:
    return QuerySpread(np.eye(4, dtype=np.float32) * 0.1)


@pytest.fixture
def demo(crops: Crops, gallery: Gallery, second: Gallery, spread: QuerySpread) -> RetrievalDemo:
    return RetrievalDemo(gallery, split=crops.split, compare=second, spread=spread)


def names(demo: RetrievalDemo) -> list[str]:
    """What the demo has found, best first."""
    return demo.results["name"].tolist()
