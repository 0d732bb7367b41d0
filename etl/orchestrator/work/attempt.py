"""One attempt of a run, in a thread: starts the job, watches it, ends it where it must, and writes how it went."""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog

from etl.errors import EtlError, UsageError
from etl.orchestrator.queue.claims import Cancel
from etl.orchestrator.values import Claim, ErrorType, EventType, Failure
from etl.orchestrator.work import classify
from etl.orchestrator.work.concluding import Outcome, Why, failed, outcome_of, write_down
from etl.orchestrator.work.launching import Launch, launch_of
from etl.orchestrator.work.output import Output
from etl.orchestrator.work.process import Ended, JobProcess
from etl.orchestrator.work.sessions import cancel_sessions
from etl.orchestrator.work.surroundings import Surroundings

_LOOKS_SECONDS = 0.1

log = structlog.get_logger(__name__)


class Attempt:
    """`until`: how long it is the worker's, by `machine_time`."""

    def __init__(self, claim: Claim, until: float, around: Surroundings) -> None:
        self.claim = claim
        self._around = around
        self._until = until
        self._guard = threading.Lock()
        self._process: JobProcess | None = None
        self._asked: Why | None = None
        self._why: Why | None = None
        self._began = time.monotonic()
        self._started: float | None = None
        self._output = Output(around.secrets)

    # What other threads ask of it

    def renewed(self, until: float) -> None:
        with self._guard:
            self._until = until
            if self._process is not None:
                self._process.renew(until)

    def cancel(self, cancel: Cancel) -> None:
        if self._asked is None:
            log.info("cancelling", **self._facts, by=cancel.by, reason=cancel.reason)
            self._asked = Why.CANCEL

    def lose(self) -> None:
        """Counts more than whatever was asked before."""
        self._asked = Why.LEASE

    def hand_back(self) -> None:
        self._asked = self._asked or Why.HAND_BACK

    # Its own thread

    def run(self) -> None:
        """Raises nothing: whatever happens is this attempt's, and no other's."""
        self._around.observer.attempt_began(self.claim)
        self._around.journal.follow(self.claim, self._output)
        try:
            outcome = self._ran()
        except Exception as error:  # a fault of ours: the worker goes on
            log.exception("attempt failed", **self._facts)
            message = f"the worker itself failed: {error!r}; its log has the details"
            outcome = failed(Failure(ErrorType.UNKNOWN, type(error).__name__, message))
        self._output.end()
        try:
            write_down(self.claim, outcome, self._around, self._began)
        except Exception:  # as above; the lease ends by itself
            log.exception("attempt not written down", **self._facts)
        finally:
            self._around.journal.leave(self.claim)

    def _ran(self) -> Outcome:
        try:
            launch = launch_of(self.claim, self._around.database.schema, self._around.config_dir)
        except UsageError as error:
            return failed(Failure(ErrorType.START, "words", error.message, is_transient=False))
        self._end_earlier_sessions()
        if self._asked is not None:
            return outcome_of(self.claim, Ended(), self._asked, b"", "")
        return self._launched(launch)

    def _launched(self, launch: Launch) -> Outcome:
        try:
            process = JobProcess(launch, self._until, self._around.lease.notice_seconds, self._output.write)
        except OSError as error:
            return failed(classify.of_start(error.errno or 0, launch.words[0]))
        with process:
            self._let_renew(process)
            self._watch(process)
            self._let_renew(None)
        ended = process.ended or Ended()
        if ended.not_started is not None:
            return failed(classify.of_start(ended.not_started, launch.words[0]))
        if self._why is None and ended.code != 0 and self._around.stop.is_handing_back:
            self._why = Why.HAND_BACK  # who stops services may have told the job, too
        if self._why is not None or ended.code is None:
            self._end_sessions(self.claim.fencing_token, terminates=True)
        return outcome_of(self.claim, ended, self._why, process.report, self._output.last_line())

    def _let_renew(self, process: JobProcess | None) -> None:
        with self._guard:
            self._process = process
            if process is not None:
                process.renew(self._until)

    def _watch(self, process: JobProcess) -> None:
        while process.ended is None:
            for line in process.told(_LOOKS_SECONDS):
                self._hear(*line.split())
            if process.ended is None:
                self._end_where_asked(process)
        process.last_words()

    def _hear(self, word: str, *values: str) -> None:
        tell = self._around.journal.tell
        if word == "started":
            self._started = time.monotonic()
            tell(self.claim, EventType.STARTED, pid=int(values[0]))
        elif word == "terminated":
            if values[0] != "asked":
                self._why = self._why or Why.LEASE
            tell(self.claim, EventType.TERMINATED, why=str(self._why), grace_seconds=self._grace_seconds)
        elif word == "killed":
            tell(self.claim, EventType.KILLED, why=str(self._why or "left by the job"))
        elif word == "left":
            log.warning("job left processes", **self._facts, processes=int(values[0]))

    def _end_where_asked(self, process: JobProcess) -> None:
        if self._asked is None and self._is_overdue:
            self._asked = Why.TIMEOUT
            self._around.journal.tell(self.claim, EventType.TIMED_OUT, timeout_seconds=self.claim.timeout_seconds)
        if self._asked is not None and (self._why is None or self._asked is Why.LEASE is not self._why):
            self._why = self._asked
            process.end(self._grace_seconds)
            # in a thread of its own, for the job's processes are watched meanwhile
            threading.Thread(target=self._end_sessions, args=(self.claim.fencing_token,), daemon=True).start()

    @property
    def _is_overdue(self) -> bool:
        seconds = self.claim.timeout_seconds
        return seconds is not None and self._started is not None and time.monotonic() - self._started >= seconds

    @property
    def _grace_seconds(self) -> float:
        grace = self.claim.grace_seconds
        return min(grace, self._around.lease.notice_seconds) if self._why is Why.LEASE else grace

    # What its processes do in PostgreSQL

    def _end_earlier_sessions(self) -> None:
        """Of attempts that other workers have lost: nobody else may have seen to what they still do on a server."""
        if self.claim.attempt == 1:
            return
        values = {"run_id": self.claim.run_id, "token": self.claim.fencing_token}
        try:
            lost = self._around.database.at_once("lost_tokens", values)
        except EtlError as error:
            log.warning("earlier sessions not looked for", **self._facts, error=error.message)
            return
        for row in lost:
            self._end_sessions(row["fencing_token"], terminates=True)

    def _end_sessions(self, token: int, *, terminates: bool = False) -> None:
        """Of processes that are gone, `terminates` ends the sessions: the server may not have noticed yet."""
        try:
            cancel_sessions(self._around.settings, self.claim.run_id, token, terminates=terminates)
        except Exception:  # the fence keeps them from publishing
            log.exception("sessions not ended", **self._facts)

    @property
    def _facts(self) -> dict[str, Any]:
        claim = self.claim
        return {"job": claim.slug, "run_id": claim.run_id, "attempt": claim.attempt, "token": claim.fencing_token}
