"""On a terminal: one bar that says how many records were stored, how fast, and what went wrong."""

from __future__ import annotations

import threading
import time

from rich.console import Console

from etl.command.bars import NO_ROWS, counted, rate, spinning
from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.values import Run


class ProgressBar:
    """An observer. The input's length is not known beforehand, so the bar pulses until the end."""

    def __init__(self, console: Console) -> None:
        self._progress = spinning(console, *counted("records"))
        self._guard = threading.Lock()
        self._records = 0
        self._notes = {"invalid": 0, "rejected": 0, "retries": 0, "failed batches": 0}

    def run_started(self, run_id: str, job_id: str) -> None:
        self._task = self._progress.add_task(f"{job_id} ({run_id})", total=None, **NO_ROWS)
        self._started = time.monotonic()
        self._progress.start()

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        self._note("invalid", batch.rows_invalid)
        self._note("rejected", len(batch.rejects))
        with self._guard:
            self._records += batch.rows_attempted
            speed = rate(self._records, time.monotonic() - self._started)
            self._progress.update(self._task, rows=self._records, rate=speed)

    def batch_retried(self, batch: PreparedBatch) -> None:
        self._note("retries", 1)

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None:
        self._note("failed batches", 1)

    def run_finished(self, run: Run) -> None:
        self._progress.stop()

    def _note(self, name: str, amount: int) -> None:
        with self._guard:
            self._notes[name] += amount
            notes = ", ".join(f"{count:,} {what}" for what, count in self._notes.items() if count)
        self._progress.update(self._task, notes=notes)
