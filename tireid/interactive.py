"""What a notebook shows, under one name: plots (:mod:`tireid.show`) and widgets (:mod:`tireid.demo`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily

if TYPE_CHECKING:
    from tireid.demo import FigureSliders, GaussianExplorer, RetrievalDemo
    from tireid.show import (
        Plane,
        bars,
        curves,
        folded,
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
    "folded",
    "picture_grid",
    "plot_gaussians",
    "plot_similarities",
    "plot_style",
    "show",
    "show_picture",
]

_WIDGETS = ("FigureSliders", "GaussianExplorer", "RetrievalDemo")  # only these need ipywidgets
__getattr__, __dir__ = lazily(__name__, {"tireid.show": __all__, "tireid.demo": _WIDGETS})
