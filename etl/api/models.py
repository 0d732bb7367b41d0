"""What the API says and takes; the OpenAPI document, and from it the page's TypeScript client, come from these.

Instants are UTC, ISO 8601. `revision` of a run or batch grows with each of its changes: of two states the one with the
larger is newer, however they came.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from etl.config.staging.models import LARGEST_BATCH, SMALLEST_BATCH
from etl.staging.ledger import run_ids

RUN_ID = f"^{run_ids.RUN_ID}$"

RunId = Annotated[str, Field(pattern=RUN_ID, max_length=128)]
Count = Annotated[int, Field(ge=0)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# --- states ---------------------------------------------------------------------------------------------------------


class RunStatus(StrEnum):
    """`idle`: a job that has no run. The other ones are mapped from the ledger, see docs/page.md."""

    IDLE = "idle"
    QUEUED = "queued"
    VALIDATING = "validating"
    LOADING = "loading"
    COMMITTING = "committing"
    PARTIAL_SUCCESS = "partial_success"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELED = "canceled"


class BatchStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    RETRIED = "retried"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class RequestAction(StrEnum):
    LOAD = "load"
    RETRY = "retry"


class RequestStatus(StrEnum):
    """`refused`: its load ended before it began the run; `withdrawn`: it was cancelled before."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    STARTED = "started"
    DONE = "done"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"


# --- runs -----------------------------------------------------------------------------------------------------------


class RunMetrics(Model):
    """Of a run under way: so far. `throughput_rps`: rows stored a second since the run was taken up."""

    rows_attempted: Count
    rows_inserted: Count
    rows_updated: Count
    rows_unchanged: Count
    rows_deduplicated: Count
    rows_rejected: Count
    rows_validated: Count
    rows_invalid: Count
    batches_total: Count
    batches_succeeded: Count
    batches_failed: Count
    is_batches_total_final: bool
    """False while the input is still being read: `batches_total` is what has been cut so far."""
    retries: Count
    elapsed_seconds: float
    throughput_rps: float
    batch_duration_ms_avg: float | None
    batch_duration_ms_p95: float | None


class ValidationExample(Model):
    """`path`: a JSON Pointer into the record; `sample_value`: what stood there as JSON text, its beginning."""

    kind: str
    """`required`, `shape`, or `instant` (its `source_updated_at`)."""
    path: str
    message: str
    sample_value: str | None
    source_id: str | None
    batch_index: Count
    ordinal: Count


class ValidationSummary(Model):
    required_field_errors: Count
    json_shape_errors: Count
    rows_invalid: Count
    rows_rejected: Count
    examples: list[ValidationExample]
    """The first ten, in the order of the input."""
    rejects_url: str
    invalid_records_url: str


class Retryable(Model):
    """What `retry` would run. `permanent_*`: of these, batches whose error will not pass by itself."""

    batches: Count
    rows: Count
    permanent_batches: Count
    permanent_rows: Count
    has_unread_input: bool
    """It could be read on; of a query or standard input never, which can be read once."""
    is_overtaken: bool
    """A later run of the job has stored something since: a retry would be refused."""


class Queueing(Model):
    """Why a queued run has not begun."""

    requested_at: datetime
    requested_by: str
    ahead: Count
    """Requests that were made before."""
    workers: Count
    """Processes of `etl staging worker` that have been heard of lately; without one nothing begins."""
    waits_for: str | None
    """What else it waits for, in words."""


class LastRequest(Model):
    """The latest load or retry of the run that was put into the queue, and what became of it."""

    id: int
    action: RequestAction
    status: RequestStatus
    requested_by: str
    refusal: str | None
    """Of `refused` and `withdrawn`, in words."""
    at: datetime
    """When it came to this status."""


class ConfigurationChange(Model):
    """A key of the job's configuration (dotted) that differs; values as JSON text, None where the key is absent."""

    key: str
    before: str | None
    after: str | None


class RunSummary(Model):
    """A line of a job's history."""

    etl_job_id: str
    etl_run_id: str
    revision: Count
    status: RunStatus
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    batch_size: int
    rows_attempted: Count
    rows_inserted: Count
    rows_updated: Count
    rows_unchanged: Count
    rows_rejected: Count
    batches_total: Count
    batches_failed: Count
    requested_by: str | None
    failure: str | None
    configuration_changes: list[ConfigurationChange]
    """Since the job's last success before this run; empty where there was none."""


class Run(Model):
    etl_job_id: str
    etl_run_id: str
    revision: Count
    status: RunStatus
    target_table: str
    batch_size: int
    workers: int
    created_at: datetime
    started_at: datetime | None
    resumed_at: datetime | None
    """When a retry took the run up again."""
    loaded_at: datetime | None
    """When its latest batch was stored."""
    completed_at: datetime | None
    requested_by: str | None
    canceled_at: datetime | None
    canceled_by: str | None
    failure: str | None
    host: str | None
    process_id: int | None
    silent_seconds: float | None
    """Age of its last heartbeat; None after its end."""
    is_ended: bool
    may_cancel: bool
    queueing: Queueing | None
    last_request: LastRequest | None
    """None of a run that a command line or an orchestrator began."""
    metrics: RunMetrics
    validation_summary: ValidationSummary
    retryable: Retryable
    configuration_changes: list[ConfigurationChange]
    last_success: str | None
    """The run that `configuration_changes` compares with."""
    logs_url: str
    metrics_download_url: str


