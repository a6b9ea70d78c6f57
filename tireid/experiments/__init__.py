"""Notebooks as experiments: run with checked parameters, record where a result came from, export a report."""

from typing import TYPE_CHECKING, Any

from tireid.experiments.metrics import show_metrics
from tireid.experiments.parameters import ParameterError
from tireid.experiments.results import Results
from tireid.experiments.runner import RunResult, run
from tireid.experiments.study import Study, StudyError
from tireid.experiments.sweep import Sweep, collect, sweep

if TYPE_CHECKING:
    from tireid.experiments.export import export_html

__all__ = [
    "ParameterError",
    "Results",
    "RunResult",
    "Study",
    "StudyError",
    "Sweep",
    "collect",
    "export_html",
    "run",
    "show_metrics",
    "sweep",
]


def __getattr__(name: str) -> Any:
    # nbconvert belongs to the notebooks extra and takes seconds to import; `import tireid` must not need it.
    if name == "export_html":
        from tireid.experiments.export import export_html

        return export_html
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
