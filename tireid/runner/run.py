"""Run a notebook from start to end with checked parameters, and leave a folder that explains itself.

::

    runs/06_train/
      06_train.ipynb     the executed notebook (up to the failing cell, when one failed)
      06_train.html      the same as a report: one file, opens without a network
      metrics.json       what the notebook displayed with `show_metrics`
      provenance.json    code, versions, machine, parameters, times, outcome
      files/             what the notebook itself wrote (its `output_dir`)
      DONE               written last, only when every cell ran

The kernel's working directory is the notebook's own folder, as in JupyterLab, so that relative paths mean the same in
both. A notebook that declares `output_dir: str` gets the `files` folder of its run, as a path relative to the notebook.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from tireid.basics.arguments import LIMIT
from tireid.basics.files import read_json, writable, write_atomically, write_json
from tireid.runner.identity import fingerprints
from tireid.runner.metrics import collect_metrics, metrics_text, rounded
from tireid.runner.notebook import code_hash, read_notebook, source_hash
from tireid.runner.parameters import check_values, declared_in, load_profile
from tireid.runner.provenance import environment

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from tireid.runner.execution import NotebookError

DONE = "DONE"


class How(TypedDict, total=False):
    """How a notebook is run."""

    timeout: float | None
    """Limit of the whole run in seconds."""
    html: bool
    """Also write the report (the default)."""
    log: bool
    """Show the notebook's output as it comes (the default)."""
    progress: bool
    """Keep lines of progress among the outputs (the default)."""


@dataclass(frozen=True)
class RunResult:
    """A finished (or, with `check=False`, failed) run.

    >>> RunResult(Path("runs/a"), Path("runs/a/a.ipynb"), {"seed": 1}, {"R@1": 61.5}, {}).metrics["R@1"]
    61.5
    """

    output_dir: Path
    notebook: Path
    """The executed notebook."""
    parameters: dict[str, Any]
    """Every parameter with the value it had."""
    metrics: dict[str, Any]
    provenance: dict[str, Any] = field(repr=False)
    html: Path | None = None
    error: NotebookError | None = None
    skipped: bool = False
    """True when an earlier run with the same notebook and parameters was read back."""

    @property
    def ok(self) -> bool:
        """Whether every cell ran."""
        return self.error is None

    def __str__(self) -> str:
        outcome = "skipped, already done" if self.skipped else "done" if self.ok else f"failed: {self.error}"
        table = metrics_text(rounded(self.metrics, 4))
        where = f"\nreport: {self.html}" if self.html else f"\nnotebook: {self.notebook}"
        return f"{table}\n{self.notebook.name}: {outcome} ({self.provenance['seconds']:.0f} s){where}"


def run(
    notebook: str | Path,
    params: Mapping[str, Any] | None = None,
    *,
    profile: str | Path | None = None,
    output_dir: str | Path | None = None,
    check: bool = True,
    skip_done: bool = False,
    **how: Unpack[How],
) -> RunResult:
    """Execute `notebook` with `params` and write the folder that this module describes.

    Args:
        notebook: path of the `.ipynb`; the file itself is never changed.
        params: values by name; they win over those of `profile`.
        profile: `ci` for `profiles/ci.yaml` beside the notebook, or the path of such a file.
        output_dir: the run's folder; by default `../runs/<name>` seen from the notebook.
        check: raise when the notebook fails; otherwise the error is in the result.
        skip_done: return an earlier run from `output_dir` if it was finished with the same notebook and parameters.
        how: see :class:`How`.

    Raises:
        ParameterError: before anything is executed or written, for unknown names, wrong types, a bad profile.
        ValueError: likewise, for a file that is no notebook, a time limit of nothing, the notebook's own folder.
        NotebookError: a cell failed, the time was up or the kernel died; everything computed is kept, without `DONE`.
            Whatever `check` says, if the executed notebook cannot be written: a full disk, a folder that was removed.

    >>> result = run("notebooks/06_train.ipynb", {"epochs": 5}, output_dir="runs/five")  # doctest: +SKIP
    >>> result.metrics["test"]["t2i/R@1"]                                                # doctest: +SKIP
    """
    timeout = how.get("timeout")
    if timeout is not None:
        LIMIT("timeout", timeout)
    task = _Task.prepare(Path(notebook), params or {}, profile, output_dir)
    if skip_done and (earlier := task.earlier()):
        return earlier
    result = task.execute(**how)
    if check and result.error:
        raise result.error
    return result


