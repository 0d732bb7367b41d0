"""On a terminal: a bar for every file under way with its rows and rate; a line for each that failed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import TaskID, TaskProgressColumn, TextColumn

from etl.command.bars import NO_ROWS, counted, open_bars, rate
from etl.ingestion.command.rendering import told_notes
from etl.ingestion.model import FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.watch.observers import BatchDone

LONGEST_NAME = 48


class ProgressBars:
    """An observer. Bars go by the bytes read; those of ended files make room, so that many files fit the screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, _Bar] = {}
        self._overall: _Bar | None = None
        self._progress = open_bars(console, TextColumn("{task.description}"), *counted("rows", TaskProgressColumn()))

    def run_started(self, run_id: str, table: str, files: int) -> None:
        self._progress.start()
        if files > 1:
            self._overall = _Bar(self._add(f"[bold]{files:,} files[/bold]", files), time.monotonic())

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None:
        self._bars[path] = _Bar(self._add(escape(shortened(path)), size_bytes), time.monotonic())

    def batch_done(self, batch: BatchDone) -> None:
        bar = self._bars.get(batch.path)
        if bar is not None:
            bar.rows += batch.counts.rows_read
            bar.bytes_read = max(bar.bytes_read, batch.bytes_read)  # a later batch may commit before an earlier one
            self._progress.update(bar.task, completed=bar.bytes_read, rows=bar.rows, rate=bar.rate, notes="")
        if self._overall is not None:
            self._overall.rows += batch.counts.rows_read
            self._progress.update(self._overall.task, rows=self._overall.rows, rate=self._overall.rate)

    def batch_retried(self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float) -> None:
        if path in self._bars:
            self._progress.update(self._bars[path].task, notes=f"[yellow]retrying batch {batch_index}[/yellow]")

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None:
        """The file's own end says it."""

    def file_finished(self, result: FileResult) -> None:
        bar = self._bars.pop(result.path, None)
        if bar is not None:
            self._progress.remove_task(bar.task)
        if self._overall is not None:
            self._progress.advance(self._overall.task)
        if result.status is FileStatus.FAILED:
            self._console.print(
                f"[red]{escape(told_notes(result.path, result.notes))}[/red]", highlight=False, soft_wrap=True
            )

    def run_finished(self, report: UploadReport) -> None:
        self.close()

    def close(self) -> None:
        """Gives the terminal back; also after a run that was broken off."""
        self._progress.stop()

    def _add(self, description: str, total: int) -> TaskID:
        return self._progress.add_task(description, total=total or None, **NO_ROWS)


@dataclass
class _Bar:
    task: TaskID
    started: float
    rows: int = 0
    bytes_read: int = 0

    @property
    def rate(self) -> float:
        return rate(self.rows, time.monotonic() - self.started)


def shortened(path: str) -> str:
    """A long path by its end, which tells files apart."""
    return path if len(path) <= LONGEST_NAME else f"…{path[-LONGEST_NAME + 1 :]}"
