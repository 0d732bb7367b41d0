"""A worker: claims runs while it has room, and runs each in a thread with processes of its own.

Any number of them on any number of machines; PostgreSQL is all they share.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import ExitStack, closing
from pathlib import Path

import structlog

from etl.config.settings import Settings
from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.processes import Presence
from etl.orchestrator.queue.claims import LEASE_SECONDS, claim
from etl.orchestrator.values import Claim
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.work.attempt import Attempt
from etl.orchestrator.work.guardian import machine_time
from etl.orchestrator.work.heartbeat import Heartbeat
from etl.orchestrator.work.journal import Journal
from etl.orchestrator.work.lease import Lease
from etl.orchestrator.work.listener import Listener
from etl.orchestrator.work.stopping import Stop
from etl.orchestrator.work.surroundings import Surroundings

POLLS_SECONDS = 1.0
"""How often it looks for ready runs where nothing tells it to; never less often."""
_LOOKS_SECONDS = 0.1
"""How often it looks whether it was told to stop."""

log = structlog.get_logger(__name__)


class Worker:
    def __init__(
        self,
        database: OrchestratorDatabase,
        settings: Settings,
        config_dir: Path,
        slots: int,
        *,
        secrets: Iterable[str] = (),
        lease_seconds: float = LEASE_SECONDS,
        observer: Observer | None = None,
    ) -> None:
        self.presence = Presence("worker", slots)
        self._database = database
        self._settings = settings
        self._config_dir = config_dir
        self._slots = slots
        self._secrets = tuple(secrets)
        self._lease = Lease(lease_seconds)
        self._observer = observer or Observer()
        self._guard = threading.Lock()
        self._attempts: dict[int, Attempt] = {}
        self._woken = threading.Event()
        self._is_out_of_reach = False

    def run(self, stop: Stop) -> None:
        """Until `stop` says so, and all that runs has ended or was handed back."""
        with ExitStack() as stack:
            own = [OrchestratorDatabase(self._database.settings, self._database.schema) for _ in range(2)]
            beating, telling = [stack.enter_context(closing(each)) for each in own]
            journal = stack.enter_context(Journal(telling))
            around = Surroundings(
                self._database,
                self._settings,
                self._config_dir,
                self._secrets,
                journal,
                self._lease,
                stop,
                self._observer,
            )
            stack.callback(self._say_good_bye)
            stack.enter_context(Listener(self._database.settings, self._woken))
            heartbeat = Heartbeat(beating, self.presence, self._under_way, self._lease)
            heartbeat.again()
            stack.enter_context(heartbeat)
            log.info("worker started", worker=self.presence.worker_id, slots=self._slots)
            self._work(around)
        log.info("worker ended", worker=self.presence.worker_id)

    def _work(self, around: Surroundings) -> None:
        stop = around.stop
        is_told = False
        while not stop.is_draining or self._under_way():
            if stop.is_draining and not is_told:
                is_told = True
                log.info("draining: what runs may end, nothing more is claimed", running=len(self._under_way()))
            if stop.is_handing_back:
                self._hand_back()
            if not stop.is_draining and self._claimed(around):
                continue
            self._wait(stop)

    def _claimed(self, around: Surroundings) -> bool:
        """Whether there may be more."""
        room = self._slots - len(self._under_way())
        if room <= 0:
            return False
        asked_at = machine_time()
        claims = self._claims(room)
        for each in claims:
            self._begin(Attempt(each, asked_at + self._lease.here_seconds, around))
        return bool(claims)

    def _claims(self, room: int) -> list[Claim]:
        """None where the database cannot be asked: it will be again."""
        try:
            claims = claim(self._database, self.presence.worker_id, room, self._lease.seconds)
        except EtlError as error:
            if not self._is_out_of_reach:
                log.warning("cannot claim runs; trying again every second", error=error.message)
            self._is_out_of_reach = True
            return []
        except Exception:  # what was claimed and not understood is lost with its lease, and no other run
            log.exception("claim failed")
            return []
        if self._is_out_of_reach:
            log.info("claiming runs again")
        self._is_out_of_reach = False
        return claims

    def _begin(self, attempt: Attempt) -> None:
        token = attempt.claim.fencing_token
        log.info("claimed", job=attempt.claim.slug, run_id=attempt.claim.run_id, attempt=attempt.claim.attempt)

        def run() -> None:
            try:
                attempt.run()
            finally:
                with self._guard:
                    del self._attempts[token]
                self._woken.set()

        with self._guard:
            self._attempts[token] = attempt
        try:
            threading.Thread(target=run, name=f"attempt {token}", daemon=True).start()
        except RuntimeError as error:  # the machine has no room for it; the lease ends by itself
            log.error("attempt not begun", job=attempt.claim.slug, run_id=attempt.claim.run_id, error=str(error))
            with self._guard:
                del self._attempts[token]

    def _wait(self, stop: Stop) -> None:
        """Until there may be something to do, but no longer than a second. Signals set flags, which are looked at."""
        was_draining, was_handing_back = stop.is_draining, stop.is_handing_back
        for _ in range(round(POLLS_SECONDS / _LOOKS_SECONDS)):
            if self._woken.wait(_LOOKS_SECONDS):
                self._woken.clear()
                return
            if (stop.is_draining, stop.is_handing_back) != (was_draining, was_handing_back):
                return

    def _hand_back(self) -> None:
        for attempt in self._under_way().values():
            attempt.hand_back()

    def _under_way(self) -> dict[int, Attempt]:
        with self._guard:
            return dict(self._attempts)

    def _say_good_bye(self) -> None:
        try:
            self.presence.end(self._database)
        except EtlError as error:
            log.warning("the worker's end was not written down", error=error.message)
