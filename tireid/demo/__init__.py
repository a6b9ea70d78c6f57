"""The widgets: the retrieval demo, and the explorer of Gaussians."""

from tireid.demo.explorer import GaussianExplorer
from tireid.demo.retrieval_demo import RetrievalDemo

__all__ = ["GaussianExplorer", "RetrievalDemo"]
