"""A run's heartbeat: keeps its totals fresh in the ledger, and hears there whether somebody has cancelled it."""

from __future__ import annotations

import threading
from itertools import count

import structlog

from etl.errors import EtlError
from etl.repeating import Repeating
from etl.staging.batch.store import BatchStore
from etl.staging.ledger.ledger import StagingLedger

INTERVAL_SECONDS = 1.0
BEATS_BETWEEN_BURIALS = 60
"""A dead run is found by whoever lives: it may stand alone for long until somebody asks."""

log = structlog.get_logger(__name__)


class Watch(Repeating):
    """Sets `stop` when the run is cancelled, or was declared dead because no beat got through for a minute. Of a run
    that is cancelled, batches that are being stored are waited for, and those that wait for a lock are not."""

    def __init__(
        self,
        ledger: StagingLedger,
        run_id: str,
        stop: threading.Event,
        store: BatchStore | None = None,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        super().__init__(f"watch {run_id}", interval_seconds, patience_seconds=60)
        self.reason: str | None = None
        self.is_cancelled = False
        self._ledger = ledger
        self._run_id = run_id
        self._stop = stop
        self._store = store
        self._beats = count(1)

    def again(self) -> bool:
        try:
            is_cancelled = self._beat()
            if next(self._beats) % BEATS_BETWEEN_BURIALS == 0:
                self._ledger.bury_dead_runs()
        except EtlError as error:
            log.warning("heartbeat missed", run_id=self._run_id, error=error.message)
            return True
        if is_cancelled is None:
            self.reason = "the run was declared dead: no heartbeat reached the ledger for a minute"
            self._stop.set()
        elif is_cancelled:
            self._end()
        return self.reason is None

    def _end(self) -> None:
        if not self.is_cancelled:
            log.info("run cancelled", run_id=self._run_id)
        self.is_cancelled = True
        self._stop.set()
        try:
            self._ledger.cancel_waits(self._run_id)
        except EtlError as error:
            log.warning("waiting batches not broken off", run_id=self._run_id, error=error.message)

    def _beat(self) -> bool | None:
        if self._store is not None:
            self._store.journal.tell()
            if indexes := self._store.in_flight.indexes():
                self._ledger.mark_running(self._run_id, indexes)
        return self._ledger.beat(self._run_id)
