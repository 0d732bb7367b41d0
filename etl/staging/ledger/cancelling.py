"""How a run is cancelled: one that waits is ended at once, one under way hears it with its next heartbeat."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from etl.staging.ledger.ending import end_run
from etl.staging.ledger.queries import statement


def cancel_locked(cursor: Cursor, run_id: str, by: str) -> bool:
    """The caller has locked the run's job, so that nothing begins meanwhile. False where there is nothing to cancel."""
    cursor.execute(statement("run_as_asked_for"), {"run_id": run_id})
    row = cursor.fetchone()
    if row is None:
        return False
    _, status, _, is_cancelled, _ = row
    cancel = {"run_id": run_id, "cancelled_by": by}
    if status == "running":
        cursor.execute(statement("cancel_run"), cancel)
        return cursor.fetchone() is not None or bool(is_cancelled)
    refusal = f"cancelled by {by} before it began"
    cursor.execute(statement("withdraw_requests"), {"run_id": run_id, "refusal": refusal})
    is_withdrawn = cursor.fetchone() is not None
    if status == "pending":
        cursor.execute(statement("cancel_run"), cancel)
        end_run(cursor, run_id, refusal)
    return is_withdrawn or status == "pending"
