"""How a run ends: by itself, dead, or by force. None of its batches is open then."""

from __future__ import annotations

import os
import socket
from typing import Any

from psycopg2.extensions import cursor as Cursor

from etl.staging.ledger.queries import statement

GRACE_SECONDS = 60.0
"""A run that has not been heard of for so long has died."""

WORKER_GRACE_SECONDS = 30.0
"""A worker that has not been heard of for so long has died. A load that it was starting has begun by then, or will
find that another has."""

SILENT_SECONDS = 5.0
"""A run that has missed so many heartbeats may be ended by force."""


def how_to_end(run_id: str, silent_seconds: float) -> str:
    """Each of these helps by itself."""
    if silent_seconds < SILENT_SECONDS:
        return f"wait for its end, or `cancel --run {run_id}`"
    left = max(0, GRACE_SECONDS - silent_seconds)
    return (
        f"its last heartbeat is {silent_seconds:.0f} s old: if its process has died, "
        f"it counts as dead in {left:.0f} s, or at once by `cancel --run {run_id} --force`"
    )


def bury_dead_runs(cursor: Cursor, grace_seconds: float = GRACE_SECONDS, run_id: str | None = None) -> list[str]:
    cursor.execute(statement("dead_runs"), {"grace_seconds": grace_seconds, "run_id": run_id})
    dead = cursor.fetchall()
    how = "the process died" if grace_seconds >= GRACE_SECONDS else "ended by --force"
    for dead_id, last_heard in dead:
        end_run(cursor, dead_id, f"{how}: {last_heard}")
    return [str(dead_id) for dead_id, _ in dead]


def sum_up(cursor: Cursor, run_id: str) -> None:
    cursor.execute(statement("sum_up"), {"run_id": run_id, **this_process()})


def this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "process_id": os.getpid()}


def end_run(cursor: Cursor, run_id: str, failure: str | None, cancelled_by: str | None = None) -> None:
    """The caller has locked the run. What is not stored of one that was cancelled says so."""
    left = failure or (f"cancelled by {cancelled_by}" if cancelled_by else None)
    cursor.execute(statement("close_batches"), {"run_id": run_id, "failure": left})
    sum_up(cursor, run_id)
    cursor.execute(statement("finish_run"), {"run_id": run_id, "failure": failure})
