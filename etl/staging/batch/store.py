"""Stores one prepared batch, come what may: retried where a retry may help, alone where it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event

import structlog
from psycopg2.extensions import cursor as Cursor
from tenacity import Retrying

from etl.errors import EtlError, FencedError, TerminalError
from etl.postgresql.sqlstates import CANCELED
from etl.retrying import OF_STAGING, Retry, retrying
from etl.staging.batch.fill import copy_lines, fill_rows
from etl.staging.batch.isolation import is_data_fault, unstorable
from etl.staging.batch.records import PreparedBatch, Reject, RejectReason
from etl.staging.batch.upsert import (
    Stored,
    Target,
    fits_a_statement,
    store_rows,
    upsert_parameters,
    without_rows,
)
from etl.staging.ledger.batch_events import batch_failed, batch_retried
from etl.staging.ledger.failures import Failure, failure_of
from etl.staging.ledger.journal import Journal
from etl.staging.ledger.ledger import Locate, StagingLedger
from etl.staging.watch.observers import Observer

StoreRows = Callable[[Cursor, Target, PreparedBatch], Stored]

log = structlog.get_logger(__name__)


class _StoredAlready(Exception):
    """Rolls back an attempt at a batch that an earlier one has stored."""


class _NotFilled(Exception):
    """The upsert has to say what is wrong, or that nothing is."""


class InFlight:
    """The batches that workers are at, for the heartbeat to tell."""

    def __init__(self) -> None:
        self._indexes: set[int] = set()
        self._guard = threading.Lock()

    def add(self, index: int) -> None:
        with self._guard:
            self._indexes.add(index)

    def remove(self, index: int) -> None:
        with self._guard:
            self._indexes.discard(index)

    def indexes(self) -> list[int]:
        with self._guard:
            return sorted(self._indexes)


@dataclass(frozen=True)
class BatchStore:
    """The workers share it."""

    ledger: StagingLedger
    target: Target
    observer: Observer
    retries: int
    cancelled: Event
    journal: Journal
    is_durable: bool = True
    """Whether each COMMIT waits for the server's disk. Batches that can be read again need not: the run's last COMMIT
    brings them there, and a crash before forgets them together with their entries in the ledger."""
    in_flight: InFlight = field(default_factory=InFlight)
    has_met: Event = field(default_factory=Event)
    """A record has met another of its source_id: the table is no longer filled by COPY."""

    def get_ready(self, batch: PreparedBatch) -> None:
        """What can be done before a worker takes the batch up: less for it to do between two statements."""
        places = range(len(batch.source_ids))
        if self.fills:
            batch.lines = copy_lines(self.target, batch)
        elif not self.target.asks_first and fits_a_statement(batch, places):
            batch.parameters = upsert_parameters(self.target, batch, places)

    @property
    def fills(self) -> bool:
        return self.target.is_empty and not self.has_met.is_set()

    def store(self, batch: PreparedBatch, locate: Locate) -> bool:
        """Whether it is stored. What fails is not raised: it stands in the ledger and the next batch goes on. But none
        goes on where the orchestrator has given this attempt up: FencedError."""
        started = time.perf_counter()
        self.in_flight.add(batch.index)
        try:
            batch, stored = self._retrying(batch)(self._attempt, batch, locate, started)
        except Exception as error:
            self._record_failure(batch, self._failure(error), time.perf_counter() - started)
            if isinstance(error, FencedError):
                raise
            return False
        finally:
            self.in_flight.remove(batch.index)
        self.observer.batch_stored(batch, stored, time.perf_counter() - started)
        return True

    def _attempt(self, batch: PreparedBatch, locate: Locate, started: float) -> tuple[PreparedBatch, Stored | None]:
        """The batch as it was stored; nothing stored where an earlier attempt had been after all."""
        if self.fills:
            with suppress(_NotFilled):
                return self._fill(batch, locate, started)
        try:
            return self._write(store_rows, batch, locate, started)
        except EtlError as error:
            kept = self._without_unstorable(batch) if is_data_error(error) else None
            if kept is None:
                raise
            return self._write(store_rows, kept, locate, started)

    def _fill(self, batch: PreparedBatch, locate: Locate, started: float) -> tuple[PreparedBatch, Stored | None]:
        try:
            return self._write(fill_rows, batch, locate, started)
        except FencedError:
            raise
        except TerminalError as error:
            # one bad record says nothing of the next batch; a source_id that stands does, and so does a table that
            # takes no COPY (row-level security)
            if not is_data_error(error):
                self.has_met.set()
            raise _NotFilled from error

    def _write(
        self, store: StoreRows, batch: PreparedBatch, locate: Locate, started: float
    ) -> tuple[PreparedBatch, Stored | None]:
        run_id = self.target.run_id
        with suppress(_StoredAlready), self.ledger.batch_transaction(run_id, is_durable=self.is_durable) as cursor:
            stored = store(cursor, self.target, batch)
            # their faults stand nowhere: they do not count
            counted = without_rows(batch, stored.superseded) if stored.superseded else batch
            if not self.ledger.complete_batch(cursor, run_id, counted, stored, locate, time.perf_counter() - started):
                raise _StoredAlready
            return counted, stored
        return batch, None

    def _without_unstorable(self, batch: PreparedBatch) -> PreparedBatch | None:
        """None where no single record is at fault."""
        with self.ledger.batch_transaction(self.target.run_id) as cursor:
            faults = unstorable(cursor, self.target, batch)
        if not faults:
            return None
        rejects = [
            Reject(batch.ordinals[place], RejectReason.UNSTORABLE, message, batch.documents[place])
            for place, message in faults.items()
        ]
        return replace(without_rows(batch, set(faults)), rejects=[*batch.rejects, *rejects])

    def _failure(self, error: Exception) -> Failure:
        failure = failure_of(error)
        if self.cancelled.is_set() and failure.code == CANCELED:
            return Failure("not_stored", "the run was cancelled while the batch waited for a lock", stack=failure.stack)
        return failure

    # Retries

    def _retrying(self, batch: PreparedBatch) -> Retrying:
        """A cancelled run does not wait."""
        heard = partial(self._record_retry, batch)
        return retrying(self.retries, 0, "batch retried", waits=OF_STAGING, ended=self.cancelled, heard=heard)

    def _record_retry(self, batch: PreparedBatch, retry: Retry) -> None:
        run_id, error = self.target.run_id, retry.error
        retry.say("batch retried", run_id=run_id, job=self.target.job_id, batch=batch.index)
        self.observer.batch_retried(batch)
        self.journal.add(batch_retried(run_id, batch.index, retry.attempt, failure_of(error), retry.wait_seconds))

    def _record_failure(self, batch: PreparedBatch, failure: Failure, seconds: float) -> None:
        log.error(
            "batch failed",
            run_id=self.target.run_id,
            job=self.target.job_id,
            batch=batch.index,
            error_code=failure.code,
            error=failure.message,
            next_step=f"retry --run {self.target.run_id} --batch {batch.index}",
        )
        self.observer.batch_failed(batch, failure)
        self.journal.add(batch_failed(self.target.run_id, batch, failure, seconds))


def is_data_error(error: EtlError) -> bool:
    """Whether some record is at fault."""
    return is_data_fault(failure_of(error).code, error.message)
