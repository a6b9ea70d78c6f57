"""The widgets: the retrieval demo, the explorer of Gaussians, sliders over any figure; the page of `tireid demo`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tireid.demo.explorer import GaussianExplorer
    from tireid.demo.retrieval_demo import RetrievalDemo
    from tireid.demo.sliders import FigureSliders

__all__ = ["FigureSliders", "GaussianExplorer", "RetrievalDemo"]

_HOME = {"FigureSliders": "sliders", "GaussianExplorer": "explorer", "RetrievalDemo": "retrieval_demo"}


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: the process that serves the page needs no PyTorch.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tireid.demo.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