# --- batches --------------------------------------------------------------------------------------------------------


class BatchRow(Model):
    """A line of the table of batches."""

    index: Count
    revision: Count
    status: BatchStatus
    attempts: Count
    records: Count
    """What it was cut with; `rows_attempted`, and all that is counted of it, stand from its first end on."""
    rows_attempted: Count
    rows_inserted: Count
    rows_updated: Count
    rows_unchanged: Count
    rows_rejected: Count
    validation_failures: Count
    duration_ms: float | None
    retries: Count
    started_at: datetime | None
    committed_at: datetime | None
    error_code: str | None
    error_message: str | None
    error_is_permanent: bool | None
    """True where a retry alone will not help; None without an error."""


class LogEntry(Model):
    """One line of a batch's log; `detail`: whatever else was logged, by name."""

    at: datetime
    level: str
    event: str
    attempt: int | None = None
    detail: dict[str, Any] = {}


class RetryEntry(Model):
    attempt: Count
    at: datetime
    error_code: str
    error_message: str
    wait_seconds: float


class Batch(BatchRow):
    """With what its expanded row shows."""

    source_position: dict[str, Any]
    first_ordinal: Count
    logs_fragment: list[LogEntry]
    error_stack: str | None
    retry_timeline: list[RetryEntry]
    examples: list[ValidationExample]


class BatchPage(Model):
    """In the order of their index; `next_after`: for the next page, None on the last."""

    batches: list[BatchRow]
    next_after: int | None


class Change(Model):
    """What has changed since an event's id: the data of the event `change`, and the answer of `changes`.

    Batches may come twice; the larger revision counts. `is_last`: the run has ended, nothing else will come.
    `is_complete`: what was known of the run and its batches is to be forgotten: these are all, or the next changes
    bring the others. So after the database was away, which may have forgotten its last moments.
    """

    id: str
    run: Run
    batches: list[BatchRow]
    is_last: bool
    is_complete: bool


# --- jobs -----------------------------------------------------------------------------------------------------------


class JobSummary(Model):
    etl_job_id: str
    description: str | None
    target_table: str
    source_type: str
    is_configured: bool
    """False: the ledger knows runs of it, the configuration no longer does; it cannot be started."""
    last_run: RunSummary | None


class JobOrder(StrEnum):
    """`match`: the best first, then by id. `last_run`: the latest first, then those that never ran, by id."""

    MATCH = "match"
    LAST_RUN = "last_run"


class JobPage(Model):
    jobs: list[JobSummary]
    total: Count
    """Of all that match."""


class Job(Model):
    etl_job_id: str
    description: str | None
    target_table: str
    source_type: str
    source: str
    """In words: the paths, or `query`; no secrets."""
    is_configured: bool
    batch_size: int | None
    batch_size_from: str | None
    """`environment` (ETL_BATCH_SIZE), `job` or `default`."""
    source_id: str | None
    source_updated_at: str | None
    required: list[str]
    skip_unchanged: bool | None
    live_run_id: str | None
    """The run of this job that is queued or under way."""
    last_run: RunSummary | None


class RunPage(Model):
    """The latest first; `next_before`: for the next page."""

    runs: list[RunSummary]
    next_before: int | None


class Worker(Model):
    host: str
    process_id: int
    started_at: datetime
    heartbeat_at: datetime
    is_alive: bool
    loads: Count
    maximum_loads: Count


class WorkerList(Model):
    workers: list[Worker]


class Health(Model):
    status: str
    is_configuration_current: bool
    """False: the files have changed and could not be taken; the log of this process says why."""


# --- what is asked --------------------------------------------------------------------------------------------------


class StartRun(Model):
    """`force`: although a run of the job is queued or under way."""

    etl_run_id: RunId
    batch_size: Annotated[int, Field(ge=SMALLEST_BATCH, le=LARGEST_BATCH)] | None = None
    force: bool = False


class RetryRun(Model):
    """`batch_indexes`: None means all that are left. `includes_permanent`: also those that time will not mend."""

    batch_indexes: (
        Annotated[list[Annotated[int, Field(ge=0, le=2_147_483_647)]], Field(min_length=1, max_length=10_000)] | None
    ) = None
    includes_permanent: bool = False


class SignIn(Model):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=1000)]


class User(Model):
    name: str
    role: Role


class SingleSignOn(Model):
    """OpenID Connect, where it is configured."""

    name: str
    url: str


class Session(Model):
    """`csrf_token` goes into the header X-CSRF-Token of everything but GET."""

    user: User | None
    csrf_token: str
    has_passwords: bool
    single_sign_on: SingleSignOn | None


class Problem(Model):
    """application/problem+json (RFC 9457). `next_step`: what to do about it, in words."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """For programs: `unknown_run`, `unknown_job`, `unknown_batch`, `run_id_taken`, `job_is_running`, `run_is_running`,
    `run_has_ended`, `run_is_overtaken`, `nothing_to_retry`, `no_permission`, `not_signed_in`, `bad_credentials`,
    `too_many_attempts`, `forged_request`, `invalid`, `idempotency_key_reused`, `database_unavailable`,
    `ledger_missing`, `table_missing`, `too_many_streams`, `too_many_downloads`, `too_large`,
    `cannot_be_started`, `not_found`, `method_not_allowed`, `internal`."""
    detail: str
    next_step: str | None = None
    fields: dict[str, str] = {}
    """Of `invalid`: what is wrong, by field."""
