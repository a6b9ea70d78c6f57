"""One progress helper: a notebook bar when someone watches, a line now and then when nobody does.

`tqdm.auto` stays at 0% in the log of a headless notebook, so a run without a terminal gets plain lines instead. The
environment variable `TIREID_PROGRESS` (`bar`, `log` or `off`) overrides the choice; the notebook runner sets `log`.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any

from tqdm.auto import tqdm

SECONDS_BETWEEN_LINES = 10.0


def progress_mode() -> str:
    """`bar`, `log` or `off`: the environment's word, else a bar in a notebook or a terminal and lines elsewhere."""
    chosen = os.environ.get("TIREID_PROGRESS", "")
    if chosen in ("bar", "log", "off"):
        return chosen
    return "bar" if _in_notebook() or sys.stderr.isatty() else "log"


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Progress:
    """Counts steps of known number; use it as a context manager.

    >>> with Progress(2, "demo", mode="off") as bar:
    ...     bar.update(loss=0.5)
    ...     bar.update(loss=0.4)
    >>> bar.done
    2
    """

    def __init__(self, total: int, label: str, *, initial: int = 0, mode: str | None = None) -> None:
        self.total, self.label, self.done = total, label, initial
        self.mode = mode or progress_mode()
        self._initial = initial
        self._started = self._printed = time.monotonic()
        self._bar: Any = tqdm(total=total, desc=label, initial=initial) if self.mode == "bar" else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, n: int = 1, **figures: float) -> None:
        """Advance by `n` and show `figures`."""
        self.done += n
        if self._bar is not None:
            if figures:
                self._bar.set_postfix({name: f"{value:.3g}" for name, value in figures.items()}, refresh=False)
            self._bar.update(n)
        elif self.mode == "log" and n > 0:
            now = time.monotonic()
            if self.done >= self.total or now - self._printed >= SECONDS_BETWEEN_LINES:
                self._printed = now
                print(self._line(now, figures), flush=True)

    def to(self, done: int, total: int) -> None:
        """Set the position: the shape of an `on_progress(done, total)` callback."""
        if self._bar is not None and self._bar.total != total:
            self._bar.total = total
        self.total = total
        self.update(done - self.done)

    def _line(self, now: float, figures: dict[str, float]) -> str:
        spent = now - self._started
        left = spent / max(1, self.done - self._initial) * (self.total - self.done)
        shown = "".join(f"  {name} {value:.3g}" for name, value in figures.items())
        return f"{self.label}  {self.done}/{self.total}  {_clock(spent)} spent, {_clock(left)} left{shown}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
