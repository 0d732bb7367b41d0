"""Whom an upload tells, and of what: at its end, by the database that it loads into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

import structlog

from etl.alerts.findings import (
    FEWEST_PACE_LOADS,
    FEWEST_ROWS,
    PACE_LOADS,
    Finding,
    LoadOutcome,
    NextSteps,
    Place,
    Standing,
    Verdict,
    judge_load,
    judge_standing,
)
from etl.alerts.telling import Teller
from etl.config.alerts import AlertKind, AlertSettings
from etl.errors import EtlError, TransientError, UsageError
from etl.ingestion.database.connection import Connection, connect, door, transaction
from etl.ingestion.database.settings import Dsn
from etl.ingestion.model import FileStatus, UploadReport
from etl.ingestion.upload import manifest
from etl.ingestion.upload.plan import limits
from etl.ingestion.watch.outbox import UploadOutbox

STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
_LIMITS = limits(LOCK_SECONDS, STATEMENT_SECONDS)

log = structlog.get_logger(__name__)


class UploadAlerts:
    def __init__(self, settings: AlertSettings, dsn: Dsn, connect_timeout_seconds: float) -> None:
        self._settings = settings
        self._dsn = dsn
        self._timeout = connect_timeout_seconds
        self._teller = Teller("uploader", settings, dsn.secrets)

    async def tell(self, report: UploadReport) -> None:
        """Never raises: what was loaded stays loaded, whoever hears of it or not."""
        if not self._teller.is_wanted:
            return
        try:
            async with self._connected() as connection:
                verdict = await self._judged(connection, report)
                outbox = UploadOutbox(connection, self._dsn, _LIMITS)
                await asyncio.to_thread(self._teller.tell, outbox, verdict, report.run_id)
        except EtlError as error:
            log.warning("alerts not written down", error=error.message)
            await self._tell_at_once(report)

    @contextmanager
    def of_breaking_off(self, table: str) -> Iterator[None]:
        """An upload that no row came of, and not for what the command line says: told at once."""
        try:
            yield
        except EtlError as error:
            if not isinstance(error, UsageError) or isinstance(error.__cause__, TransientError):
                self._teller.tell_at_once([_failure(Place(table), error.message)])
            raise

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        with door(self._dsn, "tell of uploads"):
            connection = await connect(self._dsn, self._timeout)
        try:
            yield connection
        finally:
            connection.terminate()

    async def _tell_at_once(self, report: UploadReport) -> None:
        if error := _error_of(report):
            await asyncio.to_thread(self._teller.tell_at_once, [_failure(Place(report.table), error)], report.run_id)

    async def _judged(self, connection: Connection, report: UploadReport) -> Verdict:
        verdict = Verdict()
        with door(self._dsn, "tell of uploads"):
            async with transaction(connection, *_LIMITS):
                known = await connection.fetchrow(manifest.statement("alerts_stand"), report.table)
                if not known["is_there"]:
                    await connection.execute(manifest.alerts_sql())
            report = replace(report, table=known["table_name"])
            async with transaction(connection, *_LIMITS):
                pace = await self._pace(connection, report)
                successes = await connection.fetch(manifest.statement("last_successes"))
        _judge_upload(verdict, report, pace, self._settings)
        for row in successes:
            table = row["target_table"]
            standing = Standing(Place(table), row["last_loaded_at"], row["now"])
            judge_standing(verdict, standing, self._settings.limits_of(table), _status(table))
        return verdict

    async def _pace(self, connection: Connection, report: UploadReport) -> float | None:
        rows = report.counts.rows_read
        if rows < FEWEST_ROWS:
            return None
        arguments = (report.table, report.run_id, rows, PACE_LOADS)
        row = await connection.fetchrow(manifest.statement("usual_pace"), *arguments)
        return row["rows_per_second"] if row and row["uploads"] >= FEWEST_PACE_LOADS else None


def _judge_upload(verdict: Verdict, report: UploadReport, pace: float | None, settings: AlertSettings) -> None:
    steps = NextSteps(
        f"uploader retry-failed --table {report.table}", _status(report.table, "--status failed"), _status(report.table)
    )
    counts = report.counts
    outcome = LoadOutcome(
        Place(report.table), counts.rows_read, counts.rows_rejected, report.seconds, None, _error_of(report), pace
    )
    judge_load(verdict, outcome, settings.limits_of(report.table), steps)


def _error_of(report: UploadReport) -> str | None:
    failed = [file for file in report.files if file.status is FileStatus.FAILED]
    if failed:
        more = f" (and {len(failed) - 1} files more)" if len(failed) > 1 else ""
        return f"{failed[0].path}: {failed[0].notes}{more}"
    return report.notes or None


def _failure(place: Place, found: str) -> Finding:
    step = f"uploader retry-failed --table {place.table}"
    return Finding(AlertKind.FAILURE, place, "the files to be loaded", found, step)


def _status(table: str, *options: str) -> str:
    return " ".join(["uploader status --table", table, *options])
