"""The widgets: the retrieval demo, the explorer of Gaussians, sliders over any figure; the page of `tireid demo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily

if TYPE_CHECKING:
    from tireid.demo.explorer import GaussianExplorer
    from tireid.demo.retrieval_demo import RetrievalDemo
    from tireid.demo.sliders import FigureSliders

__all__ = ["FigureSliders", "GaussianExplorer", "RetrievalDemo"]

# Loaded when first asked for: the process that serves the page needs no PyTorch.
__getattr__, __dir__ = lazily(
    __name__,
    {
        "tireid.demo.explorer": ("GaussianExplorer",),
        "tireid.demo.retrieval_demo": ("RetrievalDemo",),
        "tireid.demo.sliders": ("FigureSliders",),
    },
)
