"""The garbage collector, out of the way of what is loaded once and stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """For many objects that all stay: else the collector looks for cycles among them again and again.

    Afterwards they count as old at once, so that only a full collection looks at them.

    >>> with collector_paused():
    ...     words = [["a", "man"] for _ in range(1000)]
    >>> gc.isenabled()
    True
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # whoever froze objects wants them to stay so
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        if running:
            gc.enable()
