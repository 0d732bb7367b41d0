"""Who may load a table into a destination: rows with an end by the database's clock, no session locks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
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


@dataclass(frozen=True)
class Holder:
    """Another run, and since when it has the lease; UTC, by the database's clock."""

    run_id: str
    since: datetime

    def __str__(self) -> str:
        return f"run {self.run_id}, which has been loading it since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def find_holder(cursor: Any, table_name: str, destination: Destination) -> Holder | None:
    """None where nobody holds it any more."""
    cursor.execute(statement("lease"), {"table_name": table_name, "destination": str(destination)})
    row = cursor.fetchone()
    return None if row is None else Holder(str(row["run_id"]), row["acquired_at"])


def release(cursor: Any, run_id: str, table_name: str, destination: Destination) -> None:
    cursor.execute(
        statement("release_lease"), {"run_id": run_id, "table_name": table_name, "destination": str(destination)}
    )
