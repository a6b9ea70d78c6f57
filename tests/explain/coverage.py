"""Whether "how sure" keeps what it says, over all queries of a split with known identities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from tireid.explain.calibration import KnownCaptions
from tireid.explain.confidence import QuerySpread, how_sure
from tireid.search.encoder import encode
from tireid.search.gallery import Gallery
from tireid.search.index import ranks_of
from tireid.search.metrics import Features, Ids, to_numpy


def coverage(
    gallery: Gallery,
    captions: Sequence[str],
    person_ids: Ids,
    spread: QuerySpread,
    levels: Sequence[float] = (0.5, 0.8, 0.9),
    *,
    features: Features | None = None,
    k: int = 10,
    draws: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """How often what :func:`~tireid.explain.confidence.how_sure` states at each level holds.

    Args:
        gallery: with identities, of people that `spread` was not calibrated on.
        captions: M captions; those count that have a picture and another caption of their person.
        person_ids: (M,).
        spread: what is examined.
        levels: stated shares of cases.
        features: (M, D) of the captions, if they are encoded already.
        k: how many results are shown.
        draws: per caption.
        seed: of the draws.

    Returns:
        A row per level. ``interval``: share of the triples of a query, a picture that it shows and another caption of
        the query's person in which the rank that the other caption gives to the picture lies in its interval.
        ``within``: share of the queries whose first right picture is among the first `within`; ``first``: their mean.
        ``ambiguous``: share of the queries that are called so, and R@1 (0..1) of these, ``R@1 ambiguous``, and of the
        others, ``R@1 clear`` (missing where there are none); the same at every level.
    """
    if features is None:
        features = encode(gallery.model.encode_texts, list(captions), batch_size=128)
    known = KnownCaptions.of(gallery, captions, person_ids, features, limit=len(captions))
    rows, ranks = to_numpy(features), np.stack([ranks_of(scores) for scores in known.scores])
    table = []
    for level in levels:
        for query in known.queries:
            shown = np.argsort(-known.scores[query], kind="stable")[:k]
            sure = how_sure(gallery, captions[query], shown, spread, level, draws, seed, feature=rows[query])
            others = known.same[query].copy()
            others[query] = False
            told = ranks[others][:, shown]
            held = float(((told >= sure.low) & (told <= sure.high)).mean())
            first_right = ranks[query, known.right[query]].min()
            table.append((level, held, first_right <= sure.within, sure.within, sure.ambiguous, first_right == 1))
    columns = ["level", "interval", "within", "first", "ambiguous", "R@1"]
    cases = pd.DataFrame(table, columns=columns).astype(dict.fromkeys(columns, float))
    means = cases.groupby("level")[["interval", "within", "first", "ambiguous"]].mean()
    for flat, name in ((1.0, "R@1 ambiguous"), (0.0, "R@1 clear")):
        means[name] = cases[cases["ambiguous"] == flat].groupby("level")["R@1"].mean()
    return means
