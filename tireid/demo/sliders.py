"""Sliders over any figure: a function draws it, the picture follows the values."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from tireid.basics.extras import require
from tireid.basics.hints import nearest
from tireid.demo.parts import HINT, follow, widgets
from tireid.show.plots import describe_axes, plot_style, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Values = dict[str, float | int]


def still_html(setting: str, picture: bytes, alt: str, table: str = "") -> str:
    """The present view where widgets cannot be shown: its setting, a `table` (HTML), and the picture (PNG)."""
    data = base64.b64encode(picture).decode()
    return (
        f"<div><p>{escape(setting)}.{HINT.format('move the sliders')}</p>{table}"
        f'<img alt="{escape(alt)}" style="max-width:100%" src="data:image/png;base64,{data}"></div>'
    )


class SliderBox(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """`sliders` by name above the widgets `shown`; `update` is called at once, and once after every change."""

    def __init__(self, sliders: dict[str, Any], shown: Sequence[Any], update: Callable[[], None]) -> None:
        self._sliders, self._update, self._quiet = sliders, update, False
        super().__init__([*sliders.values(), *shown])
        for slider in sliders.values():
            follow(slider, lambda _: self._moved())
        self._update()

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
        self._update()

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
            self._update()


class FigureSliders(SliderBox):
    """Sliders over a figure that `draw(**values)` makes anew whenever one of them moves.

    Args:
        draw: takes the sliders' values by name and returns a matplotlib figure.
        alt: what the figure shows, in words.
        sliders: for each name the first value, the lowest, the highest and the step; a slider of four integers
            gives integers.

    :attr:`state` holds the values and takes them back. Where widgets cannot be shown (an export, GitHub) the present
    view is a picture.

    >>> import matplotlib.pyplot as plt
    >>> sliders = FigureSliders(lambda n: plt.figure(figsize=(n, 1)), "an empty figure", n=(2, 1, 4, 1))
    >>> sliders.state = {"n": 3}
    >>> sliders.state
    {'n': 3}
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, **sliders: tuple[float, float, float, float]) -> None:
        self._draw, self._alt, self._described = draw, alt, ""
        self._picture = widgets.Image(format="png")
        super().__init__({name: _slider(name, *of) for name, of in sliders.items()}, [self._picture], self._follow)

    def _follow(self) -> None:
        with plot_style():
            figure = self._draw(**self.state)
            self._picture.value = png(figure)
        self._described = "\n".join(map(describe_axes, figure.axes))
        require("matplotlib.pyplot", "notebooks").close(figure)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        setting = ", ".join(f"{name} {value:g}" for name, value in self.state.items())
        plain = f"{self._alt}\nat {setting}\n{self._described}"
        still = still_html(setting, self._picture.value, self._alt)
        return (super()._repr_mimebundle_(**kwargs) or {}) | {"text/plain": plain, "text/html": still}


def _slider(name: str, value: float, low: float, high: float, step: float) -> Any:
    kind = widgets.IntSlider if all(isinstance(x, int) for x in (value, low, high, step)) else widgets.FloatSlider
    look = {"style": {"description_width": "12em"}, "layout": {"width": "34em"}, "continuous_update": False}
    return kind(value=value, min=low, max=high, step=step, description=name, **look)
