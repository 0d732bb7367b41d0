"""Attempts whose workers are dead, stopped or cut off, and runs that will not wait for a held key.

Each in a transaction of its own: any number of schedulers may do this at once, and none holds up another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import RealDictCursor

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.queue.backoff import may_retry, wait_seconds
from etl.orchestrator.queue.documents import as_json, failure_json
from etl.orchestrator.values import Backoff, ErrorType, EventType, Failure, RunStatus


@dataclass(frozen=True)
class TakenAway:
    """`status`: what the run is now; queued where it will be tried again."""

    run_id: int
    slug: str
    worker_id: str
    fencing_token: int
    status: RunStatus


def reap(database: OrchestratorDatabase) -> list[TakenAway]:
    """Takes their runs from the workers whose leases ran out: tried again where the job allows."""
    reaped = []
    while one := _reap_one(database):
        reaped.append(one)
    return reaped


def settle_held(database: OrchestratorDatabase) -> list[int]:
    """Skips or fails the ready runs that are not to wait for their key, as their jobs say; their run ids."""
    settled = []
    while (run_id := database.at_once("settle_held")[0]["run_id"]) is not None:
        settled.append(run_id)
    return settled


def take_away(
    cursor: RealDictCursor, held: Mapping[str, Any], lock_becomes: str, event: EventType, said: Any, failure: Failure
) -> TakenAway:
    """Ends the attempt of this lock, whose row is held, as failed: `said` is kept with the event."""
    backoff = Backoff(held["backoff_seconds"], held["backoff_limit_seconds"])
    again = may_retry(failure, held["attempt"], held["maximum_attempts"])
    values = {
        "token": held["fencing_token"],
        "lock_becomes": lock_becomes,
        "event_type": str(event),
        "said": as_json(said),
        "failure": failure_json(failure),
        "retry_in_seconds": wait_seconds(backoff, held["attempt"]) if again else None,
    }
    cursor.execute(statement("take_away"), values)
    status = RunStatus(dict(cursor.fetchone() or {})["status"])
    return TakenAway(held["run_id"], held["slug"], held["worker_id"], held["fencing_token"], status)


def _reap_one(database: OrchestratorDatabase) -> TakenAway | None:
    with database.transaction("reap") as cursor:
        cursor.execute(statement("expired_attempt"))
        held = cursor.fetchone()
        if held is None:
            return None
        seconds = round(held["silent_seconds"], 1)
        message = f"its worker {held['worker_id']} was not heard of for {seconds} s; see whether it still lives"
        failure = Failure(ErrorType.LOST, "LeaseExpired", message, is_transient=True)
        return take_away(cursor, held, "expired", EventType.LOST, {"silent_seconds": seconds}, failure)
