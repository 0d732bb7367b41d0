"""Those who watch a run while it goes: metrics, a progress bar. What they hear stands in the ledger as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.values import Run


class Observer(Protocol):
    """Called from the workers' threads, side by side."""

    def run_started(self, run_id: str, job_id: str) -> None: ...

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        """`stored` is None where an earlier attempt turned out to have been stored."""

    def batch_retried(self, batch: PreparedBatch) -> None: ...

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None: ...

    def run_finished(self, run: Run) -> None: ...


class Observers:
    """Several as one."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def run_started(self, run_id: str, job_id: str) -> None:
        for each in self._observers:
            each.run_started(run_id, job_id)

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        for each in self._observers:
            each.batch_stored(batch, stored, seconds)

    def batch_retried(self, batch: PreparedBatch) -> None:
        for each in self._observers:
            each.batch_retried(batch)

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None:
        for each in self._observers:
            each.batch_failed(batch, failure)

    def run_finished(self, run: Run) -> None:
        for each in self._observers:
            each.run_finished(run)
