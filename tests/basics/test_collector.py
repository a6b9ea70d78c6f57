"""What is loaded once and stays is not searched for garbage while it is loaded."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from tireid.basics.collector import collector_paused

LOADING = """
import gc
import torch, pandas
before = gc.get_stats()[2]["collections"]
import tireid.train, tireid.model
print(gc.get_stats()[2]["collections"] - before)
"""


def test_it_is_off_inside_and_as_it_was_outside() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), collector_paused():
        1 / 0  # noqa: B018
    assert gc.isenabled()


def test_what_was_made_inside_is_old_and_still_collected() -> None:
    with collector_paused():
        ring: list[object] = []
        ring.append(ring)
    assert any(thing is ring for thing in gc.get_objects(generation=2))
    assert gc.get_freeze_count() == 0
    gc.collect()
    del ring
    assert gc.collect() == 1


def test_what_others_froze_stays_frozen() -> None:
    """Told by one object: another thread may end the life of others in between, and lower their count."""
    mine: list[object] = []
    gc.freeze()
    try:
        with collector_paused():
            pass
        assert gc.get_freeze_count() > 0
        assert not any(thing is mine for thing in gc.get_objects()), "it is in a generation again"
    finally:
        gc.unfreeze()


def test_loading_a_model_looks_through_all_objects_not_even_once() -> None:
    done = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]
