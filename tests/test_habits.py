"""The files that people expect beside the code say what the code does."""

from __future__ import annotations

import copy
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

import tireid
from tests import house
from tireid.runner.refresh import clean


def text(name: str) -> str:
    return (house.ROOT / name).read_text(encoding="utf-8")


def test_the_table_of_folders_is_the_folders_in_the_order_of_the_layers() -> None:
    listed = re.findall(r"^\| `tireid/(\w+)/` \|", text("CONTRIBUTING.md"), flags=re.MULTILINE)
    assert set(listed) == {path.parent.name for path in house.PACKAGE.glob("*/__init__.py")}
    assert listed == [layer for layer in house.layers() if layer in listed]


def test_the_reference_describes_every_folder_with_public_names() -> None:
    described = set(re.findall(r"^\.\. automodule:: tireid\.(\w+)$", text("docs/api.md"), flags=re.MULTILINE))
    rooms = {path.parent.name for path in house.PACKAGE.glob("*/__init__.py")}
    assert described == {room for room in rooms if "__all__ = " in text(f"tireid/{room}/__init__.py")}


def test_the_version_is_the_same_everywhere() -> None:
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"title", "message", "authors", "license"} <= citation.keys()
    assert "version" not in house.project()
    assert house.project()["dynamic"] == ["version"]
    assert house.pyproject()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "tireid.__version__"}
    assert citation["version"] == tireid.__version__
    assert re.search(rf"^## {re.escape(tireid.__version__)}$", text("CHANGELOG.md"), flags=re.MULTILINE)


def test_the_workflow_runs_what_ci_runs() -> None:
    jobs = yaml.safe_load(text(".github/workflows/ci.yml"))["jobs"]
    steps = [step.get("run") for job in jobs.values() for step in job["steps"]]
    assert "bash .ci/run" in steps


def test_the_commit_hook_cleans_notebooks_as_the_refresh_does(tmp_path: Path) -> None:
    (repository,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    hooks = {hook["id"]: shlex.split(hook["entry"]) for hook in repository["hooks"]}
    notebook = nbformat.read(house.ROOT / "notebooks" / "04_circle_loss.ipynb", as_version=4)
    assert clean(notebook) == notebook
    dirty = copy.deepcopy(notebook)
    dirty.metadata["papermill"] = {"duration": 1.0}
    dirty.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    for cell in dirty.cells:
        cell.metadata |= {"papermill": {}, "execution": {"iopub.status.busy": "now"}, "collapsed": False}
    assert clean(dirty) == notebook
    nbformat.write(dirty, tmp_path / "dirty.ipynb")
    command = [sys.executable, "-m", "nbstripout", *hooks["nbstripout"][1:], str(tmp_path / "dirty.ipynb")]
    subprocess.run(command, check=True)
    assert nbformat.read(tmp_path / "dirty.ipynb", as_version=4) == notebook


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text(name))
    assert [target for target in targets if not (house.ROOT / target).exists()] == []
