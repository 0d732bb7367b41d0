"""One attempt of a run, in a thread: starts the job, watches it, ends it where it must, and writes how it went."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import structlog

from etl.config.settings import Settings
from etl.errors import TransientError, UsageError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.lineage import collect
from etl.orchestrator.queue.backoff import retry_in_seconds
from etl.orchestrator.queue.claims import Cancel, Ending, finish, hand_back
from etl.orchestrator.values import Claim, Counts, ErrorType, EventType, Failure, RunStatus
from etl.orchestrator.watch.observers import Observer
from etl.orchestrator.work import classify
from etl.orchestrator.work.guardian import machine_time
from etl.orchestrator.work.journal import Journal
from etl.orchestrator.work.launching import launch_of
from etl.orchestrator.work.lease import Lease
from etl.orchestrator.work.output import Output
from etl.orchestrator.work.process import Ended, JobProcess
from etl.orchestrator.work.sessions import cancel_sessions
from etl.orchestrator.work.stopping import Stop
from etl.redaction import redact

_LOOKS_SECONDS = 0.1
_TRIES_AGAIN_SECONDS = 0.5
_LONGEST_LINE = 500

log = structlog.get_logger(__name__)


NO_COUNTS = Counts()


class Why(StrEnum):
    """A job is ended from outside."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    LEASE = "lease"
    """It is no longer the worker's, or may not be: another may have taken it over."""
    HAND_BACK = "worker's end"


@dataclass(frozen=True)
class Surroundings:
    """What all attempts of a worker share."""

    database: OrchestratorDatabase
    settings: Settings
    config_dir: Path
    secrets: tuple[str, ...]
    journal: Journal
    lease: Lease
    stop: Stop
    observer: Observer


@dataclass(frozen=True)
class Outcome:
    """`status` None: handed back."""

    status: Ending | None
    failure: Failure | None = None
    counts: Counts = NO_COUNTS


