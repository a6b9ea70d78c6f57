"""The highest R@1 that text can reach on drawn people: among those whom a caption fits best, nobody can choose."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log
from pathlib import Path

import numpy as np
import pandas as pd

from tireid.basics.files import read_json
from tireid.pedestrians import words
from tireid.pedestrians.phrases import HABITS, TYPE_RATE, Habits, vague_types


def stated_likelihood(key: str, told: str, true: str | None, habits: Habits) -> float:
    """Probability that somebody who speaks of the attribute `key` says `told` where `true` is right (None: not there).

    >>> from tireid.pedestrians.phrases import HABITS
    >>> [round(stated_likelihood("bag.colour", told, "red", HABITS["street"]), 4) for told in ("red", "bright", "pink")]
    [0.8924, 0.0776, 0.01]
    """
    part, _, name = key.partition(".")
    if true is None:
        return 0.0
    if name == "type" and part != "beard":
        others, vague, rate = words.TYPE_NEIGHBOURS.get(true, ()), vague_types(part, true), TYPE_RATE
    elif name in ("colour", "second", "inner") and part != "hair":
        others, vague, rate = words.NEIGHBOURS[true], (words.VAGUE_OF[true],), 1.0
    else:
        return float(told == true)
    mistake = rate * habits.mistake * bool(others)
    vaguely = (1 - mistake) * rate * habits.vague * bool(vague)
    right = (1 - mistake - vaguely) * (told == true)
    return right + mistake * others.count(told) / max(len(others), 1) + vaguely * vague.count(told) / max(len(vague), 1)


def text_ceiling(folder: str | Path, split: str = "test") -> pd.DataFrame:
    """What a ranker finds that knows how everybody is drawn, and what each caption states, for drawn data in `folder`.

    It ranks the pictures of `split` by the likelihood of the caption's statements given the true attributes of the
    person shown: some statements are vague, some are mistaken, and it knows how often, but not which. Pictures that tie
    stand in any order, so a caption counts as the share of right ones among the best. What captions leave out, and
    which of several words they choose, tells it nothing.

    Returns a row per caption in the order of the split: `person`, `text`, `hit` (in percent; its mean is R@1) and
    `fit` (people who fit best). Raises FileNotFoundError for data without ground truth.
    """
    truth, options = (read_json(Path(folder) / name) for name in ("ground_truth.json", "generator.json"))
    habits, images = HABITS[options["style"]], [image for image in truth["images"] if image["split"] == split]
    shown = np.array([image["id"] for image in images])
    people = {person: truth["people"][str(person)] for person in dict.fromkeys(shown.tolist())}
    rows = []
    for image in images:
        for caption in image["captions"]:
            fits = {person: _log_likelihood(caption["mentioned"], wears, habits) for person, wears in people.items()}
            highest = max(fits.values())
            best = [person for person, value in fits.items() if value > highest - 1e-9]
            hit = 100 * (shown == image["id"]).sum() / np.isin(shown, best).sum() if image["id"] in best else 0.0
            rows.append((image["id"], caption["text"], hit, len(best)))
    return pd.DataFrame(rows, columns=["person", "text", "hit", "fit"])


def _log_likelihood(mentioned: Mapping[str, str], wears: Mapping[str, str], habits: Habits) -> float:
    total = 0.0
    for key, told in mentioned.items():
        probability = stated_likelihood(key, told, wears.get(key), habits)
        if not probability:
            return -inf
        total += log(probability)
    return total
