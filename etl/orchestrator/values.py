"""What crosses the orchestrator's rooms. All frozen; times are the database's, in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class Trigger(StrEnum):
    SCHEDULE = "schedule"
    MANUAL = "manual"
    BACKFILL = "backfill"
    IMPORT = "import"


class JobKind(StrEnum):
    COMMAND = "command"
    """`command.argv`: a list of words, each a template of parameters."""
    SQL = "sql"
    """`command.sql` on `command.store`, postgresql or clickhouse; parameters are bound, not put in."""
    PYTHON = "python"
    """`command.callable`, `module:function`, called with the parameters in a child process."""


class WhenHeld(StrEnum):
    """What becomes of a run that is ready while another holds its concurrency key."""

    QUEUE = "queue"
    SKIP = "skip"
    FAIL = "fail"


class CatchUp(StrEnum):
    """What becomes of ticks that were missed; those not run are `skipped` runs."""

    SKIP = "skip"
    LAST = "last"
    ALL = "all"


class EventType(StrEnum):
    REQUESTED = "requested"
    READY = "ready"
    CLAIMED = "claimed"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRY_SCHEDULED = "retry_scheduled"
    SKIPPED = "skipped"
    CANCEL_REQUESTED = "cancel_requested"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    """The process group was told to end: by cancel, timeout, a lost lease, or the worker's own end."""
    KILLED = "killed"
    """It had not ended within the grace time."""
    TIMED_OUT = "timed_out"
    LOST = "lost"
    """The lease ran out: its worker is dead, stopped or cut off."""
    FENCED = "fenced"
    """A worker came back to an attempt that was no longer its own, and changed nothing."""
    HANDED_BACK = "handed_back"
    REOPENED = "reopened"
    LOCK_RELEASED = "lock_released"
    """By hand."""
    IMPORTED = "imported"


class ErrorType(StrEnum):
    """Where a failure showed itself."""

    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    SQLSTATE = "sqlstate"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    LOST = "lost"
    HELD = "held"
    START = "start"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Failure:
    """`error_class` names it (`StoreError`, `SIGKILL`, `40001`, `exit 1`); `is_transient` None: nobody knows."""

    error_type: ErrorType
    error_class: str
    message: str
    is_transient: bool | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Backoff:
    """Full jitter: anything up to first × 2^(attempt - 1), at most `longest`, seconds."""

    first_seconds: float
    longest_seconds: float


@dataclass(frozen=True)
class Claim:
    """An attempt that a worker owns; `fencing_token` goes with each of its writes."""

    run_id: int
    job_id: int
    slug: str
    layer: str
    kind: JobKind
    command: Mapping[str, Any]
    parameters: Mapping[str, Any]
    attempt: int
    maximum_attempts: int
    fencing_token: int
    worker_id: str
    correlation_id: str
    cycle_id: str
    scheduled_at: datetime
    interval_from: datetime | None
    interval_until: datetime | None
    started_at: datetime
    """Of the first attempt."""
    retry_until: datetime | None
    backoff: Backoff
    timeout_seconds: float | None
    grace_seconds: float
    queued_seconds: float | None = None
    """Since it was ready, for this attempt."""


@dataclass(frozen=True)
class Counts:
    """Rows that an attempt read and wrote, as the ledgers of its tools have them; None: no tool said."""

    records_read: int | None = None
    records_written: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
