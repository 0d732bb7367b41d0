"""Prometheus metrics of an upload. Names and meanings: docs/uploader.md."""

from __future__ import annotations

import resource
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from etl.command.metrics import RunMetrics
from etl.errors import StoreError, TransientError
from etl.ingestion.model import FileResult, FileType, UploadReport
from etl.ingestion.watch.observers import BatchDone
from etl.retrying import RETRIES

_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120)


class Metrics(RunMetrics):
    """An observer. The run and the files are in the manifest, where they cost no series of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self.registry.register(RETRIES)
        self._table = ""
        self._files = self._counter("files_processed", "Files that ended, by how.", "file_type", "status")
        self._batches = self._counter("batches_processed", "Batches that committed.", "file_type", "worker_id")
        self._read = self._counter("rows_read", "Records read from files.", "file_type")
        self._staged = self._counter("rows_staged", "Rows that went through COPY.", "file_type")
        self._rejected = self._counter("rows_rejected", "Records that were not loaded, by --rejects.", "file_type")
        self._upserted = self._counter("rows_upserted", "Rows inserted or updated.", "table_name")
        self._retries = self._counter("retries", "Attempts at a batch that were made again.")
        self._db_errors = self._counter("db_errors", "Errors of the database, retried or not.", "error_class")
        self._latency = Histogram(
            "ingest_batch_latency_seconds",
            "From a batch's first attempt to its commit.",
            buckets=_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self._memory = self._gauge("memory_peak_bytes", "The most memory that the process held so far.")
        self._memory.set_function(peak_memory_bytes)
        self._finished = self._gauge("run_finished_seconds", "When the last run ended (Unix time).", "table_name")
        self._succeeded = self._gauge("run_success", "1 where the last run was a success, else 0.", "table_name")

    def pushed_as(self) -> tuple[str, dict[str, str]]:
        return "uploader", {"table_name": self._table}

    def run_started(self, run_id: str, table: str, files: int) -> None:
        self._table = table
        self._upserted.labels(table)  # a series that stands at 0 can be alerted on

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None:
        for counter in (self._read, self._staged, self._rejected):
            counter.labels(file_type)

    def batch_done(self, batch: BatchDone) -> None:
        counts = batch.counts
        self._batches.labels(batch.file_type, batch.worker_id).inc()
        self._read.labels(batch.file_type).inc(counts.rows_read)
        self._staged.labels(batch.file_type).inc(batch.staged_rows)
        self._rejected.labels(batch.file_type).inc(counts.rows_rejected)
        self._upserted.labels(self._table).inc(counts.rows_inserted + counts.rows_updated)
        self._latency.observe(batch.seconds)

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        self._retries.inc()
        self._db_errors.labels(error_class(error)).inc()

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None:
        if _is_of_database(error):
            self._db_errors.labels(error_class(error)).inc()

    def file_finished(self, result: FileResult) -> None:
        self._files.labels(result.file_type, result.status).inc()

    def run_finished(self, report: UploadReport) -> None:
        self._finished.labels(self._table).set_to_current_time()
        self._succeeded.labels(self._table).set(report.is_success)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"ingest_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"ingest_{name}", text, labels, registry=self.registry)


def error_class(error: BaseException) -> str:
    """PostgreSQL's own class where the driver's error is behind ours: DeadlockDetectedError says more than ours."""
    cause = error.__cause__
    return type(cause if cause is not None else error).__name__


def peak_memory_bytes() -> int:
    """The kernel's own mark. Not ru_maxrss alone, which on Linux begins with what the parent held at the fork."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _is_of_database(error: BaseException) -> bool:
    is_ours = isinstance(error, TransientError | StoreError)
    return is_ours or type(error.__cause__).__module__.partition(".")[0] == "asyncpg"
