"""Writes what a loader would into the ledger, at the moment that a test wants it."""

from __future__ import annotations

from typing import Any

from tests.databases import Execute


def empty_ledger(execute: Execute) -> None:
    execute(
        "TRUNCATE etl_run_requests, etl_workers, etl_run_rejects, etl_run_batches, etl_runs, etl_jobs, "
        "stg_orders, stg_returns CASCADE"
    )


def add_run(execute: Execute, run_id: str, job_id: str = "orders", **columns: Any) -> None:
    """Under way, unless `columns` say otherwise."""
    execute("INSERT INTO etl_jobs (id, target_table) VALUES (%s, 'stg_orders') ON CONFLICT DO NOTHING", (job_id,))
    values = {
        "id": run_id,
        "etl_job_id": job_id,
        "status": "running",
        "phase": "loading",
        "target_table": "stg_orders",
        "batch_size": 100,
        "started_at": "2026-01-01T00:00:00Z",
        **columns,
    }
    names = ", ".join(values)
    execute(f"INSERT INTO etl_runs ({names}) VALUES ({', '.join(['%s'] * len(values))})", tuple(values.values()))


def add_batches(execute: Execute, run_id: str, count: int, first: int = 0) -> None:
    execute(
        "INSERT INTO etl_run_batches (etl_run_id, batch_index, source_position, first_ordinal) "
        """SELECT %s, i, '{"records": 100}', i * 100 FROM generate_series(%s, %s) AS i""",
        (run_id, first, first + count - 1),
    )


def store_batch(execute: Execute, run_id: str, index: int) -> None:
    execute(
        "UPDATE etl_run_batches SET status = 'succeeded', committed_at = clock_timestamp(), attempts = attempts + 1, "
        "rows_attempted = 100, rows_inserted = 100, duration_ms = 5 WHERE (etl_run_id, batch_index) = (%s, %s)",
        (run_id, index),
    )


def fail_batch(execute: Execute, run_id: str, index: int, *, is_permanent: bool = False) -> None:
    execute(
        "UPDATE etl_run_batches SET status = 'failed', attempts = attempts + 1, error_code = '22P02', "
        "error_message = 'bad value', error_is_permanent = %s WHERE (etl_run_id, batch_index) = (%s, %s)",
        (is_permanent, run_id, index),
    )


def end_run(execute: Execute, run_id: str, status: str = "success") -> None:
    execute(
        "UPDATE etl_runs SET status = %s, phase = 'committing', finished_at = clock_timestamp(), "
        "input_ended_at = clock_timestamp() WHERE id = %s",
        (status, run_id),
    )


def queue_request(execute: Execute, run_id: str, action: str, job_id: str = "orders") -> None:
    execute(
        "INSERT INTO etl_run_requests (etl_run_id, etl_job_id, action, idempotency_key, request_hash, requested_by) "
        "VALUES (%s, %s, %s, %s, '', 'ada')",
        (run_id, job_id, action, f"{action}-{run_id}"),
    )
