"""Says every few seconds that a run is alive, from a thread and a connection of its own."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg2
import structlog
from psycopg2.extensions import connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError
from etl.ledger.runs import GRACE_SECONDS, beat
from etl.postgresql.connection import connect, transaction
from etl.postgresql.door import door

INTERVAL_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Heartbeat:
    """Renews the run and its leases while the block runs.

    `lost` is set when the run has been declared dead, or when no beat has got through for as long as it takes to be
    declared dead: from then on another run may take its leases, and completing a load is refused.
    """

    def __init__(
        self,
        settings: PostgreSQLSettings,
        run_id: str,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.lost = threading.Event()
        self._settings = settings
        self._run_id = run_id
        self._interval_seconds = interval_seconds
        self._grace_seconds = grace_seconds
        self._stop = threading.Event()
        self._connection: connection | None = None
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # a beat that hangs ends by its own timeouts; the thread is a daemon and holds up nobody
        self._thread.join(timeout=self._interval_seconds)

    def _run(self) -> None:
        last_beat = time.monotonic()
        while not self.lost.is_set() and not self._stop.wait(self._interval_seconds):
            try:
                is_alive = self._beat()
            except EtlError as error:
                log.warning("heartbeat missed", run_id=self._run_id, error=str(error))
                self._disconnect()
                is_alive = time.monotonic() - last_beat < self._grace_seconds
            else:
                last_beat = time.monotonic()
            if not is_alive:
                self.lost.set()
                log.error("heartbeat lost", run_id=self._run_id)
        self._disconnect()

    def _beat(self) -> bool:
        with door(self._settings, "heartbeat"):
            self._connection = self._connection or connect(self._settings)
            with transaction(self._connection, statement_timeout_seconds=10, lock_timeout_seconds=5) as cursor:
                return beat(cursor, self._run_id)

    def _disconnect(self) -> None:
        held, self._connection = self._connection, None
        if held is not None:
            with suppress(psycopg2.Error):
                held.close()
