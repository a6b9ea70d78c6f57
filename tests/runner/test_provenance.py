from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from tireid.runner.provenance import environment, git_state


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_git_state_sees_commit_changes_and_no_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert git_state(tmp_path) is None  # no commit yet
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "one")
    state = {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    assert git_state(tmp_path) == state
    (tmp_path / "b").write_text("untracked")
    assert git_state(tmp_path) == state | {"dirty": True}
    assert git_state(Path("/")) is None


def test_environment_names_versions_and_machine() -> None:
    found = json.loads(json.dumps(environment(Path(__file__).parent)))
    assert found["versions"]["python"] == sys.version.split()[0]
    assert found["versions"]["numpy"] == np.__version__
    assert {"torch", "transformers", "tireid"} <= set(found["versions"])
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["memory_gib"] > 0.1
    assert found["machine"]["cpu"]
