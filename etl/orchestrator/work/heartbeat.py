"""The worker's heartbeat: renews all its leases in one statement, and hears there of cancels and of what it has lost.

On a thread and a connection of its own: neither a job that writes much nor a slow claim delays it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.processes import Presence
from etl.orchestrator.queue.claims import renew
from etl.orchestrator.work.attempt import Attempt
from etl.orchestrator.work.guardian import machine_time
from etl.orchestrator.work.lease import Lease
from etl.repeating import Repeating

Attempts = Callable[[], Mapping[int, Attempt]]
"""Those under way, by their tokens."""

log = structlog.get_logger(__name__)


class Heartbeat(Repeating):
    """Where no beat gets through, the guardians end the jobs when their leases do; here nothing has to be done."""

    def __init__(self, database: OrchestratorDatabase, presence: Presence, attempts: Attempts, lease: Lease) -> None:
        super().__init__("heartbeat", lease.beat_seconds, patience_seconds=lease.seconds)
        self._database = database
        self._presence = presence
        self._attempts = attempts
        self._lease = lease

    def again(self) -> bool:
        try:
            self._renew()
            self._presence.beat(self._database)
        except EtlError as error:
            log.warning("heartbeat missed", error=error.message)
        except Exception:  # a heart that stops over one beat ends all that runs
            log.exception("heartbeat failed")
        return True

    def _renew(self) -> None:
        attempts = self._attempts()
        asked_at = machine_time()  # the lease is as old as the question, whenever the answer comes
        renewal = renew(self._database, self._presence.worker_id, list(attempts), self._lease.seconds)
        for token, attempt in attempts.items():
            if token not in renewal.held:
                attempt.lose()
                continue
            attempt.renewed(asked_at + self._lease.here_seconds)
            if token in renewal.cancels:
                attempt.cancel(renewal.cancels[token])
