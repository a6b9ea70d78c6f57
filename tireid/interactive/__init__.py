"""What a notebook shows: plots in one style, with alternative text."""

from tireid.interactive.plots import bars, curves, plot_style, show

__all__ = ["bars", "curves", "plot_style", "show"]
