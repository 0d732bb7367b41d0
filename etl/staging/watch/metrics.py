"""Prometheus metrics of a run. Names and meanings: docs/staging.md."""

from __future__ import annotations

import threading
from array import array
from statistics import quantiles

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from etl.command.metrics import RunMetrics
from etl.retrying import RETRIES
from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.ledger.values import Run

_LABELS = ("staging_job",)
_BUCKETS_MS = (5, 10, 15, 20, 30, 40, 60, 80, 120, 200, 400, 800, 1600, 5000, 15000, 60000)


class Metrics(RunMetrics):
    """An observer. Every series carries `staging_job`, since `job` is what a scraper calls itself.

    The run is in the ledger, where it costs no series of its own.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.registry.register(RETRIES)
        self._job = "unknown"
        self._counters = {
            name: Counter(f"staging_{name}", text, _LABELS, registry=self.registry)
            for name, text in (
                ("rows_inserted", "Rows that were not in the table before."),
                ("rows_updated", "Rows whose record replaced an older one."),
                ("rows_unchanged", "Rows whose record was equal to the stored one."),
                ("rows_deduplicated", "Records that a later one of the same source_id stood for."),
                ("rows_rejected", "Records that could not be stored at all."),
                ("rows_invalid", "Rows stored with is_valid = false."),
                ("batches", "Batches stored."),
                ("batch_failures", "Batches that failed for good."),
                ("retries", "Attempts at a batch that were made again."),
            )
        }
        self._duration = Histogram(
            "staging_batch_duration_ms",
            "Milliseconds from a batch's first attempt to its commit.",
            _LABELS,
            buckets=_BUCKETS_MS,
            registry=self.registry,
        )
        self._p95 = Gauge(
            "staging_batch_duration_ms_p95",
            "95th percentile of the run's batches so far: a run that is pushed moves no rate over buckets.",
            _LABELS,
            registry=self.registry,
        )
        self._durations_ms = array("d")
        self._attempted, self._bad, self._counting = 0, 0, threading.Lock()
        self._error_rate = Gauge(
            "staging_error_rate",
            "Share of the run's records so far that were invalid, rejected or in a failed batch.",
            _LABELS,
            registry=self.registry,
        )
        self._finished = Gauge(
            "staging_run_finished_seconds", "When the last run ended (Unix time).", _LABELS, registry=self.registry
        )
        self._succeeded = Gauge(
            "staging_run_success", "1 where the last run was a success, else 0.", _LABELS, registry=self.registry
        )

    def pushed_as(self) -> tuple[str, dict[str, str]]:
        return f"staging_{self._job}", {}

    def run_started(self, run_id: str, job_id: str) -> None:
        self._job = job_id
        for counter in self._counters.values():
            counter.labels(job_id)  # a series that stands at 0 can be alerted on
        self._p95.labels(job_id).set_function(lambda: _p95(self._durations_ms))
        self._error_rate.labels(job_id).set_function(self._error_rate_so_far)

    def batch_stored(self, batch: PreparedBatch, stored: Stored | None, seconds: float) -> None:
        self._duration.labels(self._job).observe(seconds * 1000)
        self._durations_ms.append(seconds * 1000)
        self._add("batches", 1)
        self._count(batch.rows_attempted, len(batch.rejects) + batch.rows_invalid)
        if stored is None:
            return
        for name, rows in stored.counts.items():
            self._add(name, rows)
        self._add("rows_rejected", len(batch.rejects))
        self._add("rows_invalid", batch.rows_invalid)

    def batch_retried(self, batch: PreparedBatch) -> None:
        self._add("retries", 1)

    def batch_failed(self, batch: PreparedBatch, failure: Failure) -> None:
        self._add("batch_failures", 1)
        self._count(batch.rows_attempted, batch.rows_attempted)

    def run_finished(self, run: Run) -> None:
        stored = sum(getattr(run, f"rows_{name}") for name in ("inserted", "updated", "unchanged", "deduplicated"))
        with self._counting:  # as the ledger has it, also of batches that never began
            self._attempted, self._bad = run.rows_attempted, run.rows_attempted - stored + run.rows_invalid
        self._finished.labels(self._job).set(run.ended_at.timestamp())
        self._succeeded.labels(self._job).set(run.status == "success")

    def _count(self, attempted: int, bad: int) -> None:
        """By many workers."""
        with self._counting:
            self._attempted += attempted
            self._bad += bad

    def _error_rate_so_far(self) -> float:
        with self._counting:
            return self._bad / self._attempted if self._attempted else 0.0

    def _add(self, name: str, amount: int) -> None:
        self._counters[name].labels(self._job).inc(amount)


def _p95(milliseconds: array[float]) -> float:
    """Between the two nearest, as PostgreSQL's percentile_cont, by which the page has it."""
    if len(milliseconds) < 2:
        return sum(milliseconds)
    return quantiles(milliseconds, n=20, method="inclusive")[-1]
