"""What an error says about a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, known: Iterable[object], otherwise: str = "known") -> str:
    """The known name that was probably meant; without one like it, all of them after the words `otherwise`.

    >>> nearest("epoch", ["epochs", "seed"]), nearest("xyz", ["epochs", "seed"])
    ("did you mean 'epochs'?", 'known: epochs, seed')
    """
    names = [str(other) for other in known]
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"{otherwise}: {', '.join(names) or 'none'}"
