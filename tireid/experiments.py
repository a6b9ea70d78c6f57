"""Notebooks as experiments: running one (:mod:`tireid.runner`), analysing many (:mod:`tireid.studies`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily

if TYPE_CHECKING:
    from tireid.runner import ParameterError, RunResult, export_html, run, show_metrics
    from tireid.studies import Results, Study, StudyError, Sweep, collect, report, statistics, sweep, tables

__all__ = [
    "ParameterError",
    "Results",
    "RunResult",
    "Study",
    "StudyError",
    "Sweep",
    "collect",
    "export_html",
    "report",
    "run",
    "show_metrics",
    "statistics",
    "sweep",
    "tables",
]

_RUNNER = ("ParameterError", "RunResult", "export_html", "run", "show_metrics")
__getattr__, __dir__ = lazily(__name__, {"tireid.studies": __all__, "tireid.runner": _RUNNER})
