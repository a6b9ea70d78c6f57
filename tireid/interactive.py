"""What a notebook shows, under one name: plots (:mod:`tireid.show`) and widgets (:mod:`tireid.demo`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tireid.demo import FigureSliders, GaussianExplorer, RetrievalDemo
    from tireid.show import (
        Plane,
        bars,
        curves,
        picture_grid,
        plot_gaussians,
        plot_similarities,
        plot_style,
        show,
        show_picture,
    )

__all__ = [
    "FigureSliders",
    "GaussianExplorer",
    "Plane",
    "RetrievalDemo",
    "bars",
    "curves",
    "picture_grid",
    "plot_gaussians",
    "plot_similarities",
    "plot_style",
    "show",
    "show_picture",
]

_WIDGETS = ("FigureSliders", "GaussianExplorer", "RetrievalDemo")


def __getattr__(name: str) -> Any:
    # Only widgets need ipywidgets.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("tireid.demo" if name in _WIDGETS else "tireid.show"), name)


def __dir__() -> list[str]:
    return __all__
