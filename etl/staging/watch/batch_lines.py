"""A line of the log for each batch, where programs read it: how many rows, in how many milliseconds."""

from __future__ import annotations

import structlog

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.values import Run

log = structlog.get_logger(__name__)

_NOTHING = Stored(0, 0, 0, 0)


class BatchLines:
    """An observer. What fails or is tried again is logged where it happens, for everybody."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def run_started(self, run_id: str, job_id: str) -> None:
        self._known = {"run_id": run_id, "job": job_id}

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        log.info(
            "batch stored",
            **self._known,
            batch=batch.index,
            rows_attempted=batch.rows_attempted,
            **(stored or _NOTHING).counts,
            rows_rejected=len(batch.rejects),
            rows_invalid=batch.rows_invalid,
            milliseconds=round(seconds * 1000, 1),
            **({} if stored else {"by": "an earlier attempt"}),
        )

    def batch_retried(self, batch: PreparedBatch) -> None: ...

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None: ...

    def run_finished(self, run: Run) -> None: ...
