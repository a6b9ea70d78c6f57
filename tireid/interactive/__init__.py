"""What a notebook shows: plots in one style, with alternative text, and widgets with a static form."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tireid.interactive.gaussians import Plane, plot_gaussians, plot_similarities
from tireid.interactive.plots import bars, curves, picture_grid, plot_style, show, show_picture

if TYPE_CHECKING:
    from tireid.interactive.demo import RetrievalDemo
    from tireid.interactive.explorer import GaussianExplorer

__all__ = [
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

_WIDGETS = {"GaussianExplorer": "explorer", "RetrievalDemo": "demo"}


def __getattr__(name: str) -> Any:
    """A widget, from its module: only widgets need ipywidgets, which the extra `notebooks` brings."""
    if name not in _WIDGETS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WIDGETS[name]}"), name)
