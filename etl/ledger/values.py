"""What the ledger takes and gives back. All frozen; times are the database's, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from etl.model import ColumnDefinition, Destination, RunStatus, WriteMode


class LoadState(StrEnum):
    """A load's status in the ledger: model.LoadStatus, and the two before its end."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def is_published(self) -> bool:
        return self in (LoadState.SUCCESS, LoadState.UNCHANGED, LoadState.SKIPPED)


class RejectStatus(StrEnum):
    REJECTED = "rejected"  # final
    WAITING = "waiting"  # an orphan, replayed by later runs
    RESOLVED = "resolved"  # a waiting row that got in


@dataclass(frozen=True)
class NewRun:
    """`options` is the effective command line and configuration; what looks like a secret in it is masked.
    `idempotency_key` is by which name whoever starts it will ask for it again."""

    destinations: tuple[Destination, ...]
    tables: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    resumed_from: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Run:
    """`run_number` grows from run to run; `failure` says why a run that did not end by itself is failed.
    `fencing_token` is of the orchestrator's attempt that it is, where an orchestrator started it."""

    run_id: str
    run_number: int
    status: RunStatus
    destinations: tuple[Destination, ...]
    tables: tuple[str, ...]
    options: Mapping[str, Any]
    resumed_from: str | None
    failure: str | None
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    fencing_token: int | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True)
class FrozenWindow:
    """The part of a table that a run reads: after `lower` (None: from the beginning) up to and with `upper`."""

    lower: str | None
    upper: str | None
    fingerprint: str | None
    rows: int | None


@dataclass(frozen=True)
class LoadPlan:
    """What is known of a load before a store is touched.

    `rows_rejected`, `rows_deduplicated` and `rows_filtered` are the transform's; the loader's own rejects are added
    when the load completes, and filtered rows count as skipped. The `next_…` values become the watermark then; a load
    with neither mark nor fingerprint (a backfill), or one that is skipped as a whole, leaves the watermark alone.
    """

    table_name: str
    destination: Destination
    target: str
    mode: WriteMode
    configuration: Mapping[str, Any] = field(default_factory=dict)
    rows_read: int = 0
    rows_rejected: int = 0
    rows_deduplicated: int = 0
    rows_filtered: int = 0
    next_watermark: str | None = None
    next_fingerprint: str | None = None
    next_tail: str | None = None
    config_hash: str | None = None
    files_read: int | None = None
    files_skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    next_columns: tuple[ColumnDefinition, ...] | None = None
    rows_trimmed: int = 0
    next_snapshot: str | None = None


@dataclass(frozen=True)
class LoadRecord:
    """One load as it stands. `target` and `mode` are None for one that is pending or failed before it was begun."""

    run_id: str
    table_name: str
    destination: Destination
    status: LoadState
    target: str | None
    mode: WriteMode | None
    configuration: Mapping[str, Any]
    rows_read: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_skipped: int
    rows_rejected: int
    rows_deduplicated: int
    rows_filtered: int
    rows_deleted: int
    bytes_written: int
    seconds: float
    next_watermark: str | None
    next_fingerprint: str | None
    next_tail: str | None
    config_hash: str | None
    skipped_reason: str | None
    error_class: str | None
    error_message: str | None
    stack_trace: str | None
    started_at: datetime | None
    finished_at: datetime | None
    files_read: int | None
    files_skipped: tuple[str, ...]
    notes: tuple[str, ...] = ()
    next_columns: tuple[ColumnDefinition, ...] | None = None
    rows_trimmed: int = 0
    next_snapshot: str | None = None

    def as_planned(self, target: str, mode: WriteMode) -> LoadPlan:
        """What was known of the load before its store was touched."""
        known = {each.name: getattr(self, each.name) for each in fields(LoadPlan)}
        return LoadPlan(**known | {"target": target, "mode": mode})


@dataclass(frozen=True)
class MaintenanceRecord:
    """A target's upkeep by one run (model.MaintenanceResult); `status` is running, success or failed."""

    run_id: str
    table_name: str
    destination: Destination
    target: str
    status: str
    deleted_before: date | None
    days_deleted: int
    rows_deleted: int | None
    files_joined: int
    seconds: float
    error_class: str | None
    error_message: str | None
    stack_trace: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Watermark:
    """How far a destination holds a table.

    `mark` is the watermark column's upper value (None for tables read whole), `fingerprint` that of the whole source
    table, `tail` that of the rows a next run would read again (the overlap below the mark), `config_hash` that of the
    configuration it was loaded with, `columns` the source's columns then (None where nobody wrote them down),
    `snapshot` what of the source was visible then (None where its transactions are not followed).
    """

    table_name: str
    destination: Destination
    mark: str | None
    fingerprint: str | None
    tail: str | None
    config_hash: str | None
    target: str
    run_id: str
    updated_at: datetime
    columns: tuple[ColumnDefinition, ...] | None = None
    snapshot: str | None = None


@dataclass(frozen=True)
class Reject:
    """A row that is left out for good; `row` is its JSON text, already masked as the table says."""

    rule: str
    reason: str
    row: str


@dataclass(frozen=True)
class RejectRecord:
    """`destination` is None for rows that the transform rejected: no destination got them.

    `row` and `key` are JSON texts: every digit as the ledger holds it.
    """

    reject_id: int
    run_id: str
    table_name: str
    destination: Destination | None
    rule: str
    reason: str
    row: str
    status: RejectStatus
    key: str | None
    created_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class RejectedExtent:
    """The rows of one table that a rule rejected for one destination (None: for all), and where their marks reach.

    `last_reject_id` is the latest of their entries; `is_marked` says whether each has a mark.
    """

    destination: Destination | None
    rows: int
    last_reject_id: int
    first_mark: str | None
    last_mark: str | None
    is_marked: bool


@dataclass(frozen=True)
class RejectedRule:
    """How many rows of one table a rule kept from one destination (None: from all)."""

    table_name: str
    destination: Destination | None
    rule: str
    rows: int


@dataclass(frozen=True)
class RejectFilter:
    """None takes all."""

    run_id: str | None = None
    table_name: str | None = None
    rule: str | None = None
    status: RejectStatus | None = None
