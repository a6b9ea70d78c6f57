"""The retrieval demo: small parts joined by one state, see :class:`RetrievalDemo`."""

from tireid.interactive.demo.retrieval_demo import RetrievalDemo

__all__ = ["RetrievalDemo"]
