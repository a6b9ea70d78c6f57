"""Sliders over a figure: the picture follows, and what cannot show widgets shows the picture."""

from __future__ import annotations

import base64
import re
import time
from threading import Thread

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


def test_one_figure_is_drawn_at_a_time_and_the_last_has_every_move() -> None:
    drawing, seen = [0], []

    def slow(a: int, b: int) -> Figure:
        drawing[0] += 1
        seen.append((drawing[0], a, b))
        time.sleep(0.05)
        drawing[0] -= 1
        return line(3, 0.5)

    sliders = FigureSliders(slow, "a line", a=(0, 0, 9, 1), b=(0, 0, 9, 1))
    threads = [Thread(target=setattr, args=(sliders, "state", {name: 5})) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {at_once for at_once, *_ in seen} == {1}
    assert seen[-1] == (1, 5, 5)


@pytest.fixture
def pointed() -> FigureSliders:
    """A point whose axes run from 0 to 1 and from -1 to 3 in the left half of a figure of 400 x 200 pixels."""

    def plane(up: float, across: int, other: float) -> Figure:
        figure = plt.figure(figsize=(4, 2), dpi=100)
        axes = figure.add_axes((0.1, 0.25, 0.4, 0.5))
        axes.set(xlim=(0, 8), ylim=(-1, 3))
        return figure

    values = {"up": (1.0, 0.0, 2.0, 0.5), "across": (3, 0, 4, 1), "other": (0.0, 0.0, 1.0, 0.5)}
    return FigureSliders(plane, "a plane", point=("across", "up"), tell=_sum, **values)  # type: ignore[arg-type]


def _sum(up: float, across: int, other: float) -> str:
    return f"sum <{up + across + other:g}>"


def test_the_point_lies_where_the_axes_have_its_values(pointed: FigureSliders) -> None:
    across, up = pointed._picture.axes
    assert (across["name"], across["low"], across["high"], across["step"]) == ("across", 0, 4, 1)
    assert (across["first"], across["last"]) == pytest.approx((0.1, 0.3))  # 0 and 4 of 8, on 0.1..0.5
    assert (up["first"], up["last"]) == pytest.approx((0.625, 0.375))  # 0 and 2 of -1..3, on 0.75..0.25 from above
    assert pointed._picture.point == [3, 1.0]


def test_point_and_sliders_follow_each_other(pointed: FigureSliders) -> None:
    pointed._picture._heard({"point": [2, 1.5]})
    assert pointed.state == {"up": 1.5, "across": 2, "other": 0.0}
    assert "sum &lt;3.5&gt;" in pointed._words.value
    pointed.state = {"across": 4, "other": 0.5}
    assert pointed._picture.point == [4, 1.5]
    bundle = pointed._repr_mimebundle_()
    assert "sum <6>" in bundle["text/plain"]
    assert "sum &lt;6&gt;" in bundle["text/html"]
    assert "move the point or the sliders" in bundle["text/html"]


@pytest.mark.parametrize("point", [("points", "width"), ("points", "points"), ("points",)])
def test_a_point_is_two_of_the_sliders(point: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"point must name two of the sliders points, height, got"):
        FigureSliders(line, "a line", point=point, points=(3, 1, 9, 1), height=(0.5, 0.0, 1.0, 0.25))
