"""Retrieval metrics: recall, mean average precision and mean inverse negative penalty, from features and identities.

For a query whose n relevant items (same identity) stand at the ranks r_1 < ... < r_n of the gallery sorted by cosine:

    R@k = [r_1 <= k]        AP = (1/n) sum_j j / r_j        INP = n / r_n

and R@k, mAP and mINP are their means over the queries, in percent. R@k and AP are the usual ones of retrieval; INP is
Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", 2021, eq. 15.

Ties are broken against the model: a wrong item whose score equals a right one's stands before it. Scores are float64
cosines, and two within :data:`TIE_TOLERANCE` of each other are equal. So no result depends on the order of the
queries, of the gallery, or on how the work is cut into chunks, and a model that maps everything to one point scores
what it deserves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, overload

import numpy as np
import pandas as pd

from tireid.basics.arguments import COLLECTION, COUNT, ArgumentError, checked
from tireid.search.features import (
    Features,
    Floats,
    Ids,
    Ints,
    checked_ids,
    checked_numbers,
    normalised_rows,
    numbers,
    to_numpy,
)
from tireid.search.ranking import TIE_TOLERANCE, Ranking, rank_relevant

Metric = Callable[[Ints], float]
"""The ascending ranks (from 1) of a query's relevant items, at least one, to a figure in 0..1."""

__all__ = [
    "METRICS",
    "TIE_TOLERANCE",
    "Features",
    "Floats",
    "Ids",
    "Ints",
    "Metric",
    "Ranking",
    "average_precision",
    "checked_ids",
    "checked_numbers",
    "inverse_negative_penalty",
    "normalised_rows",
    "per_query_table",
    "rank_relevant",
    "retrieval_metrics",
    "summarise",
    "to_numpy",
]


@overload
def retrieval_metrics(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    ks: Sequence[int] = ...,
    chunk_size: int = ...,
    per_query: Literal[False] = ...,
) -> dict[str, float]: ...
@overload
def retrieval_metrics(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    ks: Sequence[int] = ...,
    chunk_size: int = ...,
    per_query: Literal[True],
) -> tuple[dict[str, float], pd.DataFrame]: ...
@checked(ks=COLLECTION, chunk_size=COUNT)
def retrieval_metrics(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    ks: Sequence[int] = (1, 5, 10),
    chunk_size: int = 256,
    per_query: bool = False,
) -> dict[str, float] | tuple[dict[str, float], pd.DataFrame]:
    """R@k, mAP and mINP in percent, by cosine similarity.

    Args:
        query_features: (Q, D), NumPy or PyTorch, any real dtype and device; need not be normalised.
        gallery_features: (G, D), likewise.
        query_ids: (Q,) identities, integers or strings.
        gallery_ids: (G,) identities of the same kind.
        ks: the k of R@k; from the gallery's size on R@k is 100 whatever the features.
        chunk_size: queries compared at a time. Blocks of the similarity matrix never exceed 64 MB whatever it is.
        per_query: also return :func:`per_query_table`.

    Returns:
        ``{"R@1": ..., "R@5": ..., "R@10": ..., "mAP": ..., "mINP": ...}``; with `per_query`, a pair with the table.
        Queries without a relevant item in the gallery are left out of the means, and a warning counts them.

    Raises:
        ValueError: shapes that do not fit, an empty side, NaN, infinite or all-zero features, or no query with a
            relevant item at all.

    >>> metrics = retrieval_metrics(np.eye(2), np.array([[1.0, 0.0], [1.0, 1.0]]), [7, 8], [7, 8])
    >>> metrics["R@1"], metrics["mAP"]
    (100.0, 100.0)
    """
    ks = _checked_ks(ks)
    ranking = rank_relevant(query_features, gallery_features, query_ids, gallery_ids, chunk_size=chunk_size)
    table = per_query_table(ranking)
    metrics = summarise(table, ks)
    return (metrics, table) if per_query else metrics


def average_precision(ranks: Ints) -> float:
    """AP of a query whose relevant items stand at these ascending ranks (n,); raises ArgumentError for no such ranks.

    >>> average_precision(np.array([1, 4]))
    0.75
    """
    ranks = _checked_ranks(ranks)
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def inverse_negative_penalty(ranks: Ints) -> float:
    """INP of a query whose relevant items stand at these ascending ranks (n,); raises ArgumentError for no such ranks.

    >>> inverse_negative_penalty(np.array([1, 4]))
    0.5
    """
    ranks = _checked_ranks(ranks)
    return float(len(ranks) / ranks[-1])


METRICS: Mapping[str, Metric] = {"AP": average_precision, "INP": inverse_negative_penalty}
"""Columns of :func:`per_query_table`; their means are reported with an m before the name."""


@checked()
def per_query_table(ranking: Ranking, more: Mapping[str, Metric] = {}) -> pd.DataFrame:
    """One row per query, in the order of the queries: what error analysis and significance tests need.

    Columns: ``first_rank`` (rank of the first relevant item), ``AP``, ``INP`` and those of `more` (in 0..1), all
    NaN where the query has no relevant item; ``relevant`` (n); ``nearest`` (gallery row that stands first).

    >>> per_query_table(Ranking([np.array([1, 4])], np.array([0]))).loc[0, ["AP", "INP"]].tolist()
    [0.75, 0.5]
    """
    columns = {
        name: [metric(ranks) if len(ranks) else np.nan for ranks in ranking.ranks]
        for name, metric in {"first_rank": lambda ranks: ranks[0], **METRICS, **more}.items()
    }
    table = pd.DataFrame(columns).astype(float)
    return table.assign(relevant=np.array([len(ranks) for ranks in ranking.ranks], np.int64), nearest=ranking.nearest)


def summarise(table: pd.DataFrame, ks: Sequence[int] = (1, 5, 10), more: Iterable[str] = ()) -> dict[str, float]:
    """Means of a :func:`per_query_table`, in percent, over the queries that have a relevant item.

    `more` are columns that are reported under their own names.

    Raises:
        ValueError: no query has one.

    >>> table = per_query_table(Ranking([np.array([1]), np.array([3])], np.array([0, 0])))
    >>> {name: round(value, 1) for name, value in summarise(table, ks=(1, 5)).items()}
    {'R@1': 50.0, 'R@5': 100.0, 'mAP': 66.7, 'mINP': 66.7}
    """
    ks = _checked_ks(ks)
    counted = table[table["relevant"] > 0]
    skipped = len(table) - len(counted)
    if counted.empty:
        raise ValueError(
            f"none of the {len(table)} queries has a relevant item: do both sides use the same identities?"
        )
    if skipped:
        warnings.warn(
            f"{skipped} of {len(table)} queries have no relevant item in the gallery and are left out", stacklevel=3
        )
    metrics = {f"R@{k}": 100 * float((counted["first_rank"] <= k).mean()) for k in ks}
    metrics |= {f"m{name}": 100 * float(counted[name].mean()) for name in METRICS}
    return metrics | {name: 100 * float(counted[name].mean()) for name in more}


def _checked_ranks(ranks: Ints) -> Ints:
    array = numbers(ranks, "ranks")
    fits = array.ndim == 1 and array.dtype.kind in "iu" and len(array) and array[0] >= 1
    if not (fits and (array[1:] > array[:-1]).all()):
        raise ArgumentError(f"ranks must be different integers from 1, ascending, at least one, not {array}")
    return array


def _checked_ks(ks: Sequence[int]) -> tuple[int, ...]:
    given = tuple(ks)
    if not all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1 for k in given):
        raise ValueError(f"ks must be positive integers, not {given}")
    return given
