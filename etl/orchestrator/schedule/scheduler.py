"""A scheduler: looks what is due, again and again.

    tick → take lost runs away → settle those that will not wait → further steps (alerts) → say that it lives

Any number of them, on any number of machines: each step is safe beside others', and none is needed for another's. It
wakes when the next tick is due, and at least once a second. No error ends it: PostgreSQL may come and go.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from etl.errors import ConnectionLostError, EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.processes import Presence
from etl.orchestrator.queue.reaping import reap, settle_held
from etl.orchestrator.schedule.steps import Guarded, Step
from etl.orchestrator.schedule.ticks import tick
from etl.orchestrator.watch.observers import Observer

LONGEST_SLEEP_SECONDS = 1.0
BEAT_SECONDS = 5.0
TIDY_SECONDS = 60.0
SILENT_SECONDS = 60.0
"""A process that was not heard of for so long has ended, as far as dw_etl_processes is concerned."""
KEPT_SECONDS = 7 * 86_400.0

log = structlog.get_logger(__name__)


def run_scheduler(
    database: OrchestratorDatabase,
    *,
    steps: Sequence[Step] = (),
    stop: threading.Event,
    observer: Observer | None = None,
) -> None:
    """Until `stop` is set; what is under way then is finished first. `steps` come after the scheduler's own."""
    scheduler = Scheduler(database, steps, observer)
    log.info("scheduler started", scheduler=scheduler.presence.worker_id)
    while not stop.is_set():
        stop.wait(scheduler.look())
    scheduler.end()
    log.info("scheduler ended", scheduler=scheduler.presence.worker_id)


class Scheduler:
    def __init__(
        self, database: OrchestratorDatabase, steps: Sequence[Step] = (), observer: Observer | None = None
    ) -> None:
        self.presence = Presence("scheduler")
        self._observer = observer or Observer()
        self._database = database
        self._seconds_until_next = LONGEST_SLEEP_SECONDS
        own = [
            Step("tick", self._tick),
            Step("reap", self._reap),
            Step("settle", _settle),
            Step("beat", self.presence.beat, BEAT_SECONDS),
            Step("tidy", _tidy, TIDY_SECONDS),
        ]
        self._steps = [Guarded(step) for step in (*own, *steps)]

    def look(self) -> float:
        """All that is to be done now; how many seconds there are until the next look."""
        self._seconds_until_next = LONGEST_SLEEP_SECONDS
        for step in self._steps:
            if isinstance(step.take(self._database), ConnectionLostError):
                break  # the others would wait for the same server
        return min(self._seconds_until_next, LONGEST_SLEEP_SECONDS)

    def end(self) -> None:
        try:
            self.presence.end(self._database)
        except EtlError as error:  # it is soon seen that nothing is heard of this one
            log.warning("scheduler's end is not written", error=error.message)

    def _tick(self, database: OrchestratorDatabase) -> None:
        report = tick(database)
        self._observer.ticks_seen(report.made, report.skipped)
        if report.made or report.skipped:
            log.info("runs made", made=report.made, skipped=report.skipped)
        if report.seconds_until_next is not None:
            self._seconds_until_next = report.seconds_until_next

    def _reap(self, database: OrchestratorDatabase) -> None:
        for taken in reap(database):
            self._observer.run_taken_away(taken.slug, taken.status)
            facts = {"run": taken.run_id, "job": taken.slug, "worker": taken.worker_id, "status": str(taken.status)}
            log.warning("run taken from a worker that was not heard of", **facts)


def _settle(database: OrchestratorDatabase) -> None:
    if settled := settle_held(database):
        log.info("runs settled that were not to wait for their keys", runs=settled)


def _tidy(database: OrchestratorDatabase) -> None:
    silent = database.at_once("tidy_processes", {"silent_seconds": SILENT_SECONDS, "kept_seconds": KEPT_SECONDS})
    for row in silent:
        log.warning("not heard of any more", process=row["worker_id"], kind=row["kind"])
