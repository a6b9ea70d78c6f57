"""Many runs as one study: arms and seeds, their results, honest statistics, tables and reports."""

from tireid.studies.results import Results
from tireid.studies.study import Study, StudyError
from tireid.studies.sweep import Sweep, collect, sweep

__all__ = ["Results", "Study", "StudyError", "Sweep", "collect", "sweep"]
