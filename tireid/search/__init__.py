"""Metrics, evaluation, and galleries that can be searched."""

from tireid.search.encoder import Encoder, fingerprint
from tireid.search.evaluation import Score, cross_evaluate, evaluate, evaluate_features
from tireid.search.gallery import Gallery
from tireid.search.hits import Hit, Hits
from tireid.search.intervals import bootstrap_interval
from tireid.search.metrics import per_query_table, rank_relevant, retrieval_metrics, summarise
from tireid.search.storage import GalleryError

__all__ = [
    "Encoder",
    "Gallery",
    "GalleryError",
    "Hit",
    "Hits",
    "Score",
    "bootstrap_interval",
    "cross_evaluate",
    "evaluate",
    "evaluate_features",
    "fingerprint",
    "per_query_table",
    "rank_relevant",
    "retrieval_metrics",
    "summarise",
]
