"""What the pipeline tells of a run while it works, and how it is shown: live on a terminal, else a line an event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import structlog

from etl.command.bars import spinning
from etl.command.console import watched_console
from etl.command.logging import LogFormat
from etl.model import Destination, LoadResult, LoadStatus, MaintenanceResult
from etl.report.live import LiveProgress
from etl.report.values import RunReport


class Progress(Protocol):
    """Called by many threads at once, in any order between a run's start and its end."""

    def run_started(self, run_id: str, loads: Sequence[tuple[str, Destination]]) -> None: ...

    def table_extracted(self, table: str, rows: int) -> None: ...

    def load_started(self, table: str, destination: Destination, rows_read: int) -> None: ...

    def load_finished(self, result: LoadResult, rows_read: int) -> None: ...

    def load_failed(self, table: str, destination: Destination, error: BaseException) -> None: ...

    def maintenance_started(self, table: str, destination: Destination) -> None: ...

    def maintenance_finished(self, result: MaintenanceResult) -> None: ...

    def maintenance_failed(self, table: str, destination: Destination, error: BaseException) -> None: ...

    def run_finished(self, report: RunReport) -> None: ...


ConfigurationOf = Callable[[str], Mapping[str, Any]]
"""What is in force for a table, without secrets."""


@contextmanager
def open_progress(log_format: LogFormat, configuration_of: ConfigurationOf | None = None) -> Iterator[Progress]:
    """Live where a person watches (`console` on a terminal), else log lines; `configure_logging` comes first."""
    console = watched_console(log_format)
    if console:
        with LiveProgress(console) as live:
            yield live
    else:
        yield LogProgress(log_format, configuration_of)


@contextmanager
def working(what: str, log_format: LogFormat) -> Iterator[None]:
    """Says what a silent time is spent on: with its seconds where a person watches, else in a line."""
    console = watched_console(log_format)
    if console:
        with spinning(console) as bars:
            bars.add_task(what, total=None)
            yield
    else:
        structlog.get_logger(__name__).info(what)
        yield


class LogProgress:
    """One structured line an event; every line names the run, and the table and destination where it has them. Where
    programs read, a failed load has its stack trace, and the first of its table the configuration in force; for people
    both stand in the ledger."""

    def __init__(
        self, log_format: LogFormat = LogFormat.CONSOLE, configuration_of: ConfigurationOf | None = None
    ) -> None:
        self._log = structlog.get_logger(__name__)
        self._is_for_programs = log_format is LogFormat.JSON
        self._configuration_of = configuration_of
        self._configured: set[str] = set()

    def run_started(self, run_id: str, loads: Sequence[tuple[str, Destination]]) -> None:
        self._log = self._log.bind(run_id=run_id)
        self._log.info("run started", loads=len(loads))

    def table_extracted(self, table: str, rows: int) -> None:
        self._log.info("table extracted", table=table, rows=rows)

    def load_started(self, table: str, destination: Destination, rows_read: int) -> None:
        self._log.info("load started", table=table, destination=str(destination), rows_read=rows_read)

    def load_finished(self, result: LoadResult, rows_read: int) -> None:
        self._log.info(
            "load finished",
            table=result.table_name,
            destination=str(result.destination),
            status=str(result.status),
            mode=str(result.mode),
            target=result.target,
            rows_read=rows_read,
            rows_inserted=result.rows_inserted,
            rows_updated=result.rows_updated,
            rows_unchanged=result.rows_unchanged,
            rows_skipped=result.rows_skipped,
            rows_rejected=result.rows_rejected,
            rows_deleted=result.rows_deleted,
            bytes_written=result.bytes_written,
            seconds=round(result.seconds, 3),
        )
        for note in result.notes:
            self._log.warning("load noted", table=result.table_name, destination=str(result.destination), note=note)

    def load_failed(self, table: str, destination: Destination, error: BaseException) -> None:
        self._log.error(
            "load failed",
            table=table,
            destination=str(destination),
            error_class=type(error).__name__,
            error=str(error),
            **(self._more(table, error) if self._is_for_programs else {}),
        )

    def maintenance_started(self, table: str, destination: Destination) -> None:
        self._log.info("maintenance started", table=table, destination=str(destination))

    def maintenance_finished(self, result: MaintenanceResult) -> None:
        self._log.info(
            "maintenance finished",
            table=result.table_name,
            destination=str(result.destination),
            target=result.target,
            deleted_before=result.deleted_before and str(result.deleted_before),
            days_deleted=result.days_deleted,
            rows_deleted=result.rows_deleted,
            files_joined=result.files_joined,
            seconds=result.seconds,
        )

    def maintenance_failed(self, table: str, destination: Destination, error: BaseException) -> None:
        self._log.error(
            "maintenance failed",
            table=table,
            destination=str(destination),
            error_class=type(error).__name__,
            error=str(error),
            **({"exc_info": error} if self._is_for_programs else {}),
        )

    def _more(self, table: str, error: BaseException) -> dict[str, Any]:
        if self._configuration_of is None or table in self._configured:
            return {"exc_info": error}
        self._configured.add(table)
        return {"exc_info": error, "configuration": self._configuration_of(table)}

    def run_finished(self, report: RunReport) -> None:
        self._log.info(
            "run finished",
            status=str(report.status),
            loads=len(report.loads),
            **{str(status): report.count(status) for status in LoadStatus},
            retries=report.retries,
            rows_rejected=sum(load.rows_rejected for load in report.loads),
            seconds=round((report.finished_at - report.started_at).total_seconds(), 3),
        )
