"""What went wrong with batches, told to the ledger: at once where that can be, else when it is back.

The ledger stands in the database that may just have gone away. What happened meanwhile waits here, in its order, and
is told with the next heartbeat or at the run's end; told twice it stands once.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress

import structlog

from etl.errors import TerminalError, TransientError
from etl.staging.ledger.batch_events import BatchEvent
from etl.staging.ledger.ledger import StagingLedger

log = structlog.get_logger(__name__)


class Journal:
    """The workers share it."""

    def __init__(self, ledger: StagingLedger) -> None:
        self._ledger = ledger
        self._untold: deque[BatchEvent] = deque()
        self._telling = threading.Lock()

    def add(self, event: BatchEvent) -> None:
        """Does not wait for another thread that is telling: it will come to this event, or the next heartbeat will."""
        self._untold.append(event)
        if self._telling.acquire(blocking=False):
            try:
                with suppress(TransientError):
                    self._tell()
            finally:
                self._telling.release()

    def tell(self) -> None:
        """All that is untold. Raises where the ledger is still away, and keeps the rest."""
        with self._telling:
            self._tell()

    def _tell(self) -> None:
        while self._untold:
            try:
                self._ledger.tell(self._untold[0])
            except TerminalError as error:
                # it will never have this one, and may have the next
                log.error(
                    "ledger refused an event", batch=self._untold[0].parameters["batch_index"], error=error.message
                )
            self._untold.popleft()
