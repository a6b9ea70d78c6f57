"""Retrieval metrics the slow way: exact cosines by plain loops, a full sort per query, the definitions read aloud."""

from __future__ import annotations

import math
from fractions import Fraction


def cosine(a: list[float], b: list[float]) -> float:
    """Cosine with the products summed exactly, so that equal vectors get equal cosines."""
    dot = sum(Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True))
    squares = sum(Fraction(float(x)) ** 2 for x in a) * sum(Fraction(float(y)) ** 2 for y in b)
    return math.copysign(math.sqrt(dot * dot / squares), dot)


def ranks_of_relevant(query, gallery, query_id, gallery_ids) -> list[int]:
    """Positions, from 1, of the relevant items; wrong ones stand first among equals."""
    items = []
    for features, identity in zip(gallery, gallery_ids, strict=True):
        relevant = identity == query_id
        items.append((-cosine(query, features), relevant))
    items.sort()  # False sorts before True: pessimistic
    return [position for position, (_, relevant) in enumerate(items, start=1) if relevant]


def per_query(queries, gallery, query_ids, gallery_ids) -> list[dict[str, float] | None]:
    """first_rank, AP and INP of each query; None for one without a relevant item."""
    rows: list[dict[str, float] | None] = []
    for query, query_id in zip(queries, query_ids, strict=True):
        ranks = ranks_of_relevant(query, gallery, query_id, gallery_ids)
        if not ranks:
            rows.append(None)
            continue
        precision = 0.0
        for found, rank in enumerate(ranks, start=1):
            precision += found / rank
        rows.append({"first_rank": ranks[0], "AP": precision / len(ranks), "INP": len(ranks) / ranks[-1]})
    return rows


def metrics(queries, gallery, query_ids, gallery_ids, ks=(1, 5, 10)) -> dict[str, float]:
    """Means in percent."""
    rows = [row for row in per_query(queries, gallery, query_ids, gallery_ids) if row is not None]
    result = {}
    for k in ks:
        result[f"R@{k}"] = 100 * sum(row["first_rank"] <= k for row in rows) / len(rows)
    result["mAP"] = 100 * sum(row["AP"] for row in rows) / len(rows)
    result["mINP"] = 100 * sum(row["INP"] for row in rows) / len(rows)
    return result
