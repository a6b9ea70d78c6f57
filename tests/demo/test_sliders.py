"""Sliders over a figure: the picture follows, and what cannot show widgets shows the picture."""

from __future__ import annotations

import base64
import re

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from tireid.interactive import FigureSliders


def line(points: int, height: float) -> Figure:
    figure, axes = plt.subplots(figsize=(2, 1))
    axes.plot([height] * points)
    return figure


@pytest.fixture
def sliders() -> FigureSliders:
    return FigureSliders(line, "A line & its <points>", points=(3, 1, 9, 1), height=(0.5, 0.0, 1.0, 0.25))


def test_the_picture_follows_a_slider(sliders: FigureSliders) -> None:
    before, open_before = sliders._picture.value, plt.get_fignums()  # another test may have left one open
    sliders.children[1].value = 1.0
    assert sliders.state == {"points": 3, "height": 1.0}
    assert sliders._picture.value != before
    sliders.state = {"height": 0.5}
    assert sliders._picture.value == before
    assert plt.get_fignums() == open_before


def test_integers_stay_integers(sliders: FigureSliders) -> None:
    sliders.state = {"points": 7}
    assert isinstance(sliders.state["points"], int)
    assert "line of 7 points" in sliders._repr_mimebundle_()["text/plain"]


def test_the_fallback_is_the_picture_with_its_words(sliders: FigureSliders) -> None:
    bundle = sliders._repr_mimebundle_()
    assert 'alt="A line &amp; its &lt;points&gt;"' in bundle["text/html"]
    data = re.search(r"base64,([^\"]+)", bundle["text/html"])
    assert data
    assert base64.b64decode(data[1]) == sliders._picture.value
    assert bundle["text/plain"].splitlines()[1] == "at points 3, height 0.5"


@pytest.mark.parametrize(("state", "said"), [({"hight": 1}, "height"), ({"points": 10}, "in 1..9, got 10")])
def test_bad_states_move_nothing(sliders: FigureSliders, state: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sliders.state = {"height": 1.0} | state
    assert sliders.state == {"points": 3, "height": 0.5}
