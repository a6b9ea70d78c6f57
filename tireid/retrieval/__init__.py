"""Metrics, evaluation, and galleries that can be searched."""

from tireid.retrieval.encoding import Encoder, fingerprint
from tireid.retrieval.evaluation import Score, evaluate, evaluate_features
from tireid.retrieval.gallery import Gallery, GalleryError
from tireid.retrieval.hits import Hit, Hits
from tireid.retrieval.metrics import bootstrap_interval, per_query_table, rank_relevant, retrieval_metrics, summarise

__all__ = [
    "Encoder",
    "Gallery",
    "GalleryError",
    "Hit",
    "Hits",
    "Score",
    "bootstrap_interval",
    "evaluate",
    "evaluate_features",
    "fingerprint",
    "per_query_table",
    "rank_relevant",
    "retrieval_metrics",
    "summarise",
]
