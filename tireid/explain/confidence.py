"""How sure an answer is: the query as a Gaussian, drawn many times, and the gallery ranked for every draw.

    z_s = q + scale * e_s,    e_s ~ N(0, C),    C = lam * cov_batch + (1 - lam) * mean_person cov_person

q is the L2-normalised feature of a description and C the covariance of such features around those of other
descriptions of the same person. That features are Gaussians whose variance has a batch and an identity level is stated
by the paper's abstract; what is built on it here is inferred:

- C is a whole matrix and `lam` is 0. Descriptions of one person differ along few directions (about 16 of 128 with the
  bundled `tiny-street`), those that tell pictures apart. A diagonal spreads the noise over all of them and ranks hardly
  move: the intervals that it calls 90% hold in 42% of the cases, with the batch level mixed in half in 51%.
- `scale` and the two tables of levels make the answers honest. They come from people whose pictures are known (split
  conformal prediction: Vovk, Gammerman & Shafer 2005, section 4.2; quantiles instead of residuals as in Chernozhukov,
  Wuthrich & Zhu, "Distributional conformal prediction", PNAS 2021). What is calibrated are shares of draws, not ranks.
  Still, a larger gallery asks for a larger share: with `tiny-street` and twice the pictures a right one is among the
  first n in 74% of the cases that 80% is stated for. So shares of cases are stated in galleries up to the size of the
  calibration's. Nor do they hold for shorter descriptions: of the first 4, 8, 12 and 16 words of test captions 80% hold
  in 10, 22, 44 and 61%; nor where perhaps nobody fits: there 80% hold in 51%.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypedDict, Unpack

import numpy as np

from tireid.domain import different_words, fewest_words
from tireid.domain.conformal import FALSE_ALARMS
from tireid.explain.calibration import KnownCaptions, count_above
from tireid.explain.sureness import ABSENT, SHORT, UNCALIBRATED, UNKNOWN, Sureness
from tireid.search.encoder import Encoder, Float32s, encode
from tireid.search.gallery import Gallery
from tireid.search.index import Mask, ranks_of
from tireid.search.likeness import Likeness
from tireid.search.metrics import Features, Floats, Ids, Ints, normalised_rows, to_numpy
from tireid.search.query import check_rows, describe

__all__ = ["FLAT_ABOVE", "FLAT_LEVEL", "UNCALIBRATED", "QuerySpread", "Sureness", "how_sure"]

DEFAULT_SCALE = 2.0
"""Of an uncalibrated spread: what calibration gives for the bundled `tiny-street` and drawn captions (2.0; 2.5 with
those of its training people)."""
FLAT_LEVEL, FLAT_ABOVE = 0.8, 5
"""An answer is ambiguous if more than FLAT_ABOVE results are needed to hold a right one at FLAT_LEVEL."""
_BLOCK_BYTES = 2**20
"""Of scores that are held at a time: they stay in the cache while they are counted."""
_GRID = np.linspace(0, 1, 101)
_SCALES = tuple(float(scale) for scale in np.geomspace(0.5, 8, 13))


@dataclass(frozen=True)
class QuerySpread:
    """How features of descriptions of one person spread, and what must be asked of the draws for a stated level.

    >>> spread = QuerySpread.from_features(np.array([[1, 0], [0, 1], [0, 1], [0, 1.0]]), [7, 7, 8, 8])
    >>> spread.variance.round(2).tolist(), spread.calibrated
    ([0.25, 0.25], False)
    """

    factor: Float32s
    """(r, D), r <= D: the covariance is factor^T factor."""
    scale: float = DEFAULT_SCALE
    """Of the deviations; fitted by :meth:`calibrate`."""
    interval_levels: Floats = field(default_factory=lambda: _GRID.copy(), repr=False)
    """(101,) share of the draws that an interval must hold, to keep the levels 0, 0.01, ..., 1."""
    within_levels: Floats = field(default_factory=lambda: _GRID**5, repr=False)
    """(101,) the same for `within`; uncalibrated a curve like that of the bundled `tiny-street`."""
    pictures: int = 0
    """Of the gallery that it was calibrated on: in a larger one, no share of cases is known."""
    fewest_words: int = 0
    """Different words of a description for which shares of cases are known."""

    @property
    def calibrated(self) -> bool:
        """Whether scale and levels were measured on known people."""
        return self.pictures > 0

    @property
    def variance(self) -> Floats:
        """(D,) of each dimension, before `scale`."""
        total: Floats = np.square(self.factor.astype(np.float64)).sum(axis=0)
        return total

    @classmethod
    def from_features(cls, features: Features, person_ids: Ids, lam: float = 0.0) -> Self:
        """From features (M, D) of captions, which need not be normalised, and their people (M,).

        Raises:
            ValueError: `lam` outside 0..1, lengths that do not fit, or no person with two captions.
        """
        rows, ids = normalised_rows(features, "features"), to_numpy(person_ids)
        if not 0 <= lam <= 1:
            raise ValueError(f"lam must be between 0 and 1, not {lam}")
        if ids.shape != (len(rows),):
            raise ValueError(f"person_ids must have the shape ({len(rows)},), one per caption, not {ids.shape}")
        _, person, count = np.unique(ids, return_inverse=True, return_counts=True)
        if count.max() < 2:
            raise ValueError("no person has two captions: how captions of one person differ cannot be seen")
        means = np.zeros((len(count), rows.shape[1]))
        np.add.at(means, person, rows)
        # Every person with two captions counts the same, and each covariance is unbiased.
        several = count[person] > 1
        weight = np.sqrt((1 - lam) / ((count[person[several]] - 1) * (count > 1).sum()))
        own = (rows - means[person] / count[person, None])[several] * weight[:, None]
        everybody = (rows - rows.mean(axis=0)) * np.sqrt(lam / len(rows))
        factor: Floats = np.asarray(np.linalg.qr(np.concatenate([own, everybody]), mode="r"))
        return cls(factor.astype(np.float32))

    @classmethod
    def fit(
        cls, model: Encoder, captions: Sequence[str], person_ids: Ids, lam: float = 0.0, *, limit: int = 2000
    ) -> Self:
        """From captions of known people, such as the training split; the first `limit` are encoded."""
        features = encode(model.encode_texts, list(captions[:limit]), batch_size=128)
        return cls.from_features(features, to_numpy(person_ids)[:limit], lam)

    @classmethod
    def default(cls, model: Encoder, people: int = 100, seed: int = 0) -> Self:
        """From captions of drawn people, two from each of two sides; for galleries that come without captions."""
        from tireid.pedestrians import describe, sample_person  # loaded only where people are drawn

        captions, ids = [], []
        for person_id in range(people):
            rng = np.random.default_rng([seed, person_id])
            person = sample_person(rng)
            captions += [describe(person, rng, "street", [view]).text for view in ("front", "back") for _ in range(2)]
            ids += [person_id] * 4
        return cls.fit(model, captions, ids, limit=len(captions))

    def calibrate(
        self,
        gallery: Gallery,
        captions: Sequence[str],
        person_ids: Ids,
        *,
        features: Features | None = None,
        k: int = 10,
        limit: int = 1000,
        draws: int = 200,
        seed: int = 0,
    ) -> Self:
        """With `scale` and levels from a gallery and captions of known people, such as the validation split.

        Args:
            gallery: pictures with identities, none of them used to train the model; as many as will be searched.
            captions: M captions of people in it, two or more of each.
            person_ids: (M,).
            features: (M, D) of the captions, if they are encoded already.
            k: how many results are shown and get an interval.
            limit: so many captions, evenly spaced, are searched for.
            draws: per caption.
            seed: of the draws.

        Raises:
            ValueError: a gallery without identities, lengths that do not fit, fewer than 20 captions that have both a
                picture and another caption of their person.
        """
        known = KnownCaptions.of(gallery, captions, person_ids, features, limit)
        noise = self._noise(draws, seed) @ gallery.features.T
        few = known.queries[:: max(1, len(known.queries) // 100)]

        def held(scale: float) -> float:
            """Share of the ranks that 80% of the draws hold."""
            needs = np.concatenate([known.interval_needs(query, scale * noise, k) for query in few])
            return float((needs <= 0.8).mean())

        # The least scale that is enough. Far above it less is held again: there the query drowns in noise.
        scale = next((scale for scale in _SCALES if held(scale) >= 0.8), DEFAULT_SCALE)
        intervals = np.concatenate([known.interval_needs(query, scale * noise, k) for query in known.queries])
        within = np.array([known.within_need(query, scale * noise) for query in known.queries])
        return replace(
            self,
            scale=scale,
            interval_levels=np.quantile(intervals, _GRID),
            within_levels=np.quantile(within, _GRID, method="higher"),
            pictures=len(gallery),
            fewest_words=fewest_words(captions),
        )

    def draw(self, feature: Floats, draws: int = 200, seed: int = 0) -> Float32s:
        """`draws` draws (S, D) of the Gaussian around `feature` (D,) of length one; not normalised: no rank changes."""
        drawn: Float32s = feature.astype(np.float32) + np.float32(self.scale) * self._noise(draws, seed)
        return drawn

    def _noise(self, draws: int, seed: int) -> Float32s:
        normal = np.random.default_rng(seed).standard_normal((draws, len(self.factor)), dtype=np.float32)
        noise: Float32s = normal @ self.factor
        return noise


class Asked(TypedDict, total=False):
    """What else is known of a search."""

    allowed: Mask | None
    """(N,) pictures that took part, where the search was filtered."""
    feature: Features | None
    """(D,) of the description, where it is encoded already."""


def how_sure(
    gallery: Gallery,
    text: str,
    rows: Sequence[int] | Ints,
    spread: QuerySpread,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
    **asked: Unpack[Asked],
) -> Sureness:
    """How sure the answer `rows` to `text` is.

    Every draw ranks the whole gallery. A picture's interval spans its ranks over the draws. The picture that stands
    first in a draw is what another wording would have found; `within` is a quantile of where those stand in the answer
    itself. Which shares of the draws give `level` is told by the calibration of `spread`.

    Args:
        gallery: what was searched.
        text: the description.
        rows: (k,) rows of `gallery` that are shown, best first.
        spread: of the gallery's model, best calibrated.
        level: stated share of cases, in (0, 1).
        draws: how many.
        seed: of the draws; the same seed gives the same answer.
        asked: `allowed` and `feature`, see :class:`Asked`.

    Raises:
        ValueError: a row outside the gallery or not allowed, a level or number of draws out of range, or a spread of
            another model.

    >>> gallery = Gallery(object(), np.eye(3), ["a.jpg", "b.jpg", "c.jpg"])
    >>> spread = QuerySpread(0.1 * np.eye(3, dtype=np.float32))
    >>> sure = how_sure(gallery, "a man", [0, 1], spread, feature=np.array([1.0, 0.1, 0.0]))
    >>> sure.within, sure.ambiguous, sure.high.tolist(), sure.first.tolist()
    (1, False, [1, 3], [1.0, 0.0])
    """
    _check(gallery, spread, level, draws)
    shown, allowed = check_rows(rows, len(gallery)), asked.get("allowed")
    place = _places(shown, len(gallery), allowed)
    query = describe(gallery.model, text, asked.get("feature"))
    pictures = gallery.features if allowed is None else gallery.features[allowed]
    ranks, firsts = _rank_draws(spread.draw(query, draws, seed), pictures, place)
    low, high = _interval(ranks, float(np.interp(level, _GRID, spread.interval_levels)), len(pictures))
    standing = np.sort(ranks_of(pictures @ query.astype(np.float32))[firsts])
    within, flat = (_within(standing, spread, wanted, len(pictures)) for wanted in (level, FLAT_LEVEL))
    likeness = Likeness.of(gallery, text, query, shown, allowed)
    unknown = _unknown(text, len(pictures), spread, likeness)
    first = (firsts[:, None] == place).mean(axis=0)
    known = not (unknown or likeness.outside)
    return Sureness(low, high, first, within, flat > FLAT_ABOVE, level, draws, known, likeness, unknown or UNKNOWN)


def _unknown(text: str, pictures: int, spread: QuerySpread, likeness: Likeness) -> str:
    """Why no share of cases was measured on such a search; "" where one was."""
    if pictures > spread.pictures:
        return UNKNOWN
    if different_words(text) < spread.fewest_words:
        return SHORT.format(fewest=spread.fewest_words)
    return ABSENT if likeness.nobody is not None and likeness.nobody <= FALSE_ALARMS else ""


def _check(gallery: Gallery, spread: QuerySpread, level: float, draws: int) -> None:
    if not 0 < level < 1 or draws < 2:
        raise ValueError(f"need 0 < level < 1 and draws >= 2, not {level} and {draws}")
    if spread.factor.shape[1] != gallery.features.shape[1]:
        raise ValueError(
            f"the spread has {spread.factor.shape[1]} dimensions, the gallery's features {gallery.features.shape[1]}: "
            "fit it with the gallery's model"
        )


def _places(shown: Ints, pictures: int, allowed: Mask | None) -> Ints:
    """Where the shown rows stand among those that take part."""
    taking_part = np.arange(pictures) if allowed is None else np.flatnonzero(allowed)
    if not np.isin(shown, taking_part).all():
        raise ValueError("allowed leaves out some of the shown rows")
    places: Ints = np.searchsorted(taking_part, shown)
    return places


def _rank_draws(drawn: Float32s, pictures: Float32s, place: Ints) -> tuple[Ints, Ints]:
    """Ranks (S, k) of the pictures `place` and the picture that stands first (S,) for every draw (S, D)."""
    ranks, firsts = np.empty((len(drawn), len(place)), np.int64), np.empty(len(drawn), np.int64)
    size = max(1, _BLOCK_BYTES // (4 * len(pictures)))
    for part in (slice(begin, begin + size) for begin in range(0, len(drawn), size)):
        scores = drawn[part] @ pictures.T
        firsts[part] = scores.argmax(axis=1)
        for column, picture in enumerate(place):
            ranks[part, column] = 1 + count_above(scores, scores[:, picture])
    return ranks, firsts


def _interval(ranks: Ints, share: float, pictures: int) -> tuple[Ints, Ints]:
    """The middle `share` of ranks (S, k) over the draws; where all of them are too few, all ranks there are."""
    if share >= 1:
        return np.ones(ranks.shape[1], np.int64), np.full(ranks.shape[1], pictures)
    tail = (1 - share) / 2
    low: Ints = np.quantile(ranks, tail, axis=0, method="lower").astype(np.int64)
    high: Ints = np.quantile(ranks, 1 - tail, axis=0, method="higher").astype(np.int64)
    return low, high


def _within(standing: Ints, spread: QuerySpread, level: float, pictures: int) -> int:
    """Rank that the share of the sorted `standing` (S,) which gives `level` does not exceed."""
    share = float(np.interp(level, _GRID, spread.within_levels))
    return pictures if share > 1 else int(standing[int(np.ceil(share * (len(standing) - 1) - 1e-9))])
