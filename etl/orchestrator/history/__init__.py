"""Logs of what ran before the orchestrator, as runs of its jobs."""

from etl.orchestrator.history.importing import ImportReport, import_history

__all__ = ["ImportReport", "import_history"]
