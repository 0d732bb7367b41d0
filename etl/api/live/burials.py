"""Runs whose process has died are ended, also where no worker runs that would do it."""

from __future__ import annotations

import threading

import structlog

from etl.errors import EtlError
from etl.redaction import redact
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger

INTERVAL_SECONDS = 15.0

log = structlog.get_logger(__name__)


class Burials:
    """A thread of its own: a lock that it waits for keeps nobody's stream waiting."""

    def __init__(self, database: StagingDatabase) -> None:
        self._ledger = StagingLedger(database)
        self._database = database
        self._ended = threading.Event()
        self._is_in_trouble = False
        self._thread = threading.Thread(target=self._bury_again_and_again, name="burials", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._database.close()

    def _bury_again_and_again(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            try:
                for run_id in self._ledger.bury_dead_runs():
                    log.warning("run has died", run_id=run_id)
                self._is_in_trouble = False
            except EtlError as error:
                if not self._is_in_trouble:
                    log.warning("dead runs cannot be looked for", error=redact(error.message))
                self._is_in_trouble = True
