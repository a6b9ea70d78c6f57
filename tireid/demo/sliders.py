"""Sliders over any figure: a function draws it, the picture follows the values; two of them may be a point on it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from threading import RLock
from typing import TYPE_CHECKING, Any

from tireid.basics.extras import require
from tireid.basics.hints import nearest
from tireid.demo.parts import HINT, follow, widgets
from tireid.demo.point_picture import PointPicture
from tireid.show.plots import describe_axes, plot_style, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = dict[str, float | int]
# JupyterLab may tell the kernel of two moves in two threads, and matplotlib's settings are those of the whole process.
_ONE_AT_A_TIME = RLock()


def still_html(setting: str, picture: bytes, alt: str, table: str = "", to_move: str = "the sliders") -> str:
    """The present view where widgets cannot be shown: its setting, a `table` (HTML), and the picture (PNG)."""
    data = base64.b64encode(picture).decode()
    return (
        f"<div><p>{escape(setting)}.{HINT.format('move ' + to_move)}</p>{table}"
        f'<img alt="{escape(alt)}" style="max-width:100%" src="data:image/png;base64,{data}"></div>'
    )


class SliderBox(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """`sliders` by name above the widgets `shown`; `update` is called at once, and once after every change."""

    def __init__(self, sliders: dict[str, Any], shown: Sequence[Any], update: Callable[[], None]) -> None:
        self._sliders, self._update, self._quiet = sliders, update, False
        super().__init__([*sliders.values(), *shown])
        for slider in sliders.values():
            follow(slider, lambda _: self._moved())
        self._moved()

    @property
    def state(self) -> Values:
        """The values of the sliders. Setting a dict with some or all of them restores that view.

        Raises ValueError, and changes nothing, for an unknown key or a value that its slider cannot take.
        """
        return {name: slider.value for name, slider in self._sliders.items()}

    @state.setter
    def state(self, values: Mapping[str, float | int]) -> None:
        checked = {name: self._checked_value(name, value) for name, value in values.items()}
        self._quiet = True
        try:
            for name, value in checked.items():
                self._sliders[name].value = value
        finally:
            self._quiet = False
        self._moved()

    def _checked_value(self, name: str, value: Any) -> float | int:
        if name not in self._sliders:
            raise ValueError(f"unknown key {name!r} in state; {nearest(name, self._sliders)}")
        slider = self._sliders[name]
        whole = isinstance(slider, widgets.IntSlider)
        number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not number or not slider.min <= value <= slider.max:
            kind = "an integer" if whole else "a number"
            raise ValueError(f"state[{name!r}] must be {kind} in {slider.min:g}..{slider.max:g}, got {value!r}")
        return int(value) if whole else float(value)

    def _moved(self) -> None:
        if not self._quiet:
            with _ONE_AT_A_TIME:
                self._update()


class FigureSliders(SliderBox):
    """Sliders over a figure that `draw(**values)` makes anew whenever one of them moves.

    Args:
        draw: takes the sliders' values by name and returns a matplotlib figure.
        alt: what the figure shows, in words.
        point: two sliders that are also a point on the figure's first axes, whose scales are linear: a click or a drag
            puts it somewhere, the arrow keys move it by a step, with Shift by ten.
        tell: takes the sliders' values as `draw` does and returns what is said under the figure.
        sliders: for each name the first value, the lowest, the highest and the step; a slider of four integers
            gives integers.

    :attr:`state` holds the values and takes them back. Where widgets cannot be shown (an export, GitHub) the present
    view is a picture.

    Raises:
        ValueError: `point` does not name two of the sliders.

    >>> import matplotlib.pyplot as plt
    >>> sliders = FigureSliders(lambda n: plt.figure(figsize=(n, 1)), "an empty figure", n=(2, 1, 4, 1))
    >>> sliders.state = {"n": 3}
    >>> sliders.state
    {'n': 3}
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        alt: str,
        *,
        point: tuple[str, str] | None = None,
        tell: Callable[..., str] | None = None,
        **sliders: tuple[float, float, float, float],
    ) -> None:
        if point is not None and not (len(set(point)) == 2 and set(point) <= set(sliders)):
            raise ValueError(f"point must name two of the sliders {', '.join(sliders)}, got {point!r}")
        self._draw, self._alt, self._described, self._point, self._tell = draw, alt, "", point, tell
        self._words = widgets.HTML()
        self._picture = PointPicture(alt, self._moved_to) if point else widgets.Image(format="png")
        shown = [self._picture, self._words] if tell else [self._picture]
        super().__init__({name: _slider(name, *of) for name, of in sliders.items()}, shown, self._follow)

    def _follow(self) -> None:
        state = self.state
        # Before the figure, which takes longer.
        if self._point:
            self._picture.point = [state[name] for name in self._point]
        if self._tell:
            self._words.value = f'<p aria-live="polite">{escape(self._tell(**state))}</p>'
        # A picture that is cut to what it shows changes its size while a point moves on it.
        with plot_style(), require("matplotlib", "notebooks").rc_context({"savefig.bbox": None} if self._point else {}):
            figure = self._draw(**state)
            self._picture.value = png(figure)
        if self._point:
            self._picture.axes = self._axes(figure, self._point)
        self._described = "\n".join(map(describe_axes, figure.axes))
        require("matplotlib.pyplot", "notebooks").close(figure)

    def _axes(self, figure: Figure, point: tuple[str, str]) -> list[dict[str, Any]]:
        """What :class:`PointPicture` wants to know of the two axes of the figure that has been drawn."""
        across, up = (self._sliders[name] for name in point)
        corners = figure.axes[0].transData.transform([(across.min, up.min), (across.max, up.max)])
        (left, bottom), (right, top) = figure.transFigure.inverted().transform(corners).round(4).tolist()
        return [
            {"name": name, "low": of.min, "high": of.max, "step": of.step, "first": first, "last": last}
            for name, of, first, last in zip(point, (across, up), (left, 1 - bottom), (right, 1 - top), strict=True)
        ]

    def _moved_to(self, point: Sequence[float]) -> None:
        moved = zip(self._point or (), point, strict=True)
        self.state = {name: type(self._sliders[name].value)(value) for name, value in moved}

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        setting = ", ".join(f"{name} {value:g}" for name, value in self.state.items())
        told = self._tell(**self.state) if self._tell else ""
        plain = "\n".join(filter(None, [self._alt, f"at {setting}", told, self._described]))
        to_move = "the point or the sliders" if self._point else "the sliders"
        still = still_html(setting, self._picture.value, self._alt, f"<p>{escape(told)}</p>" if told else "", to_move)
        return (super()._repr_mimebundle_(**kwargs) or {}) | {"text/plain": plain, "text/html": still}


def _slider(name: str, value: float, low: float, high: float, step: float) -> Any:
    kind = widgets.IntSlider if all(isinstance(x, int) for x in (value, low, high, step)) else widgets.FloatSlider
    look = {"style": {"description_width": "12em"}, "layout": {"width": "34em"}, "continuous_update": False}
    return kind(value=value, min=low, max=high, step=step, description=name, **look)
