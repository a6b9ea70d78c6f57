"""What a model was trained on, and whether pictures, words and answers are of that kind.

Nothing here knows a model: features come in as arrays. :func:`tireid.explain.domain.learn` measures a model.
"""

from tireid.domain.pictures import Pictures, picture_statistics
from tireid.domain.presence import Presence
from tireid.domain.record import Domain, Held, describe
from tireid.domain.words import Words, different_words, fewest_words, split_words

__all__ = [
    "Domain",
    "Held",
    "Pictures",
    "Presence",
    "Words",
    "describe",
    "different_words",
    "fewest_words",
    "picture_statistics",
    "split_words",
]
