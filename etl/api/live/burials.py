"""Runs whose process has died are ended, also where no worker runs that would do it."""

from __future__ import annotations

import structlog

from etl.errors import EtlError
from etl.redaction import redact
from etl.repeating import Repeating
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger

INTERVAL_SECONDS = 15.0
PATIENCE_SECONDS = 20.0
"""As long as a statement of the page may take, and its lock."""

log = structlog.get_logger(__name__)


class Burials(Repeating):
    """A thread of its own: a lock that it waits for keeps nobody's stream waiting."""

    def __init__(self, database: StagingDatabase) -> None:
        super().__init__("burials", INTERVAL_SECONDS, PATIENCE_SECONDS)
        self._ledger = StagingLedger(database)
        self._database = database
        self._is_in_trouble = False

    def again(self) -> bool:
        try:
            for run_id in self._ledger.bury_dead_runs():
                log.warning("run has died", run_id=run_id)
            self._is_in_trouble = False
        except EtlError as error:
            if not self._is_in_trouble:
                log.warning("dead runs cannot be looked for", error=redact(error.message))
            self._is_in_trouble = True
        return True

    def close(self) -> None:
        """After its block."""
        self._database.close()
