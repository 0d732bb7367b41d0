"""Takes up what is queued, starts it, and says how it ended. Killed, its loads go on; started again, so does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

import structlog

from etl.command.exits import Exit
from etl.errors import TransientError
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.values import Request
from etl.staging.work.loads import Load
from etl.staging.work.queue import Queue

LOOK_SECONDS = 0.5
BEAT_SECONDS = 2.0
RECOVER_SECONDS = 5.0
AWAY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Worker:
    """`maximum_loads` at once. A database that is away is waited for: the loads try again by themselves."""

    def __init__(self, database: StagingDatabase, start: Callable[[Request], Load], maximum_loads: int) -> None:
        self._queue = Queue(database, uuid4(), maximum_loads)
        self._start = start
        self._maximum_loads = maximum_loads
        self._loads: list[Load] = []
        self._is_due = {"beat": 0.0, "recover": 0.0}
        self._away_at = float("-inf")
        self._is_away = False

    def run(self, *, once: bool = False) -> None:
        """`once`: until nothing waits and its loads have ended; else until it is interrupted."""
        log.info("worker started", loads=self._maximum_loads)
        try:
            while self._turn() or not once:
                time.sleep(AWAY_SECONDS if self._is_away else LOOK_SECONDS)
        finally:
            self._stop()

    def _turn(self) -> bool:
        """Whether there is or may be something to wait for."""
        try:
            if self._due("beat", BEAT_SECONDS):
                self._queue.beat(len(self._loads))
            self._tell_ends()
            if self._due("recover", RECOVER_SECONDS):
                for run_id in self._queue.recover([each.request.id for each in self._loads]):
                    log.warning("left behind by a dead process", run_id=run_id)
            self._take_up()
        except TransientError as error:
            if not self._is_away:
                log.warning("database away", error=error.message)
            self._is_away, self._away_at = True, time.monotonic()
            return True
        if self._is_away:
            log.info("database back")
        self._is_away = False
        return bool(self._loads)

    def _take_up(self) -> None:
        free = self._maximum_loads - len(self._loads)
        for request in self._queue.claim(free) if free > 0 else ():
            try:
                load = self._start(request)
            except OSError as error:
                self._queue.refuse(request, None, f"its process could not be started: {error}", "")
                continue
            self._loads.append(load)
            self._say("load started", load)

    def _tell_ends(self) -> None:
        """One that the ledger could not be told of stays, and is told later."""
        for load in [each for each in self._loads if each.exit_code is not None]:
            self._tell_end(load)
            self._loads.remove(load)
            load.output.close()

    def _tell_end(self, load: Load) -> None:
        exit_code, output = load.process.wait(), load.tail()
        refusal = load.refusal(exit_code)
        # while the database was away, it may have met the same, and is none the worse for it
        may_wait = exit_code == Exit.NOT_YET or self._away_at > load.started
        if may_wait and self._queue.give_back(load.request, refusal):
            self._say("load set back", load, reason=refusal)
        elif self._queue.refuse(load.request, exit_code, refusal, output):
            self._say("load refused", load, refusal=refusal)
        else:
            self._queue.finish(load.request, load.process.pid, exit_code, output)
            self._say("load ended", load, exit_code=exit_code)

    def _stop(self) -> None:
        try:
            self._queue.stop(len(self._loads))
        except TransientError as error:
            log.warning("database away", error=error.message)
        log.info("worker stopped", loads_that_go_on=len(self._loads))

    def _due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._is_due[what]:
            return False
        self._is_due[what] = now + seconds
        return True

    def _say(self, event: str, load: Load, **facts: object) -> None:
        request = load.request
        known = {"run_id": request.etl_run_id, "job": request.etl_job_id, "request": request.id}
        log.info(event, **known, action=request.action, process_id=load.process.pid, **facts)
