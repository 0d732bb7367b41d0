"""On a terminal: one bar that says how many records were stored, how fast, and what went wrong."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.batch_events import Failure
from etl.staging.ledger.values import Run


class ProgressBar:
    """An observer. The input's length is not known beforehand, so the bar pulses until the end."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,.0f} records  {task.fields[speed]:,.0f}/s  {task.fields[notes]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._guard = threading.Lock()
        self._notes = {"invalid": 0, "rejected": 0, "retries": 0, "failed batches": 0}

    def run_started(self, run_id: str, job_id: str) -> None:
        self._task = self._progress.add_task(f"{job_id} ({run_id})", total=None, speed=0.0, notes="")
        self._progress.start()

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        self._note("invalid", batch.rows_invalid)
        self._note("rejected", len(batch.rejects))
        self._progress.advance(self._task, batch.rows_attempted)
        (task,) = (each for each in self._progress.tasks if each.id == self._task)
        self._progress.update(self._task, speed=task.completed / task.elapsed if task.elapsed else 0.0)

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
