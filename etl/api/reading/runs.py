"""A run, and a job's history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from etl.api.models import (
    LastRequest,
    Queueing,
    Retryable,
    Run,
    RunMetrics,
    RunPage,
    RunSummary,
    ValidationExample,
    ValidationSummary,
)
from etl.api.problems import ProblemError
from etl.api.reading.configuration_changes import changes_between
from etl.api.reading.ledger import Look, Row, looking
from etl.api.reading.states import ENDED, run_status
from etl.config.staging.models import FILE_TYPES
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ending import WORKER_GRACE_SECONDS

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_NOTHING = Retryable(
    batches=0, rows=0, permanent_batches=0, permanent_rows=0, has_unread_input=False, is_overtaken=False
)


@dataclass(frozen=True)
class Figures:
    """What is counted from the run's batches and not in its own row: dearer to read than all the rest."""

    batches: Row
    examples: list[ValidationExample]


def get_run(database: StagingDatabase, run_id: str) -> Run:
    """404 where there is none."""
    with looking(database, "read run") as look:
        row = run_row(look, run_id)
        if row is None:
            raise unknown_run(run_id)
        return run_of(look, row, figures_of(look, row))


def runs_of_job(
    database: StagingDatabase, job_id: str, limit: int, before: int | None, *, is_configured: bool
) -> RunPage:
    """404 where the job is neither configured nor known to the ledger."""
    with looking(database, "read the job's runs") as look:
        rows = look.rows("page_runs", run_id=None, job_id=job_id, before=before, limit=limit)
        is_known = bool(rows) or is_configured or bool(look.tuples("page_known_job", job_id=job_id))
    if not is_known:
        raise unknown_job(job_id)
    return RunPage(
        runs=[summary_of(row) for row in rows], next_before=rows[-1]["run_number"] if len(rows) == limit else None
    )


def require_run(database: StagingDatabase, run_id: str) -> None:
    with looking(database, "look for the run") as look:
        ((is_known,),) = look.tuples("page_run_exists", run_id=run_id)
    if not is_known:
        raise unknown_run(run_id)


def unknown_run(run_id: str) -> ProblemError:
    return ProblemError(404, "unknown_run", f"the ledger has no run {run_id}", "the job's history has those there are")


def unknown_job(job_id: str) -> ProblemError:
    return ProblemError(404, "unknown_job", f"there is no job {job_id}, neither configured nor in the ledger")


def run_row(look: Look, run_id: str) -> Row | None:
    return look.row("page_runs", run_id=run_id, job_id=None, before=None, limit=1)


def figures_of(look: Look, row: Row) -> Figures:
    run_id = row["id"]
    since = row["resumed_at"] or row["started_at"] or _BEGINNING
    batches = look.one("page_batch_figures", run_id=run_id, since=since)
    found = look.tuples("page_examples", run_id=run_id)
    return Figures(batches, [ValidationExample(batch_index=index, **example) for index, example in found])


