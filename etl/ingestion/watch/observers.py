"""Those who watch an upload while it goes: metrics, log lines, a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from etl.ingestion.model import BatchCounts, FileResult, FileType, UploadReport

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class BatchDone:
    """A batch that has committed. `staged_rows` went through COPY; `seconds` from its first attempt to its commit.

    `worker_id` counts from 1; `bytes_read` is the source's position in the file when the batch was cut.
    """

    path: str
    file_type: FileType
    batch_index: int
    worker_id: int
    counts: BatchCounts
    staged_rows: int
    seconds: float
    bytes_read: int = 0


class Observer(Protocol):
    """Called from the event loop's thread; a method must not block. A file stands by the path of its FileResult."""

    def run_started(self, run_id: str, table: str, files: int) -> None: ...

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None: ...

    def batch_done(self, batch: BatchDone) -> None: ...

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        """`attempt` is the one that failed, from 1."""

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None:
        """For good; `batch_index` is None where the file itself failed, not one of its batches."""

    def file_finished(self, result: FileResult) -> None:
        """Also for a file that was skipped, which was never started."""

    def run_finished(self, report: UploadReport) -> None: ...


class Observers:
    """Several as one, or none. One that raises is told once and not asked again: who watches decides nothing."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = list(observers)

    def run_started(self, run_id: str, table: str, files: int) -> None:
        self._tell(lambda each: each.run_started(run_id, table, files))

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None:
        self._tell(lambda each: each.file_started(path, file_type, size_bytes))

    def batch_done(self, batch: BatchDone) -> None:
        self._tell(lambda each: each.batch_done(batch))

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        self._tell(lambda each: each.batch_retried(path, batch_index, error, attempt, wait_seconds))

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None:
        self._tell(lambda each: each.batch_failed(path, batch_index, error))

    def file_finished(self, result: FileResult) -> None:
        self._tell(lambda each: each.file_finished(result))

    def run_finished(self, report: UploadReport) -> None:
        self._tell(lambda each: each.run_finished(report))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for each in tuple(self._observers):
            try:
                tell(each)
            except Exception as error:  # noqa: BLE001 - whatever it is, the load goes on
                self._observers.remove(each)
                log.warning("observer failed", observer=type(each).__name__, error=repr(error))
