"""Work that may wait: done when nobody asks for something else any more, in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import TypeVar

T = TypeVar("T")


class Later:
    """Does the last thing that it was asked for; an answer that came too late is not shown.

    Args:
        wait: seconds without another call before the work begins.
    """

    def __init__(self, wait: float) -> None:
        self._wait, self._lock, self._newer = wait, Lock(), Event()
        self._worker: Thread | None = None

    def ask(self, work: Callable[[], T], show: Callable[[T], None]) -> None:
        """Forget what was asked for before, and `show` the result of `work`, soon; returns at once."""
        self.forget()
        self._worker = Thread(target=self._run, args=(work, show, self._newer))
        self._worker.start()

    def forget(self) -> None:
        """What was asked for is not wanted any more."""
        with self._lock:
            self._newer.set()
            self._newer = Event()

    def finish(self) -> None:
        """Wait for the work."""
        if self._worker is not None:
            self._worker.join()

    def _run(self, work: Callable[[], T], show: Callable[[T], None], newer: Event) -> None:
        if newer.wait(self._wait):
            return
        result = work()
        with self._lock:
            if not newer.is_set():
                show(result)
