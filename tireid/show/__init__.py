"""Pictures, cards and plots in one style, with alternative text; no widgets."""

from tireid.show.cards import COLOURS, folded
from tireid.show.plane import Cloud, Plane, people_in_plane, plot_gaussians, projected_covariance
from tireid.show.plots import (
    attention_overlay,
    bars,
    curves,
    denormalize,
    interval_plot,
    picture_grid,
    plot_similarities,
    plot_style,
    show,
    show_picture,
)

__all__ = [
    "COLOURS",
    "Cloud",
    "Plane",
    "attention_overlay",
    "bars",
    "curves",
    "denormalize",
    "folded",
    "interval_plot",
    "people_in_plane",
    "picture_grid",
    "plot_gaussians",
    "plot_similarities",
    "plot_style",
    "projected_covariance",
    "show",
    "show_picture",
]