def run_of(look: Look, row: Row, figures: Figures) -> Run:
    status = _status(row)
    is_ended = status in ENDED
    is_running = row["status"] == "running"
    root = f"/api/runs/{row['id']}"
    return Run(
        etl_job_id=row["etl_job_id"],
        etl_run_id=row["id"],
        revision=row["revision"],
        status=status,
        target_table=row["target_table"],
        batch_size=row["batch_size"],
        workers=row["workers"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        resumed_at=row["resumed_at"],
        loaded_at=figures.batches["loaded_at"],
        completed_at=row["finished_at"] if is_ended else None,
        requested_by=row["requested_by"],
        canceled_at=row["cancelled_at"],
        canceled_by=row["cancelled_by"],
        failure=row["failure"],
        host=row["host"],
        process_id=row["process_id"],
        silent_seconds=_seconds(row["heartbeat_at"], row["read_at"]) if is_running else None,
        is_ended=is_ended,
        may_cancel=not is_ended and row["cancelled_at"] is None,
        queueing=_queueing(look, row),
        last_request=LastRequest(**row["last_request"]) if row["last_request"] else None,
        metrics=_metrics(row, figures.batches),
        validation_summary=_validation(row, figures, root),
        retryable=_retryable(look, row, figures.batches, is_ended),
        configuration_changes=changes_between(row["success_parameters"], row["parameters"]),
        last_success=row["success_id"],
        logs_url=f"{root}/logs",
        metrics_download_url=f"{root}/metrics",
    )


def summary_of(row: Row) -> RunSummary:
    status = _status(row)
    return RunSummary(
        etl_job_id=row["etl_job_id"],
        etl_run_id=row["id"],
        revision=row["revision"],
        status=status,
        created_at=row["created_at"],
        started_at=row["started_at"],
        completed_at=row["finished_at"] if status in ENDED else None,
        batch_size=row["batch_size"],
        rows_attempted=row["rows_attempted"],
        rows_inserted=row["rows_inserted"],
        rows_updated=row["rows_updated"],
        rows_unchanged=row["rows_unchanged"],
        rows_rejected=row["rows_rejected"],
        batches_total=row["batches"],
        batches_failed=row["batches_failed"],
        requested_by=row["requested_by"],
        failure=row["failure"],
        configuration_changes=changes_between(row["success_parameters"], row["parameters"]),
    )


def _status(row: Row) -> str:
    return run_status(row["status"], row["phase"], has_open_request=row["request_id"] is not None)


def _seconds(since: datetime, until: datetime) -> float:
    return max(0.0, (until - since).total_seconds())


def _queueing(look: Look, row: Row) -> Queueing | None:
    if row["request_id"] is None or row["status"] == "running":
        return None
    ((ahead, workers),) = look.tuples("page_queueing", request_id=row["request_id"], grace_seconds=WORKER_GRACE_SECONDS)
    live = [] if row["request_is_forced"] else look.tuples("live_runs", job_id=row["etl_job_id"], with_queued=False)
    setback = row["request_setback"] if row["request_is_set_back"] else None
    return Queueing(
        requested_at=row["request_requested_at"],
        requested_by=row["request_requested_by"],
        ahead=ahead,
        workers=workers,
        waits_for=f"run {live[0][0]} of the same job is under way" if live else setback,
    )


def _metrics(row: Row, batches: Row) -> RunMetrics:
    begun = row["resumed_at"] or row["started_at"]
    elapsed = _seconds(begun, row["finished_at"] or row["read_at"]) if begun else 0.0
    return RunMetrics(
        rows_attempted=row["rows_attempted"],
        rows_inserted=row["rows_inserted"],
        rows_updated=row["rows_updated"],
        rows_unchanged=row["rows_unchanged"],
        rows_deduplicated=row["rows_deduplicated"],
        rows_rejected=row["rows_rejected"],
        rows_validated=row["rows_validated"],
        rows_invalid=row["rows_invalid"],
        batches_total=row["batches"],
        batches_succeeded=row["batches_succeeded"],
        batches_failed=row["batches_failed"],
        is_batches_total_final=row["input_ended_at"] is not None or row["finished_at"] is not None,
        retries=row["retries"],
        elapsed_seconds=elapsed,
        throughput_rps=int(batches["rows_since"]) / elapsed if elapsed > 0 else 0.0,
        batch_duration_ms_avg=batches["duration_ms_avg"],
        batch_duration_ms_p95=batches["duration_ms_p95"],
    )


def _validation(row: Row, figures: Figures, root: str) -> ValidationSummary:
    return ValidationSummary(
        required_field_errors=row["required_field_errors"],
        json_shape_errors=row["shape_errors"],
        rows_invalid=row["rows_invalid"],
        rows_rejected=row["rows_rejected"],
        examples=figures.examples,
        rejects_url=f"{root}/rejects",
        invalid_records_url=f"{root}/invalid",
    )


def _retryable(look: Look, row: Row, batches: Row, is_ended: bool) -> Retryable:
    if not is_ended or row["status"] == "success":
        return _NOTHING
    return Retryable(
        batches=batches["left_batches"],
        rows=int(batches["left_rows"]),
        permanent_batches=batches["permanent_batches"],
        permanent_rows=int(batches["permanent_rows"]),
        has_unread_input=row["input_ended_at"] is None and _can_be_read_on(row),
        is_overtaken=bool(look.tuples("newer_run", run_id=row["id"])),
    )


def _can_be_read_on(row: Row) -> bool:
    """It has begun, and its source is files."""
    return row["started_at"] is not None and row["parameters"].get("source", {}).get("type") in FILE_TYPES
