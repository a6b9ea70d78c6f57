"""Ctrl+C while a command loads its libraries.

`TIREID_INTERRUPTS=90 python -m pytest --slow -s --timeout=0 tests/test_interrupts.py` is the longer run.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tireid.basics.processes import processors


def heed_interrupts() -> None:
    """Started in the background, a shell's children ignore Ctrl+C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("module", ["numpy.lib", "torch.nn", "transformers.models.clip.modeling_clip"])
def test_an_interrupt_while_libraries_are_loaded_ends_the_command(module: str, tmp_path: Path) -> None:
    """PyTorch swallows one that comes while it imports NumPy, or aborts: later there would be a traceback or a dump."""
    script = f"""
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

from tireid.cli import main
sys.meta_path.insert(0, Interrupt())
sys.exit(main(["search", {str(tmp_path)!r}, "a woman", "--model", "tiny"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, preexec_fn=heed_interrupts
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


GENERATE = ("generate", "data", "--people", "1000", "10", "10")
TRAIN = ("train", "--dataset", "synthetic", "--limit", "32", "--output-dir", "run", "--set", "training.workers=2")


@pytest.mark.skipif(processors() == 1, reason="the command works alone")
@pytest.mark.parametrize(("command", "seconds"), [(GENERATE, 0.0), (GENERATE, 0.5), (GENERATE, 2.0), (TRAIN, 0.5)])
def test_an_interrupt_is_told_once_whatever_processes_work_for_the_command(
    command: tuple[str, ...], seconds: float, tmp_path: Path
) -> None:
    """A terminal tells a Ctrl+C to the whole group: while the workers load, and while they draw."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tireid", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        cwd=tmp_path,
    )
    parent, end = psutil.Process(process.pid), time.monotonic() + 60
    while sum("spawn_main" in " ".join(child.cmdline()) for child in parent.children()) < min(2, processors()):
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(seconds)
    workers = parent.children()
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.endswith("interrupted\n")
    assert "Traceback" not in said
    assert not psutil.wait_procs(workers, timeout=30)[1]


@pytest.mark.slow
def test_an_interrupt_at_any_moment_of_a_start_ends_the_demo(tmp_path: Path) -> None:
    pytest.importorskip("voila", reason="the page needs the extra `demo`")
    moments = random.Random(0)
    ends = Counter[tuple[int, str]]()
    for number in range(int(os.environ.get("TIREID_INTERRUPTS", "8"))):
        demo = subprocess.Popen(
            [sys.executable, "-m", "tireid", "demo", "--no-browser"],
            env=os.environ | {"TIREID_CACHE": str(tmp_path / str(number))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )
        assert demo.stdout is not None
        demo.stdout.readline()  # the address: from here on a user may change her mind
        time.sleep(moments.uniform(0, 2.5))
        demo.send_signal(signal.SIGINT)
        said = demo.communicate(timeout=60)[1]
        ends[demo.returncode, said.strip().rpartition("\n")[2]] += 1
    print(ends)
    assert ends.keys() <= {(130, "interrupted"), (0, "")}  # 0 where the server ran already
