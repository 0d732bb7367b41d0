"""A job's YAML → what is applied to its records."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.config.settings import PostgreSQLSettings
from etl.config.staging.jobs import InstantFormat, StagingJob
from etl.config.staging.models import FileFormat, StagingTimeouts, StandardInputSource
from etl.staging.batch.paths import getter
from etl.staging.batch.preparation import Rules, kind
from etl.staging.batch.shapes import Shape
from etl.staging.database.database import StagingDatabase, Timeouts
from etl.staging.tolerance import Tolerance, Tolerances
from etl.statements.staging.tables import StagingTable

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rules_of(job: StagingJob) -> Rules:
    return Rules(
        source_id=getter(job.source_id),
        source_updated_at=getter(job.source_updated_at) if job.source_updated_at else None,
        parse_instant=_parser(job),
        required=tuple((path, getter(path)) for path in job.required),
        shape=Shape(job.shape) if job.shape else None,
        maximum_record_bytes=job.maximum_record_bytes,
        source_id_path=job.source_id,
        source_updated_at_path=job.source_updated_at or "",
        is_of_rows=_form(job) in (FileFormat.CSV, FileFormat.PARQUET),
    )


def database_of(
    job: StagingJob | None, server: PostgreSQLSettings, schema: str, connections: int | None = None
) -> StagingDatabase:
    """Limited as the job says; by default with a connection for each of its workers, and a few for the ledger."""
    timeouts = job.timeouts if job else StagingTimeouts()
    if "connect" in timeouts.model_fields_set:  # else the server's own setting stays
        server = server.model_copy(update={"connect_timeout_seconds": timeouts.connect})
    limits = Timeouts(timeouts.statement, timeouts.lock, timeouts.pool)
    return StagingDatabase(server, schema, connections or (job.workers if job else 1) + 3, limits)


def table_of(job: StagingJob) -> StagingTable:
    """As `init` makes it."""
    return StagingTable(job.target_table, has_gin_index=job.gin_index, has_hot_updates=job.hot_updates)


def tolerances_of(job: StagingJob) -> Tolerances:
    return Tolerances((Tolerance(job.maximum_invalid), Tolerance(job.maximum_rejected, only_rejected=True)))


def _iso(value: Any) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    if not isinstance(value, str):
        raise ValueError(f"ISO 8601 text, as source_updated_at_format says, found {kind(value)}")
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _epoch_seconds(value: Any) -> datetime:
    return _EPOCH + timedelta(seconds=_number(value))


def _epoch_milliseconds(value: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=_number(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number, as source_updated_at_format says, found {kind(value)}")
    return value


def _form(job: StagingJob) -> str:
    return job.source.format if isinstance(job.source, StandardInputSource) else job.source.type


def _parser(job: StagingJob) -> Callable[[Any], datetime]:
    """Of CSV every value is text: what is written as a number is one."""
    parse = _PARSERS[job.source_updated_at_format]
    if _form(job) != FileFormat.CSV or job.source_updated_at_format is InstantFormat.ISO:
        return parse
    return lambda value: parse(float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else value)


_PARSERS: dict[InstantFormat, Callable[[Any], datetime]] = {
    InstantFormat.ISO: _iso,
    InstantFormat.EPOCH_SECONDS: _epoch_seconds,
    InstantFormat.EPOCH_MILLISECONDS: _epoch_milliseconds,
}
