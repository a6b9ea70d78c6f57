"""Many runs as one study: arms and seeds, their results, honest statistics, tables and reports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tireid.studies.convergence import convergence, readable_convergence
from tireid.studies.published import PUBLISHED
from tireid.studies.results import Results
from tireid.studies.study import Study, StudyError
from tireid.studies.sweep import Sweep, collect, sweep

if TYPE_CHECKING:
    from tireid.studies.report import curves_figure, differences_figure, write_report
    from tireid.studies.tables import (
        comparisons,
        cost,
        label,
        readable_comparisons,
        readable_cost,
        readable_summary,
        reading,
        summary,
        validation,
    )

__all__ = [
    "PUBLISHED",
    "Results",
    "Study",
    "StudyError",
    "Sweep",
    "collect",
    "comparisons",
    "convergence",
    "cost",
    "curves_figure",
    "differences_figure",
    "label",
    "readable_comparisons",
    "readable_convergence",
    "readable_cost",
    "readable_summary",
    "reading",
    "summary",
    "sweep",
    "validation",
    "write_report",
]

_OF_REPORT = ("curves_figure", "differences_figure", "write_report")


def __getattr__(name: str) -> Any:
    # A sweep needs neither scipy nor matplotlib.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tireid.studies.{'report' if name in _OF_REPORT else 'tables'}"), name)
