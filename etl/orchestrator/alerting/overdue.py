"""What no end of a run tells of: runs that do not start, and attempts that do not end."""

from __future__ import annotations

import structlog

from etl.alerts.outbox import give_up_old
from etl.orchestrator.database.database import OrchestratorDatabase

log = structlog.get_logger(__name__)


def tell_of_overdue(database: OrchestratorDatabase) -> int:
    """How many alerts of late and stuck runs were written; each run is told once of. A step of every scheduler."""
    written = database.at_once("tell_of_overdue")
    for alert in give_up_old(database):
        log.error("alert given up", **alert)
    return len(written)
