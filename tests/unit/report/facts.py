"""Runs and loads to report, built by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from etl.model import ColumnDefinition, Destination, LoadResult, LoadStatus, RunStatus, WriteMode
from etl.report.values import MaintenanceReport, RunReport, TableReport

STARTED = datetime(2026, 11, 20, 21, 7, 33, 250_000, tzinfo=UTC)


@dataclass(frozen=True)
class Record:
    """A load as the ledger has it."""

    table_name: str = "orders"
    destination: Destination = Destination.S3
    status: str = "success"
    target: str | None = "s3a://bucket/data-lake/orders"
    mode: WriteMode | None = WriteMode.MERGE
    rows_read: int = 10
    rows_inserted: int = 4
    rows_updated: int = 1
    rows_unchanged: int = 1
    rows_skipped: int = 1
    rows_rejected: int = 2
    rows_deduplicated: int = 1
    rows_deleted: int = 3
    rows_trimmed: int = 2
    configuration: Mapping[str, Any] = field(default_factory=lambda: {"vanished_rows": "delete"})
    notes: tuple[str, ...] = ("a sentence",)
    seconds: float = 0.5
    files_read: int | None = None
    files_skipped: tuple[str, ...] = ()
    bytes_written: int = 0
    error_class: str | None = None
    error_message: str | None = None
    started_at: datetime | None = STARTED + timedelta(seconds=1)
    finished_at: datetime | None = STARTED + timedelta(seconds=1.5)
    next_columns: tuple[ColumnDefinition, ...] | None = None


@dataclass(frozen=True)
class Finished:
    """A run as the ledger has it."""

    run_id: str = "20261120T210733-ab12cd"
    status: RunStatus = RunStatus.PARTIAL
    started_at: datetime = STARTED
    finished_at: datetime | None = STARTED + timedelta(seconds=12.5)


def load(**changes: Any) -> TableReport:
    facts: dict[str, Any] = {
        "table": "orders",
        "destination": Destination.S3,
        "target": "s3a://bucket/data-lake/orders",
        "mode": WriteMode.MERGE,
        "status": LoadStatus.SUCCESS,
    }
    return TableReport(**{**facts, **changes})


MAINTAINED = MaintenanceReport(
    "orders", Destination.S3, "s3a://bucket/data-lake/orders", LoadStatus.SUCCESS, date(2026, 11, 1), 2, None, 3, 1.5
)
NOT_MAINTAINED = MaintenanceReport(
    "users", Destination.S3, "s3a://bucket/data-lake/users", LoadStatus.FAILED, error="no"
)


def run_report(*loads: TableReport, status: RunStatus = RunStatus.SUCCESS, rejects: int = 0) -> RunReport:
    return RunReport("20261120T210733-ab12cd", status, STARTED, STARTED + timedelta(seconds=12.5), loads, rejects)


def result(**changes: Any) -> LoadResult:
    facts: dict[str, Any] = {
        "table_name": "orders",
        "destination": Destination.S3,
        "target": "s3a://bucket/data-lake/orders",
        "mode": WriteMode.MERGE,
        "rows_in": 7,
        "rows_inserted": 5,
        "rows_updated": 2,
        "seconds": 0.25,
    }
    return LoadResult(**{**facts, **changes})
