"""Small pictures for the page: decoded when first shown, in threads, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from tireid.show import cards
from tireid.show.cards import Shown

KEPT, BUDGET = 4096, 0.03


class Thumbnails:
    """JPEG thumbnails as data addresses; a picture that cannot be read, or has no path, has None.

    :meth:`now` waits no longer than `BUDGET` seconds: a ranking is never held up by the decoding of its pictures.
    What is not ready then is made in the background, and `later` is called once when all of it is there.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[Path, bool], Future[str | None]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="thumbnails")
        self._following: list[Future[None]] = []

    def now(self, pictures: Iterable[Shown], later: Callable[[], None] | None = None) -> dict[Path, str | None]:
        """Those of one gallery's `pictures` that are ready in time: by their path the address or None.

        With `later` None, waits for all of them.
        """
        wanted = {shown.path: self._begin(shown.path, shown.upright) for shown in pictures if shown.path is not None}
        _, missing = wait(wanted.values(), None if later is None else BUDGET)
        if missing and later is not None:
            # Threads take what was submitted first, so that this one never waits for a picture that nobody makes.
            self._following.append(self._threads.submit(self._then, missing, later))
        return {path: future.result() for path, future in wanted.items() if future not in missing}

    def one(self, picture: Shown) -> str | None:
        """That of one picture, however long it takes."""
        return next(iter(self.now([picture]).values()), None)

    def finish(self) -> None:
        """Wait for what is being made in the background, and for the calls that follow it."""
        while self._following:
            self._following.pop().result()

    def _begin(self, path: Path, upright: bool) -> Future[str | None]:
        key = (path, upright)
        if key not in self._made:
            while len(self._made) >= KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[key] = self._threads.submit(cards.thumbnail, path, upright=upright)
        return self._made[key]

    @staticmethod
    def _then(missing: Iterable[Future[str | None]], later: Callable[[], None]) -> None:
        wait(missing)
        later()
