"""Ending processes as a power failure does."""

from __future__ import annotations

from collections.abc import Iterable

import psutil


def kill_with_descendants(processes: Iterable[psutil.Process]) -> None:
    """Kill processes and all that they started, at once; those that are gone already do not matter."""
    victims: list[psutil.Process] = []
    for process in processes:
        try:
            victims += [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            continue
    for victim in victims:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(victims, timeout=10)
