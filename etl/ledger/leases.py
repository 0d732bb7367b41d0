"""Who may load a table into a destination: rows with an end by the database's clock, no session locks."""

from __future__ import annotations

from typing import Any

from etl.ledger.runs import LEASE_SECONDS
from etl.ledger.statements import statement
from etl.model import Destination


def take(cursor: Any, run_id: str, table_name: str, destination: Destination) -> bool:
    """False where another live run holds it."""
    cursor.execute(
        statement("take_lease"),
        {
            "run_id": run_id,
            "table_name": table_name,
            "destination": str(destination),
            "lease_seconds": LEASE_SECONDS,
        },
    )
    return cursor.fetchone() is not None


def find_holder(cursor: Any, table_name: str, destination: Destination) -> str | None:
    cursor.execute(statement("lease"), {"table_name": table_name, "destination": str(destination)})
    row = cursor.fetchone()
    return None if row is None else str(row["run_id"])


def release(cursor: Any, run_id: str, table_name: str, destination: Destination) -> None:
    cursor.execute(
        statement("release_lease"), {"run_id": run_id, "table_name": table_name, "destination": str(destination)}
    )
