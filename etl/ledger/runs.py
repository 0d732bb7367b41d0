"""Runs and their frozen windows: one function a statement, on a cursor of the caller's transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from psycopg2.extras import Json

from etl.ledger.statements import statement
from etl.ledger.values import FrozenWindow, NewRun, Run
from etl.model import Destination, RunStatus

GRACE_SECONDS = 60
"""A run whose heartbeat is older is dead: six beats missed."""

LEASE_SECONDS = 60


def new_run_id() -> str:
    """Sorts by time and is safe in names of tables and files: 20261120T210733-ab12cd."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def insert_run(
    cursor: Any, run_id: str, run: NewRun, options: Mapping[str, Any], fencing_token: int | None = None
) -> Run:
    cursor.execute(
        statement("start_run"),
        {
            "run_id": run_id,
            "destinations": [str(destination) for destination in run.destinations],
            "tables": list(run.tables),
            "options": Json(options),
            "resumed_from": run.resumed_from,
            "idempotency_key": run.idempotency_key,
            "fencing_token": fencing_token,
        },
    )
    return _run(cursor.fetchone())


def beat(cursor: Any, run_id: str) -> bool:
    cursor.execute(statement("heartbeat"), {"run_id": run_id, "lease_seconds": LEASE_SECONDS})
    return cursor.fetchone() is not None


def finish(cursor: Any, run_id: str, status: RunStatus) -> bool:
    cursor.execute(statement("finish_run"), {"run_id": run_id, "status": str(status)})
    return cursor.fetchone() is not None


def find_run(cursor: Any, run_id: str) -> Run | None:
    cursor.execute(statement("run"), {"run_id": run_id})
    row = cursor.fetchone()
    return None if row is None else _run(row)


def find_run_of_key(cursor: Any, idempotency_key: str) -> Run | None:
    cursor.execute(statement("run_of_key"), {"idempotency_key": idempotency_key})
    row = cursor.fetchone()
    return None if row is None else _run(row)


def list_runs(cursor: Any, limit: int) -> list[Run]:
    cursor.execute(statement("runs"), {"limit": limit})
    return [_run(row) for row in cursor.fetchall()]


def find_live_runs(cursor: Any) -> frozenset[str]:
    cursor.execute(statement("live_runs"), {"grace_seconds": GRACE_SECONDS})
    return frozenset(row["run_id"] for row in cursor.fetchall())


def mark_dead(cursor: Any) -> list[str]:
    cursor.execute(statement("mark_dead_runs"), {"grace_seconds": GRACE_SECONDS})
    return [row["run_id"] for row in cursor.fetchall()]


def freeze(cursor: Any, run_id: str, table_name: str, window: FrozenWindow) -> None:
    cursor.execute(
        statement("freeze_table"),
        {
            "run_id": run_id,
            "table_name": table_name,
            "lower": window.lower,
            "upper": window.upper,
            "fingerprint": window.fingerprint,
            "rows": window.rows,
        },
    )


def find_frozen(cursor: Any, run_id: str) -> dict[str, FrozenWindow]:
    cursor.execute(statement("frozen_tables"), {"run_id": run_id})
    return {
        row["table_name"]: FrozenWindow(row["lower"], row["upper"], row["fingerprint"], row["rows"])
        for row in cursor.fetchall()
    }


def _run(row: Mapping[str, Any]) -> Run:
    facts = dict(row)
    facts["status"] = RunStatus(facts["status"])
    facts["destinations"] = tuple(Destination(name) for name in facts["destinations"])
    facts["tables"] = tuple(facts["tables"])
    return Run(**facts)
