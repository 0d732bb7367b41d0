"""What goes wrong with batches, as the ledger is told of it: perhaps late, perhaps twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from etl.staging.batch.records import PreparedBatch


@dataclass(frozen=True)
class Failure:
    """Why an attempt at a batch failed."""

    code: str
    message: str


@dataclass(frozen=True)
class BatchEvent:
    """Something that happened to a batch, as the statement `name` is told it; it may be told twice."""

    name: str
    parameters: dict[str, Any]


def batch_retried(run_id: str, batch_index: int, attempt: int, failure: Failure, wait_seconds: float) -> BatchEvent:
    """As of now."""
    at = datetime.now(UTC).isoformat()
    entry = {
        "attempt": attempt,
        "at": at,
        "error_code": failure.code,
        "error_message": failure.message,
        "wait_seconds": round(wait_seconds, 3),
    }
    parameters = {"run_id": run_id, "batch_index": batch_index, "entry": orjson.dumps(entry).decode()}
    parameters |= {"logs": f"{at} attempt {attempt}: {failure.message}\n", **_failure(failure)}
    return BatchEvent("retry_batch", parameters)


def batch_failed(run_id: str, batch: PreparedBatch, failure: Failure, seconds: float) -> BatchEvent:
    """As of now."""
    parameters = {
        "run_id": run_id,
        "batch_index": batch.index,
        "rows_attempted": batch.rows_attempted,
        "duration_ms": seconds * 1000,
        "logs": f"{datetime.now(UTC).isoformat()} failed: {failure.message}\n",
        **_failure(failure),
    }
    return BatchEvent("fail_batch", parameters)


def _failure(failure: Failure) -> dict[str, Any]:
    return {"error_code": failure.code, "error_message": failure.message}
