"""What a notebook shows: plots in one style, with alternative text."""

from tireid.interactive.plots import bars, curves, picture_grid, plot_style, show, show_picture

__all__ = ["bars", "curves", "picture_grid", "plot_style", "show", "show_picture"]
