"""Notebooks as experiments: running one (:mod:`tireid.runner`), analysing many (:mod:`tireid.studies`)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_MODULES = ("report", "statistics", "tables")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        return import_module(f"tireid.studies.{name}")
    return getattr(import_module("tireid.runner" if name in _RUNNER else "tireid.studies"), name)


def __dir__() -> list[str]:
    return __all__
