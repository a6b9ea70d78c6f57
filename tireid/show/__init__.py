"""Pictures, cards and plots in one style, with alternative text; no widgets."""

from tireid.show.plane import Plane, plot_gaussians
from tireid.show.plots import bars, curves, picture_grid, plot_similarities, plot_style, show, show_picture

__all__ = [
    "Plane",
    "bars",
    "curves",
    "picture_grid",
    "plot_gaussians",
    "plot_similarities",
    "plot_style",
    "show",
    "show_picture",
]
