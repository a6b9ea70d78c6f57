"""Where a result came from: code, versions, machine, inputs and time."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tireid.basics.processes import processors

PACKAGES = (
    "tireid", "torch", "transformers", "tokenizers", "accelerate", "safetensors", "kornia", "numpy", "pandas", "pillow",
    "papermill", "ipykernel",
)  # fmt: skip


def environment(folder: str | Path) -> dict[str, Any]:
    """Git state of `folder`'s repository, package versions and machine, as plain JSON.

    >>> sorted(environment("."))
    ['git', 'machine', 'versions']
    """
    return {"git": git_state(folder), "versions": versions(), "machine": machine()}


def git_state(folder: str | Path) -> dict[str, Any] | None:
    """`commit` and whether the tree was `dirty` (changed or untracked files); None outside a repository."""
    commit = _output(["git", "-C", str(folder), "rev-parse", "HEAD"])
    if commit is None:
        return None
    return {"commit": commit, "dirty": _output(["git", "-C", str(folder), "status", "--porcelain"]) != ""}


def versions() -> dict[str, str]:
    """Python and the packages that numbers depend on; one that is not installed is left out."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in GiB, GPUs (asked of nvidia-smi, so that none is claimed)."""
    gpus = _output(["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]) or ""
    return {
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "cores": processors(),
        "memory_gib": _memory_gib(),
        "gpus": gpus.splitlines(),
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _output(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
