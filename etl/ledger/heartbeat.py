"""Says every few seconds that a run is alive, from a thread and a connection of its own."""

from __future__ import annotations

import threading
import time

import structlog

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError
from etl.ledger.runs import GRACE_SECONDS, beat
from etl.postgresql.connection import Kept
from etl.postgresql.door import door
from etl.repeating import Repeating

INTERVAL_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Heartbeat(Repeating):
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
        super().__init__(f"heartbeat {run_id}", interval_seconds, patience_seconds=interval_seconds)
        self.lost = threading.Event()
        self._settings = settings
        self._run_id = run_id
        self._grace_seconds = grace_seconds
        self._connection = Kept(settings)
        self._last_beat = time.monotonic()

    def again(self) -> bool:
        try:
            is_alive = self._beat()
            self._last_beat = time.monotonic()
        except EtlError as error:
            log.warning("heartbeat missed", run_id=self._run_id, error=str(error))
            self._connection.drop()
            is_alive = time.monotonic() - self._last_beat < self._grace_seconds
        if not is_alive:
            self.lost.set()
            log.error("heartbeat lost", run_id=self._run_id)
        return is_alive

    def _run(self) -> None:
        super()._run()
        self._connection.drop()

    def _beat(self) -> bool:
        with (
            door(self._settings, "heartbeat"),
            self._connection.transaction(statement_timeout_seconds=10, lock_timeout_seconds=5) as cursor,
        ):
            return beat(cursor, self._run_id)