@dataclass(frozen=True)
class _Task:
    """One notebook with checked parameters and a folder to run into."""

    source: Path
    nb: NotebookNode
    profile: str | None
    folder: Path
    changed: dict[str, Any]
    parameters: dict[str, Any]
    parts: dict[str, str]
    """The code and preset files from outside that the parameters name, see :mod:`tireid.runner.identity`."""

    @classmethod
    def prepare(
        cls, source: Path, params: Mapping[str, Any], profile: str | Path | None, output_dir: str | Path | None
    ) -> _Task:
        source = source.resolve()
        nb, declared = declared_in(source)
        changed = check_values(load_profile(profile, source), declared, f"profile {profile}: ") if profile else {}
        changed |= check_values(params, declared)
        folder = Path(output_dir) if output_dir else source.parent.parent / "runs" / source.stem
        folder = folder.resolve()
        if folder == source.parent:
            raise ValueError(f"{folder}: the run's folder must not be the notebook's own, it would be overwritten")
        output = declared.get("output_dir")
        if "output_dir" not in params and output is not None and output.type == "str":
            changed["output_dir"] = _relative(folder / "files", source.parent)
        parameters = {name: parameter.default for name, parameter in declared.items()} | changed
        parts = fingerprints(parameters, source.parent)
        return cls(source, nb, None if profile is None else str(profile), folder, changed, parameters, parts)

    def execute(self, *, html: bool = True, progress: bool = True, **how: Any) -> RunResult:
        from tireid.runner.execution import NotebookError, execute  # needs the notebooks extra

        writable(self.folder).mkdir(parents=True, exist_ok=True)
        for stale in (DONE, "metrics.json", "provenance.json", self.report.name):
            (self.folder / stale).unlink(missing_ok=True)
        before = environment(self.source.parent)
        started, clock, error = datetime.now(UTC), time.monotonic(), None
        try:
            folder, name, shown = self.source.parent, self.source.name, "log" if progress else "off"
            execute(self.nb, name, folder, output=self.target, values=self.changed, progress=shown, **how)
        except NotebookError as failure:
            error = failure
        seconds = time.monotonic() - clock
        try:
            metrics = collect_metrics(read_notebook(self.target))
        except (OSError, ValueError):
            raise error or RuntimeError(f"{self.target} was changed while it ran") from None
        provenance = self._provenance(before, metrics, started, seconds, error)
        write_json(self.folder / "metrics.json", metrics)
        write_json(self.folder / "provenance.json", provenance)
        if html:
            from tireid.runner.export import export_html

            export_html(self.target, self.report, pictures=self.source.parent, provenance=provenance)
        if error is None:
            write_atomically(self.folder / DONE, f"{provenance['ended']}\n")
        return self._result(metrics, provenance, error=error)

    def earlier(self) -> RunResult | None:
        """The finished run that the folder holds, if it is one of this notebook with these parameters."""
        if not (self.folder / DONE).exists():
            return None
        provenance = read_json(self.folder / "provenance.json")
        asked, source = self.parameters, source_hash(self.nb)
        same = provenance.get("parameters") == asked and provenance.get("source_sha256") == source
        if not same or provenance.get("parts", {}) != self.parts:
            return None
        return self._result(read_json(self.folder / "metrics.json"), provenance, skipped=True)

    @property
    def target(self) -> Path:
        return self.folder / self.source.name

    @property
    def report(self) -> Path:
        return self.target.with_suffix(".html")

    def _result(
        self,
        metrics: dict[str, Any],
        provenance: dict[str, Any],
        error: NotebookError | None = None,
        skipped: bool = False,
    ) -> RunResult:
        html = self.report if self.report.exists() else None
        return RunResult(self.folder, self.target, self.parameters, metrics, provenance, html, error, skipped)

    def _provenance(
        self,
        before: dict[str, Any],
        metrics: dict[str, Any],
        started: datetime,
        seconds: float,
        error: Exception | None,
    ) -> dict[str, Any]:
        return {
            "notebook": self.source.name,
            "source_sha256": source_hash(self.nb),
            "code_sha256": code_hash(self.nb),
            "parameters": self.parameters,
            "parts": self.parts,
            "changed": sorted(self.changed),
            "profile": self.profile,
            "seed": self.parameters.get("seed"),
            "data": metrics.get("data"),
            **before,
            "started": started.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "outcome": "done" if error is None else "failed",
            "error": None if error is None else str(error),
        }


def _relative(path: Path, start: Path) -> str:
    """Relative where the file system allows it, so that no machine's paths end up in outputs."""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()
