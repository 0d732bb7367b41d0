"""What people ask of runs: to end, to go on after a failure, to let go of a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl.command.typed import etl_as_typed
from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.queue.reaping import TakenAway, take_away
from etl.orchestrator.values import ErrorType, EventType, Failure, RunStatus, Trigger

_TOKEN = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class CancelRequest:
    """A queued run is `has_ended` at once; a running one when its worker has ended its process."""

    run_id: int
    has_ended: bool


def request_cancel(
    database: OrchestratorDatabase, run_id: int, by: str | None = None, reason: str | None = None
) -> CancelRequest:
    """Who asked first, and why, is kept. UsageError where the run has ended already, or is none."""
    asked = cancel_if_open(database, run_id, by, reason)
    if asked is None:
        run = _expect_run(database, run_id)
        raise UsageError(
            f"run {run_id} ({run['slug']}): expected one that is queued or running, found {run['status']}; "
            "what has ended cannot be cancelled"
        )
    return asked


def cancel_if_open(
    database: OrchestratorDatabase, run_id: int, by: str | None = None, reason: str | None = None
) -> CancelRequest | None:
    """The same for one of many, of which some may just end by themselves: None."""
    was = database.at_once("request_cancel", {"run_id": run_id, "by": by, "reason": reason})[0]["was"]
    return CancelRequest(run_id, was == RunStatus.QUEUED) if was in (RunStatus.QUEUED, RunStatus.RUNNING) else None


def retry_from_failure(database: OrchestratorDatabase, run_id: int, by: str | None = None) -> list[int]:
    """Opens a failed or cancelled run again, with all attempts of its job before it, and the runs that were skipped
    because of it, of other cycles too: their ids, its own first. What succeeded is not run again."""
    run = _expect_run(database, run_id)
    if run["trigger"] == Trigger.IMPORT:
        raise UsageError(f"run {run_id} ({run['slug']}) was imported, not run here; start its job instead")
    opened = reopen_if_failed(database, run_id, by)
    if not opened:
        raise _not_to_be_retried(_expect_run(database, run_id))
    return opened


def reopen_if_failed(database: OrchestratorDatabase, run_id: int, by: str | None = None) -> list[int]:
    """The same for one of many, which others may just have opened: none."""
    return [row["run_id"] for row in database.at_once("reopen", {"run_id": run_id, "by": by})]


def release_lock(
    database: OrchestratorDatabase, key_or_token: str | int, by: str | None = None, reason: str | None = None
) -> TakenAway:
    """Ends the attempt that holds this key, or has this token, as if its lease had run out. Its process, if it still
    lives, is ended by its worker's next heartbeat; a job that is just publishing is waited for."""
    text = str(key_or_token)
    with database.transaction("release a lock") as cursor:
        values = {"key": text, "token": int(text) if _TOKEN.fullmatch(text) else None}
        cursor.execute(statement("hold_lock"), values)
        held = cursor.fetchone()
        if held is None:
            cursor.execute(statement("held_keys"))
            keys = [row["key"] for row in cursor.fetchall()]
            near = suggestion(text, keys, told="held") if keys else "nothing is held"
            raise UsageError(f"expected a key that is held, or its token, found {text!r}; {near}")
        message = f"its lock was released by {by or 'somebody'}" + (f": {reason}" if reason else "")
        failure = Failure(ErrorType.LOST, "LockReleased", message, is_transient=True)
        said = {"by": by, "reason": reason}
        return take_away(cursor, held, "released", EventType.LOCK_RELEASED, said, failure)


def _expect_run(database: OrchestratorDatabase, run_id: int) -> Mapping[str, Any]:
    rows = database.at_once("asked_run", {"run_id": run_id})
    if not rows:
        raise UsageError(f"there is no run {run_id}; `etl orchestrator run list` shows those there are")
    return rows[0]


def _not_to_be_retried(run: Mapping[str, Any]) -> UsageError:
    expected = "expected one that failed or was cancelled"
    return UsageError(f"run {run['run_id']} ({run['slug']}): {expected}, found {run['status']}; {_instead(run)}")


def _instead(run: Mapping[str, Any]) -> str:
    if run["because_run_id"]:
        return f"retry run {run['because_run_id']}, for which it was skipped"
    if not RunStatus(run["status"]).has_ended:
        return f"`{etl_as_typed()} orchestrator run why-not {run['run_id']}` says what it waits for"
    return f"`{etl_as_typed()} orchestrator run start {run['slug']}` asks for another"
