"""How an attempt went, and its end in the database: counts, whether it is tried again, and what becomes of its run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import orjson
import structlog

from etl.errors import TransientError
from etl.orchestrator.lineage import collect
from etl.orchestrator.queue.backoff import retry_in_seconds
from etl.orchestrator.queue.claims import Ending, finish, hand_back
from etl.orchestrator.values import Claim, Counts, Failure, JobKind, RunStatus
from etl.orchestrator.work import classify
from etl.orchestrator.work.process import Ended
from etl.orchestrator.work.surroundings import Surroundings
from etl.redaction import redact, redact_value

_TRIES_AGAIN_SECONDS = 0.5
_LONGEST_LINE = 500
FENCED = "fenced"
"""It was no longer ours, and nothing was changed."""

log = structlog.get_logger(__name__)


class Why(StrEnum):
    """A job is ended from outside."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    LEASE = "lease"
    """It is no longer the worker's, or may not be: another may have taken it over."""
    HAND_BACK = "worker's end"


@dataclass(frozen=True)
class Outcome:
    """`status` None: handed back. `reported`: what a child of ours says of what it read and wrote."""

    status: Ending | None
    failure: Failure | None = None
    reported: Mapping[str, Any] = field(default_factory=dict)


def failed(failure: Failure, reported: Mapping[str, Any] | None = None) -> Outcome:
    return Outcome(RunStatus.FAILED, failure, reported or {})


def outcome_of(claim: Claim, ended: Ended, why: Why | None, report: bytes, last_line: str) -> Outcome:
    """Whatever a job's exit code says that was ended from outside: it may not have come to its end."""
    reported = _read_report(report)
    if why is Why.HAND_BACK:
        return Outcome(None)
    if why is Why.CANCEL:
        return Outcome(RunStatus.CANCELLED, reported=reported)
    if why is Why.TIMEOUT:
        return failed(classify.of_timeout(claim.timeout_seconds or 0), reported)
    if why is Why.LEASE:
        return failed(classify.of_lost_lease(), reported)
    if ended.code == 0:
        return Outcome(RunStatus.SUCCESS, reported=reported)
    return failed(_failure(ended, reported, last_line), reported)


def write_down(claim: Claim, outcome: Outcome, around: Surroundings, began: float) -> None:
    """Tried again until it is done: a server that restarts is waited for. A worker that was told to end gives up where
    the server stays away; the lease ends by itself. `began`: by the monotonic clock."""
    masked = _masked(outcome, around.secrets)
    facts = {"job": claim.slug, "run_id": claim.run_id, "attempt": claim.attempt, "token": claim.fencing_token}
    gives_up_at: float | None = None
    while True:
        try:
            around.journal.store()
            how = _write(claim, masked, around)
        except TransientError as error:
            if around.stop.is_handing_back:
                gives_up_at = gives_up_at or time.monotonic() + around.lease.seconds
            if gives_up_at is not None and time.monotonic() > gives_up_at:
                log.error("attempt not written down", **facts, error=error.message)
                return
            time.sleep(_TRIES_AGAIN_SECONDS)
        else:
            around.observer.attempt_ended(claim, how, time.monotonic() - began, masked.failure)
            _say(masked.failure, how, facts)
            return


def _write(claim: Claim, outcome: Outcome, around: Surroundings) -> str:
    """What became of the run."""
    if outcome.status is None:
        return "handed back" if hand_back(around.database, claim, "its worker was told to end") else FENCED
    counts = _counts(claim, outcome.reported, around)
    wait_seconds = retry_in_seconds(claim, outcome.failure) if outcome.failure else None
    return finish(around.database, claim, outcome.status, counts, outcome.failure, wait_seconds) or FENCED


def _counts(claim: Claim, reported: Mapping[str, Any], around: Surroundings) -> Counts:
    """What the tools' ledgers have; else what the job itself says."""
    found = Counts() if claim.kind is JobKind.SQL else _collected(claim, around)
    return Counts(
        _first(found.records_read, reported.get("records_read")),
        _first(found.records_written, reported.get("records_written")),
        {**_stored(reported.get("metrics") or {}, around.secrets), **found.metrics},
    )


def _stored(metrics: Mapping[str, Any], secrets: tuple[str, ...]) -> dict[str, Any]:
    """Without secrets, and without what PostgreSQL cannot store: an end that it refuses would be a lost attempt."""
    return dict(_without_nul(redact_value(metrics, secrets)))


def _without_nul(value: Any) -> Any:
    if isinstance(value, dict):
        return {name.replace("\0", ""): _without_nul(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_without_nul(entry) for entry in value]
    return value.replace("\0", "") if isinstance(value, str) else value


def _collected(claim: Claim, around: Surroundings) -> Counts:
    try:
        return collect(around.database, around.settings, claim)
    except TransientError:
        raise
    except Exception:  # a run does not fail because it is not known what it touched
        log.exception("lineage not collected", run_id=claim.run_id, token=claim.fencing_token)
        return Counts()


def _failure(ended: Ended, reported: Mapping[str, Any], last_line: str) -> Failure:
    if ended.signal_number is not None:
        return classify.of_signal(ended.signal_number)
    if ended.code is None:
        return classify.of_lost_guardian()
    if "failure" in reported:
        return classify.of_report(reported["failure"], ended.code)
    failure = classify.of_exit(ended.code)
    last = last_line.strip()[:_LONGEST_LINE]
    return replace(failure, message=f"{failure.message}: {last}") if last else failure


def _masked(outcome: Outcome, secrets: tuple[str, ...]) -> Outcome:
    if outcome.failure is None:
        return outcome
    return replace(outcome, failure=replace(outcome.failure, message=redact(outcome.failure.message, secrets)))


def _say(failure: Failure | None, how: str, facts: Mapping[str, Any]) -> None:
    error = {"error_class": failure.error_class, "error": failure.message} if failure else {}
    log.info("attempt ended", **facts, how=how, **error)


def _read_report(report: bytes) -> Mapping[str, Any]:
    """A child of ours writes one line; one that was ended on the way none, or half of it."""
    with suppress(orjson.JSONDecodeError):
        read = orjson.loads(report) if report else {}
        if isinstance(read, dict):
            return read
    return {}


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
