"""Logs of what ran before the orchestrator, as runs of its jobs."""

from etl.orchestrator.history.importing import ImportReport, import_history
from etl.orchestrator.history.rows import check_log

__all__ = ["ImportReport", "check_log", "import_history"]
