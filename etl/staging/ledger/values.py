"""What the staging ledger holds of runs, batches and rejects: its columns, in their order.

`status` of a run: pending, running, success, partial, failed, canceled;
of a batch: pending, running, retried, succeeded, failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar


@dataclass(frozen=True)
class NewRun:
    run_id: str
    job_id: str
    target_table: str
    batch_size: int
    workers: int
    description: str | None = None
    parameters: dict[str, Any] | None = None


@dataclass(frozen=True)
class Run:
    """As it stands, and as `--json` prints it. `silent_seconds`: the age of its last heartbeat; None after its end.
    `fencing_token`: of the orchestrator's attempt that it is, where an orchestrator started it."""

    id: str
    run_number: int
    etl_job_id: str
    status: str
    phase: str
    target_table: str
    batch_size: int
    workers: int
    parameters: dict[str, Any]
    host: str | None
    process_id: int | None
    created_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime
    input_ended_at: datetime | None
    finished_at: datetime | None
    cancelled_at: datetime | None
    cancelled_by: str | None
    failure: str | None
    batches: int
    batches_succeeded: int
    batches_failed: int
    rows_attempted: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_deduplicated: int
    rows_rejected: int
    rows_validated: int
    rows_invalid: int
    required_field_errors: int
    shape_errors: int
    retries: int
    resumed_at: datetime | None
    silent_seconds: float | None
    fencing_token: int | None = None
    requested_by: str | None = None
    revision: int = 1

    @property
    def ended_at(self) -> datetime:
        """Or when it was last heard of."""
        return self.finished_at or self.heartbeat_at

    @property
    def seconds(self) -> float:
        """Since it was taken up, of one that was retried: since then."""
        return (self.ended_at - (self.resumed_at or self.started_at or self.created_at)).total_seconds()


@dataclass(frozen=True)
class Batch:
    """As it stands, and as `--json` prints it."""

    etl_run_id: str
    batch_index: int
    status: str
    source_position: dict[str, Any]
    first_ordinal: int
    attempts: int
    rows_attempted: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_deduplicated: int
    rows_rejected: int
    rows_invalid: int
    required_field_errors: int
    shape_errors: int
    duration_ms: float | None
    started_at: datetime | None
    committed_at: datetime | None
    error_code: str | None
    error_message: str | None
    retry_timeline: list[dict[str, Any]]
    logs_fragment: list[dict[str, Any]]
    error_stack: str | None
    error_is_permanent: bool | None
    examples: list[dict[str, Any]]
    revision: int


@dataclass(frozen=True)
class BatchPlace:
    """Where a batch stands in the source. `is_permanent`: its last error is none that time mends."""

    batch_index: int
    source_position: dict[str, Any]
    is_permanent: bool = False


@dataclass(frozen=True)
class RejectedRecord:
    """`record` is the beginning of what was read."""

    ordinal: int
    batch_index: int
    source_position: dict[str, Any]
    reason: str
    message: str
    record: str


@dataclass(frozen=True)
class Request:
    """What was asked for: load, retry or cancel. `status`: queued, claimed, started, done, refused."""

    id: int
    etl_run_id: str
    etl_job_id: str
    action: str
    parameters: dict[str, Any]
    status: str
    requested_by: str


@dataclass(frozen=True)
class Waiting:
    """What is queued. `workers`: how many have been heard of lately; without one nothing begins."""

    etl_run_id: str
    action: str
    requested_by: str
    requested_at: datetime
    workers: int


Value = TypeVar("Value", Run, Batch, BatchPlace, RejectedRecord, Request, Waiting)


def of_row(kind: type[Value], row: Mapping[str, Any]) -> Value:
    return kind(**{each.name: row[each.name] for each in fields(kind)})
