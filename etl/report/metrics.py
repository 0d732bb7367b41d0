"""Prometheus metrics of a run of the main job, made when it has ended: nobody could scrape it for long enough. Names
and meanings: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from prometheus_client import CollectorRegistry, Gauge

from etl.command.metrics import RunMetrics
from etl.model import Destination, LoadStatus, RunStatus
from etl.report.values import MaintenanceReport, RecordedLoad, RunReport, TableReport
from etl.retrying import RETRIES

OUTCOMES = ("inserted", "updated", "unchanged", "skipped", "rejected", "deduplicated", "deleted")
_LOAD = ("table", "destination")
_NEVER_ENDED = "NeverEnded"
"""The cause of a load that its run left behind."""


class RecordedMark(Protocol):
    """How far a destination holds a table, and since when (etl.ledger.Watermark)."""

    @property
    def table_name(self) -> str: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def mark(self) -> str | None: ...
    @property
    def updated_at(self) -> datetime: ...


class LoadMetrics(RunMetrics):
    """Of the run's loads how they went; of all marks how old they are, also of tables that this run left out: a push
    stands in the place of the one before."""

    def __init__(
        self,
        report: RunReport,
        records: Iterable[RecordedLoad],
        marks: Iterable[RecordedMark],
        registry: CollectorRegistry | None = None,
    ) -> None:
        super().__init__(registry)
        self.registry.register(RETRIES)
        self._tell_run(report)
        self._tell_loads(report.loads)
        self._tell_maintenance(report.maintenance)
        self._tell_records(records)
        self._tell_marks(report, marks)

    def pushed_as(self) -> tuple[str, dict[str, str]]:
        return "etl", {}

    def _tell_run(self, report: RunReport) -> None:
        self._gauge("etl_run_success", "1 where the last run was a success, else 0.").set(
            report.status is RunStatus.SUCCESS
        )
        self._gauge("etl_run_finished_timestamp_seconds", "When the last run ended (Unix time).").set(
            report.finished_at.timestamp()
        )
        self._gauge("etl_run_duration_seconds", "How long the last run took.").set(
            (report.finished_at - report.started_at).total_seconds()
        )
        self._gauge("etl_run_rejects", "Rejected rows that the ledger keeps of the last run.").set(report.rejects)

    def _tell_loads(self, loads: Iterable[TableReport]) -> None:
        rows = self._gauge("etl_load_rows", "Rows of the last run's load, by outcome.", *_LOAD, "outcome")
        read = self._gauge("etl_load_rows_read", "Rows read for the last run's load.", *_LOAD)
        seconds = self._gauge("etl_load_duration_seconds", "How long the last run's load took.", *_LOAD)
        rate = self._gauge("etl_load_rows_per_second", "Rows read in a second of the last run's load.", *_LOAD)
        success = self._gauge("etl_load_success", "1 where the last run's load did not fail, else 0.", *_LOAD)
        for load in loads:
            where = load.table, load.destination
            for outcome in OUTCOMES:
                rows.labels(*where, outcome).set(getattr(load, f"rows_{outcome}"))
            read.labels(*where).set(load.rows_read)
            seconds.labels(*where).set(load.seconds)
            rate.labels(*where).set(load.rows_read / load.seconds if load.seconds else 0)
            success.labels(*where).set(load.status is not LoadStatus.FAILED)

    def _tell_maintenance(self, maintenance: Iterable[MaintenanceReport]) -> None:
        success = self._gauge("etl_maintenance_success", "1 where the last run's upkeep did not fail, else 0.", *_LOAD)
        for one in maintenance:
            success.labels(one.table, one.destination).set(one.status is not LoadStatus.FAILED)

    def _tell_records(self, records: Iterable[RecordedLoad]) -> None:
        size = self._gauge("etl_load_bytes", "Bytes that the last run's load wrote.", *_LOAD)
        failures = self._gauge(
            "etl_load_failures", "1 where the last run's load failed, by its cause.", *_LOAD, "cause"
        )
        for record in records:
            where = record.table_name, record.destination
            size.labels(*where).set(record.bytes_written)
            if record.status in ("pending", "running", "failed"):
                failures.labels(*where, record.error_class or _NEVER_ENDED).set(1)

    def _tell_marks(self, report: RunReport, marks: Iterable[RecordedMark]) -> None:
        success = self._gauge(
            "etl_last_success_timestamp_seconds", "When the table was last loaded there (Unix time).", *_LOAD
        )
        watermark = self._gauge(
            "etl_watermark_timestamp_seconds", "Up to when the source's rows are loaded there (Unix time).", *_LOAD
        )
        for mark in marks:
            where = mark.table_name, mark.destination
            success.labels(*where).set(mark.updated_at.timestamp())
            if (until := _instant(mark.mark)) is not None:
                watermark.labels(*where).set(until.timestamp())
        for load in report.loads:  # an empty table has no mark
            if load.status in (LoadStatus.SUCCESS, LoadStatus.UNCHANGED):
                success.labels(load.table, load.destination).set(report.finished_at.timestamp())

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)


def _instant(mark: str | None) -> datetime | None:
    """None where it is no instant; a number such as 20240101 is none, although ISO 8601 has it for a day."""
    if mark is None or "-" not in mark[1:]:
        return None
    try:
        found = datetime.fromisoformat(mark)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
