"""The facts of a run as they are reported: one value a load, one a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from etl.config.destinations.registry import in_order
from etl.model import HELD_AS_TEXT, Destination, LoadStatus, RunStatus, WriteMode


class RecordedRun(Protocol):
    """What the ledger knows of a run (etl.ledger.Run)."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> RunStatus: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def finished_at(self) -> datetime | None: ...


class RecordedLoad(Protocol):
    """What the ledger knows of a load (etl.ledger.LoadRecord)."""

    @property
    def table_name(self) -> str: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def status(self) -> str: ...
    @property
    def target(self) -> str | None: ...
    @property
    def mode(self) -> WriteMode | None: ...
    @property
    def rows_read(self) -> int: ...
    @property
    def rows_inserted(self) -> int: ...
    @property
    def rows_updated(self) -> int: ...
    @property
    def rows_unchanged(self) -> int: ...
    @property
    def rows_skipped(self) -> int: ...
    @property
    def rows_rejected(self) -> int: ...
    @property
    def rows_deduplicated(self) -> int: ...
    @property
    def rows_deleted(self) -> int: ...
    @property
    def rows_trimmed(self) -> int: ...
    @property
    def notes(self) -> tuple[str, ...]: ...
    @property
    def seconds(self) -> float: ...
    @property
    def files_read(self) -> int | None: ...
    @property
    def files_skipped(self) -> tuple[str, ...]: ...
    @property
    def configuration(self) -> Mapping[str, Any]: ...
    @property
    def bytes_written(self) -> int: ...
    @property
    def error_class(self) -> str | None: ...
    @property
    def error_message(self) -> str | None: ...


class RecordedMaintenance(Protocol):
    """What the ledger knows of a target's upkeep (etl.ledger.MaintenanceRecord)."""

    @property
    def table_name(self) -> str: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def target(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def deleted_before(self) -> date | None: ...
    @property
    def days_deleted(self) -> int: ...
    @property
    def rows_deleted(self) -> int | None: ...
    @property
    def files_joined(self) -> int: ...
    @property
    def seconds(self) -> float: ...
    @property
    def error_message(self) -> str | None: ...


@dataclass(frozen=True)
class MaintenanceReport:
    """A target's upkeep. `deleted_before` is None where the table keeps all days, `rows_deleted` where nobody counted;
    `error` is there only where it failed."""

    table: str
    destination: Destination
    target: str
    status: LoadStatus
    deleted_before: date | None = None
    days_deleted: int = 0
    rows_deleted: int | None = 0
    files_joined: int = 0
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True)
class TableReport:
    """One load. `target`, `mode` and `vanished_rows` are None where it failed before they were known; `error` is there
    only where it failed."""

    table: str
    destination: Destination
    target: str | None
    mode: WriteMode | None
    status: LoadStatus
    rows_read: int = 0
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_unchanged: int = 0
    rows_skipped: int = 0
    rows_rejected: int = 0
    rows_deduplicated: int = 0
    rows_deleted: int = 0
    rows_trimmed: int = 0
    vanished_rows: str | None = None
    seconds: float = 0.0
    files_read: int | None = None
    files_skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held_as_text: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class RunReport:
    """One run, its loads in the order of table and destination.

    `rejects` is how many rejected rows the ledger keeps of it: a row that no destination got is one of them, and counts
    as rejected in the load of each. `retries` are the driver's, whatever was tried again.
    """

    run_id: str
    status: RunStatus
    started_at: datetime
    finished_at: datetime
    loads: tuple[TableReport, ...]
    rejects: int = 0
    retries: int = 0
    maintenance: tuple[MaintenanceReport, ...] = ()

    def count(self, status: LoadStatus) -> int:
        return sum(load.status is status for load in self.loads)

    @property
    def failed(self) -> tuple[TableReport, ...]:
        return tuple(load for load in self.loads if load.status is LoadStatus.FAILED)

    @property
    def destinations(self) -> tuple[Destination, ...]:
        present = {load.destination for load in self.loads}
        return in_order(present)


def report_load(record: RecordedLoad) -> TableReport:
    """A load that never ended is reported as failed: its run has."""
    has_ended = record.status not in ("pending", "running")
    status = LoadStatus(record.status) if has_ended else LoadStatus.FAILED
    return TableReport(
        table=record.table_name,
        destination=record.destination,
        target=record.target,
        mode=record.mode,
        status=status,
        rows_read=record.rows_read,
        rows_inserted=record.rows_inserted,
        rows_updated=record.rows_updated,
        rows_unchanged=record.rows_unchanged,
        rows_skipped=record.rows_skipped,
        rows_rejected=record.rows_rejected,
        rows_deduplicated=record.rows_deduplicated,
        rows_deleted=record.rows_deleted,
        rows_trimmed=record.rows_trimmed,
        vanished_rows=record.configuration.get("vanished_rows"),
        seconds=record.seconds,
        files_read=record.files_read,
        files_skipped=record.files_skipped,
        notes=record.notes,
        held_as_text=record.configuration.get(HELD_AS_TEXT, {}),
        error=_error(record, has_ended) if status is LoadStatus.FAILED else None,
    )


def report_maintenance(record: RecordedMaintenance) -> MaintenanceReport:
    """One that never ended is reported as failed: its run has."""
    has_succeeded = record.status == LoadStatus.SUCCESS
    return MaintenanceReport(
        record.table_name,
        record.destination,
        record.target,
        LoadStatus.SUCCESS if has_succeeded else LoadStatus.FAILED,
        record.deleted_before,
        record.days_deleted,
        record.rows_deleted,
        record.files_joined,
        record.seconds,
        None if has_succeeded else record.error_message or "the run ended before this upkeep did",
    )


def report_of(
    run: RecordedRun,
    records: Iterable[RecordedLoad],
    rejects: int = 0,
    retries: int = 0,
    maintenance: Iterable[RecordedMaintenance] = (),
) -> RunReport:
    """A finished run's report."""
    if run.finished_at is None:
        raise ValueError(f"run {run.run_id} has not finished: finish it before it is reported")
    loads = sorted(map(report_load, records), key=lambda load: (load.table, load.destination))
    kept = sorted(map(report_maintenance, maintenance), key=lambda one: (one.table, one.destination))
    return RunReport(
        run.run_id, run.status, run.started_at, run.finished_at, tuple(loads), rejects, retries, tuple(kept)
    )


def _error(record: RecordedLoad, has_ended: bool) -> str:
    if not has_ended:
        return f"the run ended before this load did (it was {record.status})"
    return record.error_message or "no message"
