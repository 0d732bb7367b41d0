"""What the ledger's runs and loads amount to, looked back on: one function a statement, on a cursor of the caller's."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from etl.alerts.findings import FEWEST_PACE_LOADS, FEWEST_ROWS, PACE_LOADS, Place, Standing
from etl.ledger.statements import statement

Row = TypeVar("Row")


@dataclass(frozen=True)
class RunSummary:
    """One run. `seconds` until now where it has not ended; rows and bytes are of all its loads together."""

    run_id: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    resumed_from: str | None
    failure: str | None
    seconds: float
    loads_success: int
    loads_unchanged: int
    loads_skipped: int
    loads_failed: int
    loads_open: int
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_rejected: int
    rows_deleted: int
    bytes_written: int


@dataclass(frozen=True)
class LoadTrend:
    """A table's loads into one destination over the last runs. Seconds and rows are of those that wrote something; None
    where none did."""

    table_name: str
    destination: str
    loads: int
    failures: int
    last_status: str
    median_seconds: float | None
    longest_seconds: float | None
    last_seconds: float | None
    median_rows_read: float | None
    last_rows_read: int | None


def summaries(cursor: Any, limit: int) -> list[RunSummary]:
    cursor.execute(statement("run_summaries"), {"limit": limit})
    return [_of(RunSummary, row) for row in cursor.fetchall()]


def trends(cursor: Any, runs: int, limit: int) -> list[LoadTrend]:
    cursor.execute(statement("load_trends"), {"runs": runs, "limit": limit})
    return [_of(LoadTrend, row) for row in cursor.fetchall()]


def paces(cursor: Any, run_id: str) -> dict[tuple[str, str], float]:
    """Rows a second by table and destination, of those loads of the run of which enough like it are known."""
    values = {"run_id": run_id, "fewest_rows": FEWEST_ROWS, "last": PACE_LOADS, "fewest_loads": FEWEST_PACE_LOADS}
    cursor.execute(statement("load_paces"), values)
    return {(row["table_name"], row["destination"]): row["rows_per_second"] for row in cursor.fetchall()}


def standings(cursor: Any) -> list[Standing]:
    cursor.execute(statement("standings"))
    return [
        Standing(
            Place(row["table_name"], row["destination"]),
            row["last_loaded_at"],
            row["now"],
            row["mark"],
            row["mark_since"],
        )
        for row in cursor.fetchall()
    ]


def _of(kind: type[Row], row: Any) -> Row:
    return kind(**{each.name: row[each.name] for each in fields(kind)})  # type: ignore[arg-type]
