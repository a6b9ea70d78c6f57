"""Many runs as one study: arms and seeds, their results, honest statistics, tables and reports."""

from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily
from tireid.studies.convergence import convergence, readable_convergence
from tireid.studies.published import PUBLISHED
from tireid.studies.results import Results
from tireid.studies.study import Study, StudyError
from tireid.studies.sweep import Sweep, collect, sweep

if TYPE_CHECKING:
    from tireid.studies.indexing import index
    from tireid.studies.report import curves_figure, differences_figure, write_report
    from tireid.studies.tables import (
        agreement,
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
    "agreement",
    "collect",
    "comparisons",
    "convergence",
    "cost",
    "curves_figure",
    "differences_figure",
    "index",
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

# A sweep needs neither scipy nor matplotlib.
_OF_REPORT = ("curves_figure", "differences_figure", "write_report")
_PLACES = {"tireid.studies.tables": __all__, "tireid.studies.report": _OF_REPORT, "tireid.studies.indexing": ("index",)}
__getattr__, __dir__ = lazily(__name__, _PLACES)
