"""An upload as log lines, one an event, for where no terminal is."""

from __future__ import annotations

import structlog

from etl.ingestion.model import FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.watch.observers import BatchDone


class EventLog:
    """An observer. Every line names the run; a batch's has file, batch_idx, rows, latency_ms, status and error."""

    def __init__(self, *, is_dry_run: bool = False) -> None:
        self._log = structlog.get_logger(__name__)
        self._done = "batch checked" if is_dry_run else "batch committed"

    def run_started(self, run_id: str, table: str, files: int) -> None:
        self._log = self._log.bind(run_id=run_id)
        self._log.info("run started", table=table, files=files)

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None:
        self._log.info("file started", file=path, file_type=str(file_type), size_bytes=size_bytes)

    def batch_done(self, batch: BatchDone) -> None:
        self._log.info(
            self._done,
            file=batch.path,
            batch_idx=batch.batch_index,
            rows=batch.counts.rows_read,
            latency_ms=round(batch.seconds * 1000),
            status="success",
            error=None,
            worker_id=batch.worker_id,
        )

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        self._log.warning(
            "batch retried",
            file=path,
            batch_idx=batch_index,
            rows=0,
            latency_ms=None,
            status="retry",
            error=_text(error),
            attempt=attempt,
            wait_seconds=round(wait_seconds, 3),
        )

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None:
        self._log.error(
            "batch failed",
            file=path,
            batch_idx=batch_index,
            rows=0,
            latency_ms=None,
            status="failed",
            error=_text(error),
        )

    def file_finished(self, result: FileResult) -> None:
        write = self._log.error if result.status is FileStatus.FAILED else self._log.info
        write(
            "file finished",
            file=result.path,
            status=str(result.status),
            rows=result.counts.rows_read,
            batches=result.batches,
            latency_ms=round(result.seconds * 1000),
            error=result.notes if result.status is FileStatus.FAILED else None,
            rows_inserted=result.counts.rows_inserted,
            rows_updated=result.counts.rows_updated,
            rows_unchanged=result.counts.rows_unchanged,
            rows_rejected=result.counts.rows_rejected,
            rows_deduplicated=result.counts.rows_deduplicated,
        )

    def run_finished(self, report: UploadReport) -> None:
        self._log.info(
            "run finished",
            status="success" if report.is_success else "failed",
            files=len(report.files),
            rows=report.counts.rows_read,
            latency_ms=round(report.seconds * 1000),
            retries=report.retries,
        )


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
