"""Whatever strangers hand over is read or refused with the one documented error, within a second.

A long run: `TIREID_FUZZ=1000000 python -m pytest -s --slow --timeout=0 tests/boundaries`. With atheris installed
`python -m tests.boundaries.guided NAME -runs=1000000` is guided by the code that an input reaches.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.boundaries.target import TOKENS, Target
from tests.boundaries.targets import TARGETS

MANY = int(os.environ.get("TIREID_FUZZ", "4500"))


def run(target: Target, count: int, seed: int) -> float:
    """The share of `count` damaged inputs that came through."""
    rng, passed = random.Random(seed), 0
    for _ in range(count):
        content = target.mutation(rng)
        try:
            passed += target.passes(content)
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {str(error)!a}\n{content[:2000]!r}") from None
    return passed / count


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_whole_passes(name: str) -> None:
    assert TARGETS[name].passes(TARGETS[name].seed)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_read_or_refused(name: str) -> None:
    assert run(TARGETS[name], 100, seed=1) < 1 or name in ("query", "page")


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=12), st.text(max_size=9).map(str.encode))))
def test_made_up_input_is_read_or_refused(name: str, parts: list[bytes]) -> None:
    TARGETS[name].passes(b"".join(parts))


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", TARGETS)
def test_many_damaged_inputs(name: str) -> None:
    for begin in range(0, MANY, 10_000):
        run(TARGETS[name], min(10_000, MANY - begin), seed=2 + begin)
        print(f"{name}: {min(begin + 10_000, MANY):,} inputs", flush=True)
