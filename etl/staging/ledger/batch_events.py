"""What goes wrong with batches, as the ledger is told of it: perhaps late, perhaps twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from etl.staging.batch.records import PreparedBatch
from etl.staging.ledger.batch_log import as_json, entry
from etl.staging.ledger.failures import Failure


@dataclass(frozen=True)
class BatchEvent:
    """Something that happened to a batch, as the statement `name` is told it; it may be told twice."""

    name: str
    parameters: dict[str, Any]


def batch_retried(run_id: str, batch_index: int, attempt: int, failure: Failure, wait_seconds: float) -> BatchEvent:
    """As of now."""
    at, waits = datetime.now(UTC), {"wait_seconds": round(wait_seconds, 3)}
    told = {"error_code": failure.code, "error_message": failure.message, **waits}
    parameters = {
        "run_id": run_id,
        "batch_index": batch_index,
        "entry": as_json({"attempt": attempt, "at": at.isoformat(), **told}),
        "log": as_json({**entry("warning", "retried", told, at), "attempt": attempt}),
        **_failure(failure),
    }
    return BatchEvent("retry_batch", parameters)


def batch_failed(run_id: str, batch: PreparedBatch, failure: Failure, seconds: float) -> BatchEvent:
    """As of now."""
    told = {"error_code": failure.code, "error_message": failure.message, "is_permanent": failure.is_permanent}
    parameters = {
        "run_id": run_id,
        "batch_index": batch.index,
        "rows_attempted": batch.rows_attempted,
        "duration_ms": seconds * 1000,
        "log": as_json(entry("error", "failed", told)),
        **_failure(failure),
    }
    return BatchEvent("fail_batch", parameters)


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "error_code": failure.code,
        "error_message": failure.message,
        "error_stack": failure.stack,
        "error_is_permanent": failure.is_permanent,
    }
