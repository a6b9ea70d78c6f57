"""Run one notebook: checked parameters, execution, provenance, a report to open anywhere."""

from typing import TYPE_CHECKING

from tireid.basics.lazy import lazily
from tireid.runner.metrics import show_metrics
from tireid.runner.parameters import ParameterError
from tireid.runner.run import RunResult, run

if TYPE_CHECKING:
    from tireid.runner.export import export_html

__all__ = ["ParameterError", "RunResult", "export_html", "run", "show_metrics"]

# nbconvert belongs to the notebooks extra and takes seconds to import; `import tireid` must not need it.
__getattr__, __dir__ = lazily(__name__, {"tireid.runner.export": ("export_html",)})