class Attempt:
    def __init__(self, claim: Claim, until: float, around: Surroundings) -> None:
        self.claim = claim
        self._around = around
        self._until = until
        self._guard = threading.Lock()
        self._process: JobProcess | None = None
        self._asked: Why | None = None
        self._why: Why | None = None
        self._end_by: float | None = None
        self._began = time.monotonic()
        self._output = Output(around.secrets)

    # What other threads ask of it

    def renewed(self, until: float) -> None:
        with self._guard:
            self._until = until
            if self._process is not None:
                self._process.renew(until)

    def cancel(self, cancel: Cancel) -> None:
        log.info("cancelling", **self._facts, by=cancel.by, reason=cancel.reason)
        self._asked = self._asked or Why.CANCEL

    def lose(self) -> None:
        """Somebody else's word counts more than whatever was asked before."""
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
            outcome = self._failed(Failure(ErrorType.UNKNOWN, type(error).__name__, message))
        self._output.end()
        try:
            self._written_down(outcome)
        except Exception:  # as above; the lease ends by itself
            log.exception("attempt not written down", **self._facts)
        finally:
            self._around.journal.leave(self.claim)

    def _ran(self) -> Outcome:
        try:
            launch = launch_of(self.claim, self._around.database.schema, self._around.config_dir)
        except UsageError as error:
            return self._failed(Failure(ErrorType.START, "words", error.message, is_transient=False))
        if self._asked is not None:
            self._why = self._asked
            return self._ended(Ended(), b"")
        try:
            process = JobProcess(launch, self._until, self._around.lease.notice_seconds, self._output.write)
        except OSError as error:
            return self._failed(classify.of_start(error.errno or 0, launch.words[0]))
        with process:
            with self._guard:
                self._process = process
                process.renew(self._until)
            self._watch(process)
            with self._guard:
                self._process = None
            if process.ended is not None and process.ended.not_started is not None:
                return self._failed(classify.of_start(process.ended.not_started, launch.words[0]))
            return self._ended(process.ended or Ended(), process.report)

    def _watch(self, process: JobProcess) -> None:
        began = time.monotonic()
        while process.ended is None:
            for line in process.told(_LOOKS_SECONDS):
                self._hear(*line.split())
            if process.ended is None:
                self._end_where_asked(process, began)
        process.last_words()
        if self._why is not None or process.ended.signal_number is not None:
            # before anybody else is given the run: a process that was killed leaves its statement running
            cancel_sessions(self._around.settings, self.claim.run_id, self.claim.fencing_token, terminates=True)

    def _hear(self, word: str, *values: str) -> None:
        tell = self._around.journal.tell
        if word == "started":
            tell(self.claim, EventType.STARTED, pid=int(values[0]))
        elif word == "terminated":
            if values[0] != "asked":
                self._why = self._why or Why.LEASE
            tell(self.claim, EventType.TERMINATED, why=str(self._why), grace_seconds=self._grace_seconds)
        elif word == "killed":
            tell(self.claim, EventType.KILLED, why=str(self._why or "left by the job"))
        elif word == "left":
            log.warning("job left processes", **self._facts, processes=int(values[0]))

    def _end_where_asked(self, process: JobProcess, began: float) -> None:
        seconds = self.claim.timeout_seconds
        if self._asked is None and seconds is not None and time.monotonic() - began >= seconds:
            self._asked = Why.TIMEOUT
            self._around.journal.tell(self.claim, EventType.TIMED_OUT, timeout_seconds=seconds)
        if self._asked is not None and (self._why is None or self._asked is Why.LEASE is not self._why):
            self._why = self._asked
            process.end(self._grace_seconds)
            self._cancel_sessions()

    @property
    def _grace_seconds(self) -> float:
        grace = self.claim.grace_seconds
        return min(grace, self._around.lease.notice_seconds) if self._why is Why.LEASE else grace

    def _cancel_sessions(self) -> None:
        """In a thread of its own: the job's processes are watched meanwhile."""
        if self._why is not Why.HAND_BACK:
            arguments = (self._around.settings, self.claim.run_id, self.claim.fencing_token)
            threading.Thread(target=cancel_sessions, args=arguments, name="cancel sessions", daemon=True).start()

    def _ended(self, ended: Ended, report: bytes) -> Outcome:
        reported = _read_report(report)
        if self._why is Why.HAND_BACK:
            return Outcome(None)
        if self._why is Why.CANCEL:
            return Outcome(RunStatus.CANCELLED, counts=self._counts(reported))
        if self._why is Why.TIMEOUT:
            return self._failed(classify.of_timeout(self.claim.timeout_seconds or 0), reported)
        if self._why is Why.LEASE:
            return self._failed(classify.of_lost_lease(), reported)
        if ended.code == 0:
            return Outcome(RunStatus.SUCCESS, counts=self._counts(reported))
        return self._failed(self._failure(ended, reported), reported)

    def _failure(self, ended: Ended, reported: Mapping[str, Any]) -> Failure:
        if ended.signal_number is not None:
            return classify.of_signal(ended.signal_number)
        if ended.code is None:
            return classify.of_lost_guardian()
        if "failure" in reported:
            return classify.of_report(reported["failure"], ended.code)
        failure = classify.of_exit(ended.code)
        last = self._output.last_line().strip()[:_LONGEST_LINE]
        return replace(failure, message=f"{failure.message}: {last}") if last else failure

    def _failed(self, failure: Failure, reported: Mapping[str, Any] | None = None) -> Outcome:
        masked = replace(failure, message=redact(failure.message, self._around.secrets))
        return Outcome(RunStatus.FAILED, masked, self._counts(reported or {}))

    def _counts(self, reported: Mapping[str, Any]) -> Counts:
        """What the tools' ledgers have; else what the job itself says."""
        found = collect(self._around.database, self._around.settings, self.claim)
        return Counts(
            _first(found.records_read, reported.get("records_read")),
            _first(found.records_written, reported.get("records_written")),
            {**reported.get("metrics", {}), **found.metrics},
        )

    # How it went, in the database

    def _written_down(self, outcome: Outcome) -> None:
        """Tried again for as long as it may still be ours: a server that restarts is waited for."""
        while True:
            try:
                self._around.journal.store()
                how = self._write(outcome)
            except TransientError as error:
                if self._around.stop.is_handing_back and machine_time() > self._until:
                    log.error("attempt not written down", **self._facts, error=error.message)
                    return
                time.sleep(_TRIES_AGAIN_SECONDS)
            else:
                break
        self._say(outcome, how or "fenced")

    def _write(self, outcome: Outcome) -> str | None:
        """What became of the run; None where it was no longer ours."""
        if outcome.status is None:
            is_own = hand_back(self._around.database, self.claim, "its worker was told to end")
            return "handed back" if is_own else None
        wait_seconds = retry_in_seconds(self.claim, outcome.failure) if outcome.failure else None
        return finish(self._around.database, self.claim, outcome.status, outcome.counts, outcome.failure, wait_seconds)

    def _say(self, outcome: Outcome, how: str) -> None:
        self._around.observer.attempt_ended(self.claim, how, time.monotonic() - self._began, outcome.failure)
        failure = outcome.failure
        error = {"error_class": failure.error_class, "error": failure.message} if failure else {}
        log.info("attempt ended", **self._facts, how=how, **error)

    @property
    def _facts(self) -> dict[str, Any]:
        claim = self.claim
        return {"job": claim.slug, "run_id": claim.run_id, "attempt": claim.attempt, "token": claim.fencing_token}


def _read_report(report: bytes) -> Mapping[str, Any]:
    """A child of ours writes one line; one that was ended on the way none, or half of it."""
    with suppress(orjson.JSONDecodeError):
        read = orjson.loads(report) if report else {}
        if isinstance(read, dict):
            return read
    return {}


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
