"""Run one notebook: checked parameters, execution, provenance, a report to open anywhere."""

from typing import TYPE_CHECKING, Any

from tireid.runner.metrics import show_metrics
from tireid.runner.parameters import ParameterError
from tireid.runner.run import RunResult, run

if TYPE_CHECKING:
    from tireid.runner.export import export_html

__all__ = ["ParameterError", "RunResult", "export_html", "run", "show_metrics"]


def __getattr__(name: str) -> Any:
    # nbconvert belongs to the notebooks extra and takes seconds to import; `import tireid` must not need it.
    if name == "export_html":
        from tireid.runner.export import export_html

        return export_html
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
