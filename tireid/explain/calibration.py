"""What draws of a query must hold, seen on people whose pictures are known: see :mod:`tireid.explain.confidence`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tireid.domain.conformal import spaced
from tireid.search.encoder import Float32s, encode
from tireid.search.gallery import Gallery
from tireid.search.index import Mask, ranks_of
from tireid.search.metrics import Features, Floats, Ids, Ints, normalised_rows, to_numpy

NEVER = 2.0
"""A share of the draws that no number of them reaches."""


def count_above(scores: Float32s, thresholds: Float32s) -> Ints:
    """How many of each row of scores (S, N) are above its threshold (S,); three times as fast as count_nonzero.

    >>> count_above(np.array([[1, 2, 3], [4, 5, 6]], np.float32), np.array([2, 0], np.float32)).tolist()
    [1, 3]
    """
    above = (scores > thresholds[:, None]).view(np.uint8)
    counts: Ints = np.add.reduce(above, axis=1, dtype=np.uint32).astype(np.int64)
    return counts


@dataclass(frozen=True)
class KnownCaptions:
    """Captions of people whose pictures are in the gallery, and all scores between the two."""

    scores: Float32s
    """(M, N)"""
    right: Mask
    """(M, N) whether caption and picture show the same person"""
    same: Mask
    """(M, M) whether two captions tell of the same person"""
    queries: Ints
    """Captions to be searched for."""

    @classmethod
    def of(
        cls, gallery: Gallery, captions: Sequence[str], person_ids: Ids, features: Features | None, limit: int
    ) -> Self:
        """At most `limit` queries, evenly spaced; see :meth:`QuerySpread.calibrate` for arguments and errors."""
        ids = to_numpy(person_ids)
        if gallery.person_ids is None:
            raise ValueError("calibration needs a gallery with identities, such as Gallery.from_split(model, data.val)")
        if features is None:
            features = encode(gallery.model.encode_texts, list(captions), batch_size=128)
        rows = normalised_rows(features, "features").astype(np.float32)
        if not len(captions) == len(rows) == len(ids):
            raise ValueError(f"{len(captions)} captions, {len(rows)} features and {len(ids)} person_ids: give as many")
        right, same = ids[:, None] == gallery.person_ids, ids[:, None] == ids
        usable = np.flatnonzero(right.any(axis=1) & (same.sum(axis=1) > 1))
        if len(usable) < 20:
            raise ValueError(
                f"{len(usable)} captions have both a picture and another caption of their person; calibration needs 20"
            )
        return cls(rows @ gallery.features.T, right, same, usable[spaced(len(usable), limit)])

    def interval_needs(self, query: int, noise: Float32s, k: int) -> Floats:
        """Share of the draws that an interval around their middle must hold, to reach the rank that another caption
        gives; for each of the k best pictures and each other caption. Draws with that very rank count half, so that
        small galleries, where ranks tie, do not ask for less."""
        top = np.argsort(-self.scores[query], kind="stable")[:k]
        drawn = self.scores[query] + noise
        others = self.same[query].copy()
        others[query] = False
        told = np.stack([ranks_of(scores)[top] for scores in self.scores[others]])  # (captions, k)
        needs = []
        for column, picture in enumerate(top):
            ranks = np.sort(1 + count_above(drawn, drawn[:, picture]))
            below = np.searchsorted(ranks, told[:, column], "left")
            up_to = np.searchsorted(ranks, told[:, column], "right")
            needs.append(np.abs((below + up_to) / len(ranks) - 1))
        return np.concatenate(needs)

    def within_need(self, query: int, noise: Float32s) -> float:
        """Share of the draws that `within` must hold, to reach the rank of the first right picture."""
        ranks = ranks_of(self.scores[query])
        first_right = ranks[self.right[query]].min()
        standing = ranks[(self.scores[query] + noise).argmax(axis=1)]
        before = np.count_nonzero(standing < first_right)
        return NEVER if before == len(standing) else before / (len(standing) - 1)
