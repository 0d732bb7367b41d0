"""What a worker does to runs: claims them, keeps them, ends them; each write guarded by the attempt's fencing token.

Whatever ends a run, here or in reaping and asking, ends it by `dw_etl_ended` in the same transaction, which calls
`dw_etl_after_end(run)` once for each run that ended, skipped descendants too: what belongs to an end is written there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.documents import as_json, counts_json, failure_json
from etl.orchestrator.values import Backoff, Claim, Counts, EventType, Failure, JobKind, RunStatus

LEASE_SECONDS = 30.0
"""How long an attempt is its worker's without a renewal, by the database's clock."""

READY_CHANNEL = "dw_etl_ready"
"""A notification that runs became ready: a hint to look sooner, which may be lost."""

Ending = Literal[RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.CANCELLED]


@dataclass(frozen=True)
class Cancel:
    """Somebody asked for a running run's end."""

    requested_at: datetime
    by: str | None
    reason: str | None


@dataclass(frozen=True)
class Renewal:
    """`held`: the tokens that are still the worker's; the others it has lost. `cancels`: by token, of those held."""

    held: frozenset[int]
    cancels: Mapping[int, Cancel]


def claim(
    database: OrchestratorDatabase, worker_id: str, at_most: int = 1, lease_seconds: float = LEASE_SECONDS
) -> list[Claim]:
    """The best ready runs whose keys are free, as many as parallelism allows; none where there is nothing to do."""
    values = {"worker_id": worker_id, "at_most": at_most, "lease_seconds": lease_seconds}
    return [_claim(row) for row in database.at_once("claim", values)]


def renew(
    database: OrchestratorDatabase, worker_id: str, tokens: Collection[int], lease_seconds: float = LEASE_SECONDS
) -> Renewal:
    """The heartbeat of all the worker's attempts at once."""
    values = {"worker_id": worker_id, "tokens": sorted(tokens), "lease_seconds": lease_seconds}
    rows = database.at_once("renew", values) if tokens else []
    cancels = {
        row["fencing_token"]: Cancel(row["cancel_requested_at"], row["cancelled_by"], row["reason"])
        for row in rows
        if row["cancel_requested_at"]
    }
    return Renewal(frozenset(row["fencing_token"] for row in rows), cancels)


def finish(
    database: OrchestratorDatabase,
    claim: Claim,
    status: Ending,
    counts: Counts,
    failure: Failure | None = None,
    retry_in_seconds: float | None = None,
) -> RunStatus | None:
    """Ends the attempt, frees its key and, with all that follows for its descendants, its run. What the run is now;
    None: it was no longer the worker's, and nothing changed.

    With `retry_in_seconds` (`backoff.retry_in_seconds` tells it) the run waits for its next attempt instead, if its
    attempts and its deadline allow and nobody asked to cancel it: the database judges.
    """
    values = {
        "token": claim.fencing_token,
        "outcome": str(status),
        "failure": failure_json(failure),
        "counts": counts_json(counts),
        "retry_in_seconds": retry_in_seconds,
    }
    became = database.at_once("finish", values)[0]["status"]
    return None if became is None else RunStatus(became)


def hand_back(database: OrchestratorDatabase, claim: Claim, reason: str) -> bool:
    """The run is ready again at once, and this attempt not counted: the next has its number. False: fenced."""
    return bool(database.at_once("hand_back", {"token": claim.fencing_token, "reason": reason})[0]["is_own"])


def record(
    database: OrchestratorDatabase,
    run_id: int,
    event_type: EventType,
    claim: Claim | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """An event that changes no row: a process was started, told to end, killed. Secrets are the caller's to mask."""
    values = {
        "run_id": run_id,
        "event_type": str(event_type),
        "attempt": claim.attempt if claim else None,
        "worker_id": claim.worker_id if claim else None,
        "token": claim.fencing_token if claim else None,
        "details": as_json(dict(details or {})),
    }
    database.at_once("record_event", values)


def _claim(row: dict[str, Any]) -> Claim:
    backoff = Backoff(row.pop("backoff_seconds"), row.pop("backoff_limit_seconds"))
    return Claim(**{**row, "kind": JobKind(row["kind"]), "backoff": backoff})
