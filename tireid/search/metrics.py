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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

Features = npt.NDArray[Any] | torch.Tensor
Ids = npt.NDArray[Any] | torch.Tensor | Sequence[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TIE_TOLERANCE = 1e-9
"""Cosines closer than this are tied: far above float64's rounding, far below what float32 features can tell apart."""

BLOCK_BYTES = 64 * 2**20
"""Upper limit of the block of the similarity matrix that is held at a time."""


Metric = Callable[[Ints], float]
"""The ascending ranks (from 1) of a query's relevant items, at least one, to a figure in 0..1."""


@dataclass(frozen=True)
class Ranking:
    """Where the relevant items of each query stand: all that the metrics need."""

    ranks: list[Ints]
    """Per query the ascending ranks (from 1) of its relevant items; empty for a query without any."""
    nearest: Ints
    """(Q,) gallery row that stands first; among equals a wrong item, then the one that comes first in the gallery."""


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
def retrieval_metrics(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    ks: Sequence[int] = (1, 5, 10),
    chunk_size: int = 1024,
    per_query: bool = False,
) -> dict[str, float] | tuple[dict[str, float], pd.DataFrame]:
    """R@k, mAP and mINP in percent, by cosine similarity.

    Args:
        query_features: (Q, D), NumPy or PyTorch, any real dtype and device; need not be normalised.
        gallery_features: (G, D), likewise.
        query_ids: (Q,) identities, integers or strings.
        gallery_ids: (G,) identities of the same kind.
        ks: the k of R@k; a k above the gallery's size is allowed.
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


def rank_relevant(
    query_features: Features,
    gallery_features: Features,
    query_ids: Ids,
    gallery_ids: Ids,
    *,
    chunk_size: int = 1024,
) -> Ranking:
    """Ranks of every query's relevant items; arguments as in :func:`retrieval_metrics`.

    The j-th best relevant item has the rank j + (wrong items that score at least as high).

    Raises:
        ValueError: shapes, dimensions or kinds of ids that do not fit, an empty side, features without a direction.

    >>> rank_relevant(np.eye(2), np.eye(2)[::-1], [0, 1], [0, 1]).ranks
    [array([2]), array([2])]
    """
    queries = normalised_rows(query_features, "query_features")
    gallery = normalised_rows(gallery_features, "gallery_features")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"query_features have {queries.shape[1]} columns and gallery_features {gallery.shape[1]}: "
            "both must come from the same model"
        )
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, int | np.integer) or chunk_size < 1:
        raise ValueError(f"chunk_size must be a positive integer, not {chunk_size!r}")
    wanted = checked_ids(query_ids, "query_ids", len(queries))
    owned = checked_ids(gallery_ids, "gallery_ids", len(gallery))
    if (wanted.dtype.kind in "US") != (owned.dtype.kind in "US"):
        raise ValueError(f"query_ids are {wanted.dtype} and gallery_ids {owned.dtype}: both must be of one kind")

    order = np.argsort(owned, kind="stable")  # by identity: the relevant items of a query are then one slice
    gallery, owned = gallery[order], owned[order]
    start, stop = np.searchsorted(owned, wanted, "left"), np.searchsorted(owned, wanted, "right")

    ranks: list[Ints] = []
    nearest: list[Ints] = []
    chunk_size = min(int(chunk_size), 8192)
    for begin in range(0, len(queries), chunk_size):
        rows = slice(begin, begin + chunk_size)
        chunk_ranks, chunk_nearest = _rank_chunk(queries[rows], gallery, start[rows], stop[rows], order)
        ranks += chunk_ranks
        nearest.append(chunk_nearest)
    return Ranking(ranks, np.concatenate(nearest))


def _rank_chunk(queries: Floats, gallery: Floats, start: Ints, stop: Ints, order: Ints) -> tuple[list[Ints], Ints]:
    """Ranks and nearest rows of some queries; `gallery` is sorted by identity, `order` maps to the caller's rows."""
    right = [gallery[a:b] @ query for query, a, b in zip(queries, start, stop, strict=True)]
    right_sorted = [np.sort(scores)[::-1] for scores in right]
    wrong_before = [np.zeros(len(scores), np.int64) for scores in right]
    best = np.full(len(queries), -np.inf)
    best_row = np.full(len(queries), len(gallery))

    for first, block in _blocks(gallery, len(queries)):
        scores = queries @ block.T
        for i, row in enumerate(scores):
            row[max(start[i] - first, 0) : max(stop[i] - first, 0)] = -np.inf
            wrong_before[i] += _count_at_least(row, right_sorted[i] - TIE_TOLERANCE)
            best[i], best_row[i] = _better((best[i], best_row[i]), row, order[first : first + len(block)])

    for i, (scores, before) in enumerate(zip(right, wrong_before, strict=True)):
        if len(before) and before[0] == 0:
            _, best_row[i] = _better((-np.inf, len(gallery)), scores, order[start[i] : stop[i]])
    return [before + np.arange(1, len(before) + 1) for before in wrong_before], best_row


def _blocks(gallery: Floats, num_queries: int) -> Iterator[tuple[int, Floats]]:
    size = max(1, BLOCK_BYTES // (8 * num_queries))
    for first in range(0, len(gallery), size):
        yield first, gallery[first : first + size]


def _count_at_least(scores: Floats, thresholds: Floats) -> Ints:
    """For each of the descending `thresholds`, how many scores reach it."""
    if not len(thresholds):
        return np.zeros(0, np.int64)
    contenders = np.sort(scores[scores >= thresholds[-1]])  # few, where the model is any good: cheaper than a full sort
    return len(contenders) - np.searchsorted(contenders, thresholds, "left")


def _better(best: tuple[float, int], scores: Floats, rows: Ints) -> tuple[float, int]:
    """The better of `best` and the best of `scores`; among equals the lowest row, so that blocks do not matter."""
    top = scores.max()
    if top < best[0] - TIE_TOLERANCE or top == -np.inf:
        return best
    row = int(rows[scores >= top - TIE_TOLERANCE].min())
    return (top, row) if top > best[0] + TIE_TOLERANCE else (max(top, best[0]), min(row, best[1]))


def average_precision(ranks: Ints) -> float:
    """AP of a query whose relevant items stand at these ascending ranks (n,)."""
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def inverse_negative_penalty(ranks: Ints) -> float:
    """INP of a query whose relevant items stand at these ascending ranks (n,)."""
    return float(len(ranks) / ranks[-1])


METRICS: Mapping[str, Metric] = {"AP": average_precision, "INP": inverse_negative_penalty}
"""Columns of :func:`per_query_table`; their means are reported with an m before the name."""


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


def normalised_rows(features: Features, name: str) -> Floats:
    """(N, D) float64 rows of length one, as a new array.

    Raises:
        ValueError: not two-dimensional, no row or column, NaN or infinite values, a row of zeros; names the first row.
    """
    array = to_numpy(features).astype(np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have the shape (items, dimension), both at least 1, not {array.shape}")
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}: row {int(np.argmin(finite))} holds NaN or infinite values")
    norms = np.linalg.norm(array, axis=1, keepdims=True)
    usable = (norms > 0) & np.isfinite(norms)
    if not usable.all():
        row = int(np.argmin(usable[:, 0]))
        raise ValueError(f"{name}: row {row} has the length {norms[row, 0]:g}, so its direction is undefined")
    array /= norms
    return array


def to_numpy(values: Any) -> npt.NDArray[Any]:
    """An array or tensor of any device and dtype (bfloat16 included) as a NumPy array."""
    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    return np.asarray((values.float() if values.dtype == torch.bfloat16 else values).numpy())


def checked_ids(ids: Ids, name: str, length: int) -> npt.NDArray[Any]:
    """(length,) integers or strings as an array. Raises ValueError for another shape or kind."""
    array = to_numpy(ids)
    if array.shape != (length,):
        raise ValueError(f"{name} must have the shape ({length},), one per row, not {array.shape}")
    if array.dtype.kind == "O":  # a column of pandas
        array = np.array(array.tolist())
    if array.dtype.kind not in "iubUS":
        raise ValueError(f"{name} must be integers or strings, not {array.dtype}")
    return array


def checked_numbers(ids: Ids, name: str, length: int) -> Ints:
    """(length,) integers. Raises ValueError for another shape or kind, such as the NaN of somebody unknown, or 1.9."""
    array = checked_ids(ids, name, length)
    if array.dtype.kind not in "iu" or array.max(initial=0) >= 2**63:
        raise ValueError(f"{name} must be integers below 2**63, not {array.dtype}; pass None where nobody is known")
    return array.astype(np.int64)


def _checked_ks(ks: Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(ks)
    if not all(isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 1 for k in numbers):
        raise ValueError(f"ks must be positive integers, not {numbers}")
    return numbers
